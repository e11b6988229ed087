package idtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	maxKeySet    = 256 << 10 // bytes
	maxKeys      = 64
	minRSA       = 2048 // bits
	maxRSA       = 8192 // bits; what is larger costs too much to verify
	minExponent  = 65537
	keysAreFresh = 15 * time.Minute // then they are fetched again when next needed
	keysAreGood  = 24 * time.Hour   // then they are no longer used, if they cannot be fetched
	fetchPause   = 30 * time.Second // between two fetches, also for key ids that are unknown
	emptyPause   = 5 * time.Second  // the same, while there are no keys at all
	fetchTimeout = 15 * time.Second
)

// A key of a provider, fit to verify ID tokens.
type key struct {
	kid       string
	algorithm jose.SignatureAlgorithm // the one it is for; empty: any of its type
	public    crypto.PublicKey
}

// A keySet is the keys of one issuer. A key id that is unknown makes it fetch
// them again, at most once in fetchPause, however many such tokens come. When
// they cannot be fetched, or none of those fetched is usable, the old ones stay.
type keySet struct {
	client *http.Client
	uri    string
	issuer string
	flight singleflight.Group

	mu       sync.Mutex // guards what follows
	keys     []key
	fetched  time.Time // when keys arrived
	tried    time.Time // when they were last asked for
	fetching bool      // they are being asked for
	failure  error     // of the last fetch
}

// find returns the keys that may have signed a token with that key id and
// algorithm. There is one, unless the provider gives several keys one id.
func (s *keySet) find(ctx context.Context, kid string, algorithm jose.SignatureAlgorithm) ([]key, error) {
	keys, err := s.current(ctx, func(keys []key) bool { return len(match(keys, kid, algorithm)) > 0 })
	if err != nil {
		return nil, err
	}
	found := match(keys, kid, algorithm)
	if len(found) == 0 && kid == "" {
		return nil, fault(Signature, "the ID token does not say with which of the %d keys of issuer %s it is signed", len(keys), s.issuer)
	}
	if len(found) == 0 {
		return nil, fault(Signature, "issuer %s has no key %.64q for algorithm %s", s.issuer, kid, algorithm)
	}
	return found, nil
}

func match(keys []key, kid string, algorithm jose.SignatureAlgorithm) []key {
	if kid == "" && len(keys) != 1 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k key) bool { return kid != "" && k.kid != kid || !k.fits(algorithm) })
}

// current returns the keys, fetched anew if they are old or not enough.
func (s *keySet) current(ctx context.Context, enough func([]key) bool) ([]key, error) {
	keys, due := s.look(enough)
	if due {
		// Not under ctx: others wait for the same fetch.
		done := s.flight.DoChan("", func() (any, error) {
			s.fetch(context.WithoutCancel(ctx), enough)
			return nil, nil
		})
		select {
		case <-done:
		case <-ctx.Done():
			return nil, fault(Communication, "the keys of issuer %s were not fetched in time: %v", s.issuer, ctx.Err())
		}
		keys, _ = s.look(enough)
	}
	if len(keys) == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, fault(Communication, "the keys of issuer %s cannot be read: %v", s.issuer, s.failure)
	}
	return keys, nil
}

// look returns the keys that are good, and whether it is time to fetch them, or
// to wait for those that are on their way.
func (s *keySet) look(enough func([]key) bool) (keys []key, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := emptyPause
	if age := time.Since(s.fetched); age < keysAreGood {
		keys, pause = s.keys, fetchPause
		if age < keysAreFresh && enough(keys) {
			return keys, false
		}
	}
	return keys, s.fetching && !enough(keys) || time.Since(s.tried) >= pause
}

// fetch asks the provider for its keys, unless someone just did.
func (s *keySet) fetch(ctx context.Context, enough func([]key) bool) {
	if _, due := s.look(enough); !due {
		return
	}
	s.mu.Lock()
	s.tried, s.fetching = time.Now(), true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	data, err := getJSON(ctx, s.client, s.uri, maxKeySet)
	var keys []key
	if err == nil {
		keys, err = parseKeys(data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetching = false
	if s.failure = err; err == nil {
		s.keys, s.fetched = keys, time.Now()
	}
}

// parseKeys reads a JSON Web Key Set (RFC 7517). Keys that are of no use here
// are passed over, as section 5 wants it; a set without any that is of use is
// an error.
func parseKeys(data []byte) ([]key, error) {
	document, err := object(data)
	if err != nil {
		return nil, err
	}
	list, ok := document["keys"].([]any)
	if !ok {
		return nil, errors.New("it has no list of keys")
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, more than %d", len(list), maxKeys)
	}
	var keys []key
	for _, entry := range list {
		if k, ok := parseKey(entry); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key that can be used")
	}
	return keys, nil
}

func parseKey(entry any) (key, bool) {
	m, ok := entry.(map[string]any)
	if !ok || !forSignatures(m) {
		return key{}, false
	}
	data, err := json.Marshal(m)
	if err != nil {
		return key{}, false
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(data); err != nil || !k.IsPublic() || len(k.KeyID) > maxKid {
		return key{}, false
	}
	switch p := k.Key.(type) {
	case *rsa.PublicKey:
		ok = p.N.BitLen() >= minRSA && p.N.BitLen() <= maxRSA && p.E >= minExponent && p.E%2 == 1
	case *ecdsa.PublicKey, ed25519.PublicKey: // go-jose has seen that the point is on its curve
	default:
		ok = false
	}
	return key{k.KeyID, jose.SignatureAlgorithm(k.Algorithm), k.Key}, ok
}

// forSignatures says whether use and key_ops let the key verify, where they are
// given. RFC 7517, sections 4.2 and 4.3.
func forSignatures(m map[string]any) bool {
	if use, there := m["use"]; there && use != "sig" {
		return false
	}
	operations, there := m["key_ops"]
	list, ok := operations.([]any)
	return !there || ok && slices.Contains(list, any("verify"))
}

// fits says whether the key may verify signatures of that algorithm.
func (k *key) fits(algorithm jose.SignatureAlgorithm) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch p := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(string(algorithm), "RS") || strings.HasPrefix(string(algorithm), "PS")
	case *ecdsa.PublicKey:
		return curves[algorithm] == p.Curve
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	}
	return false
}

var curves = map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()}
