package session

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// A Keyring seals with the active key of a key file and opens with all of
// them. It never changes, and is safe for concurrent use.
type Keyring struct {
	active *root
	roots  map[[kidSize]byte]*root
	decoy  *root // stands in for keys that are not there, so that their absence takes as long
}

// newKeyring makes a keyring of entries, of which exactly one is active.
func newKeyring(entries []entry, deployment string) (*Keyring, error) {
	k := &Keyring{roots: make(map[[kidSize]byte]*root, len(entries))}
	for _, e := range entries {
		r, err := newRoot(e.kid, e.secret, deployment)
		if err != nil {
			return nil, err
		}
		k.roots[e.kid] = r
		if e.state == active {
			k.active = r
		}
	}
	var err error
	k.decoy, err = newRoot([kidSize]byte{}, random(rootSize), deployment)
	return k, err
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// Active is the id of the key that seals, 8 hexadecimal digits.
func (k *Keyring) Active() string { return k.active.name }

// Issue seals c under the active key. It makes an id if c has none, and keeps
// the times in whole seconds, rounded down. It refuses what is no session (no
// issuer, subject or role; an expiry that is not after the issue) and what
// would make a token of more than MaxToken characters; the error says why, and
// is fit for the person who asks.
func (k *Keyring) Issue(c Claims) (Credentials, error) {
	if c.ID == [16]byte{} {
		c.ID = [16]byte(random(16))
	}
	return k.issue(c, random(saltSize), cipher.NewGCMWithRandomNonce)
}

func (k *Keyring) issue(c Claims, salt []byte, mode aead) (Credentials, error) {
	plain, err := c.encode()
	if err != nil {
		return Credentials{}, err
	}
	if n := len(prefix) + base64url.EncodedLen(overhead+len(plain)); n > MaxToken {
		why := fmt.Sprintf("%d groups take %d bytes of it", len(c.Groups), sizeOf(c.Groups))
		if c.Upstream != nil {
			why += fmt.Sprintf(", and the upstream's credentials %d", sizeOf(c.upstream()))
		}
		return Credentials{}, fmt.Errorf("the session token would have %d characters, more than the %d that clients and servers carry reliably; %s", n, MaxToken, why)
	}
	accessKeyID := k.active.accessKeyID(c.ID)
	secretKey, err := k.active.secretAccessKey(c.ID)
	if err != nil {
		return Credentials{}, err
	}
	token, err := k.active.seal(salt, plain, accessKeyID, mode)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{
		AccessKeyID:     accessKeyID,
		SecretAccessKey: secret.New(secretKey),
		SessionToken:    secret.New(token),
		Expires:         time.Unix(c.Expires.Unix(), 0).UTC(),
		ID:              base64.RawURLEncoding.EncodeToString(c.ID[:]),
	}, nil
}

// Open gives the session of token, if this keyring sealed it for accessKeyID
// and this deployment. Whether it has expired, Session.Expired says. The one
// error is ErrInvalid, and it takes as long whether the key is unknown, the
// deployment another or the seal broken.
func (k *Keyring) Open(token, accessKeyID string) (*Session, error) {
	sealed, ok := parse(token)
	if !ok {
		return nil, ErrInvalid
	}
	r, known := k.rootOf(sealed)
	plain, ok := r.unseal(sealLabel, sealed, r.associated(accessKeyID))
	if !ok || !known {
		return nil, ErrInvalid
	}
	c, err := decode(plain)
	if err != nil || subtle.ConstantTimeCompare([]byte(r.accessKeyID(c.ID)), []byte(accessKeyID)) != 1 {
		return nil, ErrInvalid
	}
	secretKey, err := r.secretAccessKey(c.ID)
	if err != nil {
		return nil, ErrInvalid
	}
	return &Session{Claims: c, Key: r.name, SecretAccessKey: secret.New(secretKey)}, nil
}

// rootOf is the key that a token names, or one that opens nothing.
func (k *Keyring) rootOf(sealed []byte) (r *root, known bool) {
	if r, known = k.roots[[kidSize]byte(sealed)]; !known {
		r = k.decoy
	}
	return r, known
}
