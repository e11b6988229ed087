package sigv4

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
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
	for i := range h {
		h[i].signed = slices.Contains(names, h[i].name)
	}
	return string(canonicalRequest(r.Method, path, params, h, false)), nil
}

// SignatureOf signs a canonical request.
func SignatureOf(canonical, secret, region, service string, t time.Time) []byte {
	signature := new(Keys).of(secret, region, service, t).sign(t, []byte(canonical))
	return signature[:]
}

// CanonicalOf is the canonical request of s, in which a tab is a space.
func CanonicalOf(s *Signature) string {
	if s.folded != nil {
		return string(s.folded)
	}
	return string(s.canonical)
}

// SignedNames are the names in SignedHeaders.
func SignedNames(s *Signature) []string { return strings.Split(s.names, ";") }

// SignatureIn is the signature that stands in the request.
func SignatureIn(s *Signature) string { return hex.EncodeToString(s.signature[:]) }

// Target reads a request target.
func Target(target string) (string, []Param, error) { return parseTarget(target) }

// Kept is how many signing keys k keeps.
func Kept(k *Keys) int { return len(k.list()) }
