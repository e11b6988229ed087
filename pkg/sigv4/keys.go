package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// keysKept is how many signing keys a Keys holds. A client signs for one region,
// or for a few.
const keysKept = 4

// Keys keeps the signing keys that were last derived from a secret access key,
// each of which serves one day, region and service, so that a request does not
// derive them anew. Whoever holds a secret for more than one request holds a
// Keys beside it. The zero value is ready for use, and a nil *Keys keeps nothing.
// It is safe for concurrent use.
//
// What it keeps are keys, and never an answer: every signature is computed.
type Keys struct {
	kept atomic.Pointer[[]*signingKey] // the newest first; replaced, never changed
}

// of gives the signing key for t, kept or derived.
func (k *Keys) of(secret, region, service string, t time.Time) *signingKey {
	var buf [len(dayFormat)]byte
	day := t.AppendFormat(buf[:0], dayFormat)
	for _, key := range k.list() {
		if key.day == string(day) && key.region == region && key.service == service && key.secret == secret {
			return key
		}
	}
	return newSigningKey(secret, string(day), region, service)
}

func (k *Keys) list() []*signingKey {
	if k == nil {
		return nil
	}
	if kept := k.kept.Load(); kept != nil {
		return *kept
	}
	return nil
}

// keep has key found again. Of several that are kept at once some may be
// forgotten, which costs their derivation.
func (k *Keys) keep(key *signingKey) {
	if k == nil || slices.Contains(k.list(), key) {
		return
	}
	before := k.kept.Load()
	kept := append(make([]*signingKey, 0, keysKept), key)
	if before != nil {
		kept = append(kept, (*before)[:min(len(*before), keysKept-1)]...)
	}
	k.kept.CompareAndSwap(before, &kept)
}

// A signingKey signs for one day, region and service.
type signingKey struct {
	secret, day, region, service string
	key                          []byte

	mu   sync.Mutex // guards what a signature is made with, which is kept so that none allocates
	mac  hash.Hash
	used bool
	text []byte
}

// newSigningKey derives the key. day is that of UTC.
func newSigningKey(secret, day, region, service string) *signingKey {
	k := &signingKey{secret: secret, day: day, region: region, service: service, text: make([]byte, 0, 192)}
	k.key = append(append(make([]byte, 0, 64), "AWS4"...), secret...)
	for _, part := range [...]string{day, region, service, terminal} {
		mac := hmac.New(sha256.New, k.key)
		k.text = append(k.text[:0], part...)
		mac.Write(k.text)
		k.key = mac.Sum(k.key[:0])
	}
	k.mac = hmac.New(sha256.New, k.key)
	return k
}

// sign gives the signature of a canonical request.
func (k *signingKey) sign(t time.Time, canonical []byte) [sha256.Size]byte {
	sum := sha256.Sum256(canonical)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.used { // what is signed with once does without
		k.mac.Reset()
	}
	k.used = true
	k.text = append(k.text[:0], algorithm...)
	k.text = k.appendScope(k.text, t)
	k.text = hex.AppendEncode(k.text, sum[:])
	k.mac.Write(k.text)
	return [sha256.Size]byte(k.mac.Sum(k.text[:0]))
}

// appendScope appends the lines of what is signed that say when and for what.
func (k *signingKey) appendScope(b []byte, t time.Time) []byte {
	b = append(b, '\n')
	b = t.AppendFormat(b, isoFormat)
	b = append(b, '\n')
	b = k.appendPlace(b)
	return append(b, '\n')
}

// appendPlace appends the scope: day, region and service.
func (k *signingKey) appendPlace(b []byte) []byte {
	for _, part := range []string{k.day, k.region, k.service} {
		b = append(b, part...)
		b = append(b, '/')
	}
	return append(b, terminal...)
}
