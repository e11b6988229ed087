package s3api

import (
	"errors"
	"strings"
)

// A source is the object that a copy reads.
type source struct{ bucket, key, versionID string }

// parseCopySource reads the value of x-amz-copy-source: "/bucket/key" or
// "bucket/key", percent-encoded, the slash between bucket and key too if one
// likes, and after it optionally "?versionId=" and a version.
//
// A "+" in the name is refused: Amazon S3 takes it for a space, other stores
// for a plus sign.
func parseCopySource(value string, keepDots bool) (source, error) {
	name, query, versioned := strings.Cut(value, "?")
	if strings.ContainsRune(name, '+') {
		return source{}, refuse("InvalidArgument", `The copy source %s contains "+"; write "%%2B" for a plus sign and "%%20" for a space.`, quoted(value))
	}
	path, ok := unescape(name)
	if !ok {
		return source{}, refuse("InvalidArgument", "The copy source %s has a broken percent-encoding.", quoted(value)).
			about("x-amz-copy-source", value, badSourcePath)
	}
	if strings.HasPrefix(path, "arn:") {
		return source{}, refuse("NotImplemented", "The copy source %s is an ARN; access points are not served, use the bucket's own name.", quoted(value))
	}
	bucket, key, err := splitPath("/"+strings.TrimPrefix(path, "/"), keepDots)
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == "InvalidBucketName" || isNoName(path)) {
		return source{}, refuse("InvalidArgument", "The copy source %s does not begin with the name of a bucket.", quoted(value)).
			about("x-amz-copy-source", value, badSource)
	}
	if err != nil {
		return source{}, err
	}
	if key == "" {
		return source{}, refuse("InvalidArgument", "The copy source %s does not name an object.", quoted(value)).about("x-amz-copy-source", "", noSourceKey)
	}
	s := source{bucket: bucket, key: key}
	if !versioned {
		return s, nil
	}
	raw, ok := strings.CutPrefix(query, "versionId=")
	if s.versionID, ok = unescapeIf(ok, raw); !ok || checkVersion(s.versionID) != nil {
		return source{}, refuse("InvalidArgument", `After "?", the copy source %s must have versionId= and a version, and nothing else.`, quoted(value))
	}
	return s, nil
}

// isNoName says whether a copy source begins with what is neither the name of a
// bucket nor a second name of one.
func isNoName(path string) bool {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.Contains(bucket, ":") && !strings.HasPrefix(bucket, "arn:")
}

func unescapeIf(ok bool, s string) (string, bool) {
	if !ok || strings.ContainsAny(s, "&=?;") {
		return "", false
	}
	return unescape(s)
}

// String is the source as a value of x-amz-copy-source, in the one form that
// every store reads alike.
func (s source) String() string {
	v := escape(s.bucket + "/" + s.key)
	if s.versionID != "" {
		v += "?versionId=" + escape(s.versionID)
	}
	return v
}

// checkVersion accepts version ids, which are opaque printable ASCII.
func checkVersion(id string) error {
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return refuse("InvalidArgument", "The version id %s is not valid.", quoted(id))
		}
	}
	if id == "" || len(id) > maxKey {
		return refuse("InvalidArgument", "A version id must have 1 to %d bytes.", maxKey)
	}
	return nil
}

const upperHex = "0123456789ABCDEF"

// escape percent-encodes every byte of s but unreserved ones and slashes.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if isLetter(c) || isDigit(c) || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// unescape decodes percent-encoding once; ok is false when an escape is broken.
func unescape(s string) (decoded string, ok bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	return string(b), true
}

func unhex(c byte) int {
	if 'a' <= c && c <= 'f' {
		c -= 'a' - 'A'
	}
	return strings.IndexByte(upperHex, c)
}
