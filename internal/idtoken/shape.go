package idtoken

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses duplicate names at every depth
)

const (
	maxToken = 20000 // characters, as at AWS STS
	maxDepth = 8     // objects and arrays inside one another
	maxKid   = 256   // bytes
)

// Algorithms are those that may be accepted: asymmetric ones alone. Neither
// "none" nor HS256 and its kin can be configured.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.PS256, jose.ES256, jose.EdDSA,
	jose.RS384, jose.PS384, jose.ES384,
	jose.RS512, jose.PS512, jose.ES512,
}

// A parsed is a token of the right form. Nothing in it is believed.
type parsed struct {
	raw       string
	algorithm jose.SignatureAlgorithm
	kid       string // may be empty
	payload   []byte
	claims    members
}

// parse checks the form of a token and reads its two JSON objects, before any
// library sees it: one serialisation, one spelling, one meaning.
func parse(raw string) (*parsed, error) { return parseAs(raw, "JWT") }

// parseAs is parse for a token whose header calls it one of types, or nothing.
func parseAs(raw string, types ...string) (*parsed, error) {
	if len(raw) > maxToken {
		return nil, fault(Malformed, "the ID token has %d characters, more than %d", len(raw), maxToken)
	}
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		return nil, fault(Malformed, "the ID token is not in compact form: it has not three parts")
	}
	var decoded [3][]byte
	for i, s := range segments {
		// The decoder passes over line ends.
		b, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			return nil, fault(Malformed, "the ID token is not base64url without padding")
		}
		decoded[i] = b
	}
	header, err := object(decoded[0])
	if err != nil {
		return nil, fault(Malformed, "the header of the ID token is malformed: %v", err)
	}
	claims, err := object(decoded[1])
	if err != nil {
		return nil, fault(Malformed, "the claims of the ID token are malformed: %v", err)
	}
	t := &parsed{raw: raw, payload: decoded[1], claims: claims}
	if err := t.readHeader(header, types); err != nil {
		return nil, err
	}
	return t, nil
}

// readHeader takes what is needed from the header. What points to keys (jwk,
// jku, x5u, x5c) is not looked at.
func (t *parsed) readHeader(h members, types []string) error {
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if _, ok := h[name]; ok {
			return fault(Malformed, "the header of the ID token has %q, which is not supported", name)
		}
	}
	algorithm, ok := h["alg"].(string)
	if !ok {
		return fault(Malformed, "the header of the ID token names no algorithm")
	}
	t.algorithm = jose.SignatureAlgorithm(algorithm)
	if kid, ok := h["kid"]; ok {
		if t.kid, ok = kid.(string); !ok || len(t.kid) > maxKid {
			return fault(Malformed, "the key id in the header of the ID token is not a text of at most %d bytes", maxKid)
		}
	}
	if typ, ok := h["typ"]; ok {
		text, ok := typ.(string)
		if !ok || !contains(types, text) { // RFC 7515, section 4.1.9: of any case
			return fault(Type, "the token is not an ID token: its type is %.32q", fmt.Sprint(typ))
		}
	}
	return nil
}

// checkAlgorithm holds the algorithm against what is permitted; nil permits
// all that are supported.
func (t *parsed) checkAlgorithm(permitted []string) error {
	if !slices.Contains(algorithms, t.algorithm) || permitted != nil && !slices.Contains(permitted, string(t.algorithm)) {
		return fault(Algorithm, "the ID token is signed with algorithm %.16q, which is not accepted", t.algorithm)
	}
	return nil
}

// Members are those of a JSON object.
type members map[string]any

// object reads one JSON object in which no name stands twice, at any depth.
func object(data []byte) (members, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	if depth(data) > maxDepth {
		return nil, errors.New("it is nested too deeply")
	}
	var m members
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return nil, errors.New("it is not a JSON object whose names are unique")
	}
	return m, nil
}

// depth is how deeply data is nested, if it is JSON.
func depth(data []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
