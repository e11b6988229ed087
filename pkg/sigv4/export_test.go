package sigv4

import (
	"encoding/hex"
	"net/http"
	"time"
)

// Canonical is the canonical request of r, up to its last line, when names are
// the signed headers. Vectors for other services than S3 have no other way.
func Canonical(r *http.Request, names []string) (string, error) {
	path, params, err := parseTarget(r.RequestURI)
	if err != nil {
		return "", err
	}
	h, err := readHeader(r)
	if err != nil {
		return "", err
	}
	return string(canonicalRequest(r.Method, path, params, h, names, false)), nil
}

// SignatureOf signs a canonical request.
func SignatureOf(canonical, secret, region, service string, t time.Time) []byte {
	return sign(signingKey(secret, region, service, t), region, service, t, []byte(canonical))
}

// CanonicalOf is the canonical request of s, in which a tab is a space.
func CanonicalOf(s *Signature) string {
	if s.folded != nil {
		return string(s.folded) + s.payload
	}
	return string(s.canonical) + s.payload
}

// SignedNames are the names in SignedHeaders.
func SignedNames(s *Signature) []string { return s.signed }

// SignatureIn is the signature that stands in the request.
func SignatureIn(s *Signature) string { return hex.EncodeToString(s.signature[:]) }

// Target reads a request target.
func Target(target string) (string, []Param, error) { return parseTarget(target) }
