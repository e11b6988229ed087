package iampolicy

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Compiled when they are first needed: the client has this room in it, too.
var (
	identityARN = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]{1,512}$`)
	})
	endpointID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^vpce-[0-9a-f]{8,17}$`) })
	bucketName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`) })
	accountID  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{12}$`) })
)

// CheckIdentity says what is wrong with the ARN of a role or user.
func CheckIdentity(arn string) error {
	switch {
	case identityARN().MatchString(arn):
		return nil
	case strings.HasSuffix(arn, ":root"):
		return fmt.Errorf("%q is a whole account; name a role or user of it, such as arn:aws:iam::111122223333:role/gimme-sidecar", arn)
	case strings.Contains(arn, ":assumed-role/"):
		return fmt.Errorf("%q is a session of a role; name the role itself, such as arn:aws:iam::111122223333:role/gimme-sidecar", arn)
	}
	return fmt.Errorf("%q is not the ARN of a role or user, such as arn:aws:iam::111122223333:role/gimme-sidecar", arn)
}

// CheckBucket says what is wrong with the name of a bucket.
func CheckBucket(name string) error {
	if !bucketName().MatchString(name) {
		return fmt.Errorf("%q is not the name of a bucket", name)
	}
	return nil
}

// CheckAccount says what is wrong with the number of an account.
func CheckAccount(id string) error {
	if !accountID().MatchString(id) {
		return fmt.Errorf("%q is not the number of an AWS account, twelve digits", id)
	}
	return nil
}

// A Network is where requests may come from: public addresses, and VPC
// endpoints. To come from one of them is enough.
type Network struct{ Addresses, Endpoints []string }

// ParseNetwork checks addresses and endpoints, and writes the addresses as
// networks.
func ParseNetwork(addresses, endpoints []string) (Network, error) {
	n := Network{Endpoints: endpoints}
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a)
		if ip, bad := netip.ParseAddr(a); bad == nil {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		switch {
		case err != nil || prefix != prefix.Masked() || prefix.Addr().Zone() != "":
			return n, fmt.Errorf("%q is not a network, such as 203.0.113.7/32", a)
		case prefix.Bits() == 0:
			return n, fmt.Errorf("%q is every address there is", a)
		case prefix.Addr().IsPrivate(), prefix.Addr().IsLoopback(), prefix.Addr().IsLinkLocalUnicast():
			return n, fmt.Errorf("AWS never sees %s: from outside it sees the address of a gateway, and through a VPC endpoint none; name the endpoint with --source-vpce", a)
		}
		n.Addresses = append(n.Addresses, prefix.String())
	}
	for _, e := range endpoints {
		if !endpointID().MatchString(e) {
			return n, fmt.Errorf("%q is not a VPC endpoint, such as vpce-0123456789abcdef0", e)
		}
	}
	return n, nil
}

func (n Network) empty() bool { return len(n.Addresses)+len(n.Endpoints) == 0 }

// Trust is the trust policy of a role that the sidecar assumes, with source
// identity and session tags, as internal/upstream does.
func Trust(sidecars []string) (Document, error) {
	d := document(Statement{
		Sid: "Sidecar", Effect: "Allow", Principal: map[string][]string{"AWS": sidecars},
		Action: []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"},
	})
	return d, d.fits(maxTrust, "the trust policy", "name fewer sidecars; replicas can share a role")
}

// TrustWebIdentity is the trust policy of a role that people of an issuer take
// with their ID tokens, those with one of the subjects. A network that is not
// empty is where they have to come from.
func TrustWebIdentity(role Role, issuer Issuer, subjects []string, from Network) (Document, error) {
	u, err := url.Parse(issuer.URL)
	if err != nil || u.Scheme != "https" || u.Port() != "" {
		return Document{}, fmt.Errorf("AWS has no identity provider %s: it takes https URLs without port", issuer.URL)
	}
	provider := strings.TrimPrefix(issuer.URL, "https://")
	federated := "arn:" + role.partition() + ":iam::" + role.account() + ":oidc-provider/" + provider
	if provider == google {
		federated = google // AWS knows it by itself
	}
	base := Statement{
		Sid: "People", Effect: "Allow", Principal: map[string][]string{"Federated": {federated}},
		Action: []string{"sts:AssumeRoleWithWebIdentity"},
	}
	// Of the conditions of a statement all must hold, so that each way in is a
	// statement of its own.
	ways := []map[string]map[string][]string{}
	if len(from.Addresses) > 0 {
		ways = append(ways, map[string]map[string][]string{"IpAddress": {"aws:SourceIp": from.Addresses}})
	}
	if len(from.Endpoints) > 0 {
		ways = append(ways, map[string]map[string][]string{"StringEquals": {"aws:SourceVpce": from.Endpoints}})
	}
	if from.empty() {
		ways = append(ways, map[string]map[string][]string{})
	}
	d := document()
	for i, way := range ways {
		s := base
		if i > 0 {
			s.Sid += "ThroughEndpoints"
		}
		if way["StringEquals"] == nil {
			way["StringEquals"] = map[string][]string{}
		}
		way["StringEquals"][provider+":aud"] = issuer.Clients
		way["StringEquals"][provider+":sub"] = literals(subjects)
		s.Condition = way
		d.Statement = append(d.Statement, s)
	}
	return d, d.fits(maxTrust, "the trust policy for web identities", "name fewer people with --sub, and make a role for the others")
}

const google = "accounts.google.com"

// literals writes values so that IAM sees no policy variable in them.
func literals(values []string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = strings.ReplaceAll(v, "${", "${$}{")
	}
	return all
}

// CheckSubject says what is wrong with the subject of an ID token.
func CheckSubject(sub string) error {
	switch {
	case strings.ContainsAny(sub, "*?"):
		return fmt.Errorf("%q is compared as it stands, so that a * or ? is only itself; write each subject out", sub)
	case sub == "" || strings.ContainsFunc(sub, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("%q is not the subject of an ID token", sub)
	}
	return nil
}
