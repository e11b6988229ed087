package s3api

import (
	"strings"
)

// BucketOfHost returns the bucket that host names in virtual-host style: what
// stands before the longest of the domains that host ends in. The port and the
// case of letters do not matter. A host that is one of the domains, or ends in
// none, names no bucket: the request is in path style, and virtual is false.
//
// Errors are *Error: what stands before the domain is no name of a bucket.
func BucketOfHost(host string, domains []string) (bucket string, virtual bool, err error) {
	name, err := hostName(host)
	if err != nil {
		return "", false, err
	}
	longest := -1
	for _, domain := range domains {
		domain = strings.ToLower(domain)
		if name == domain {
			return "", false, nil
		}
		rest, ok := strings.CutSuffix(name, domain)
		if label, dot := strings.CutSuffix(rest, "."); ok && dot && domain != "" && len(domain) > longest {
			bucket, longest = label, len(domain)
		}
	}
	if longest < 0 {
		return "", false, nil
	}
	if err := checkBucket(bucket); err != nil {
		return "", false, err
	}
	return bucket, true, nil
}

// hostName is host in lower case, without its port and the dot of an absolute
// name.
func hostName(host string) (string, error) {
	name := strings.ToLower(host)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		if strings.Trim(name[i+1:], "0123456789") != "" {
			return "", refuse("InvalidURI", "The host %s has a port that is no number.", quoted(host))
		}
		name = name[:i]
	}
	return strings.TrimSuffix(name, "."), nil
}
