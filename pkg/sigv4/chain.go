package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
)

// A link is where the chain of a body's chunk signatures begins: with the
// request's own signature.
type link struct {
	key   []byte // that the request was signed with
	scope string // "\n", time, "\n", scope, "\n"
	seed  [sha256.Size]byte
}

// A chain verifies the signatures of chunks, each of which is over the one
// before and the chunk's data.
type chain struct {
	mac      hash.Hash
	data     hash.Hash // of the present chunk
	payload  text
	trailer  text
	previous [sha256.Size]byte
	claimed  [sha256.Size]byte // what the present chunk says its signature is
	sum      [sha256.Size]byte
	hex      [2 * sha256.Size]byte
}

// A text is what is signed of a chunk of some kind, before the signature of the
// one before and after it. It is kept so that a chunk allocates nothing.
type text struct{ before, after []byte }

func newChain(l *link) *chain {
	return &chain{
		mac: hmac.New(sha256.New, l.key), data: sha256.New(), previous: l.seed,
		payload: text{[]byte("AWS4-HMAC-SHA256-" + chunkOfData + l.scope), []byte("\n" + emptyDigest + "\n")},
		trailer: text{[]byte("AWS4-HMAC-SHA256-" + chunkOfTrailer + l.scope), []byte("\n")},
	}
}

// begin starts a chunk that says what its signature is, in lower-case hex.
func (c *chain) begin(signature []byte) bool {
	for _, d := range signature {
		if 'A' <= d && d <= 'F' {
			return false
		}
	}
	if len(signature) != len(c.hex) {
		return false
	}
	c.data.Reset()
	_, err := hex.Decode(c.claimed[:], signature)
	return err == nil
}

// end verifies the chunk whose data was written since begin. kind is "PAYLOAD"
// or "TRAILER".
func (c *chain) end(kind string) bool {
	signed := c.payload
	if kind == chunkOfTrailer {
		signed = c.trailer
	}
	c.mac.Reset()
	c.mac.Write(signed.before)
	c.writeHex(c.previous[:])
	c.mac.Write(signed.after)
	c.writeHex(c.data.Sum(c.sum[:0]))
	c.previous = [sha256.Size]byte(c.mac.Sum(c.sum[:0]))
	return subtle.ConstantTimeCompare(c.previous[:], c.claimed[:]) == 1
}

const (
	chunkOfData    = "PAYLOAD"
	chunkOfTrailer = "TRAILER"
)

func (c *chain) writeHex(b []byte) {
	hex.Encode(c.hex[:], b)
	c.mac.Write(c.hex[:])
}
