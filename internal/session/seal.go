package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// The form of a token: prefix, then base64url of
// kid ‖ salt ‖ commitment ‖ nonce ‖ ciphertext ‖ tag.
const (
	version      = "g1"
	prefix       = version + "."
	kidSize      = 4
	saltSize     = 32
	rootSize     = 32
	keySize      = 32
	commitSize   = 32
	nonceSize    = 12
	tagSize      = 16
	headSize     = kidSize + saltSize + commitSize
	overhead     = headSize + nonceSize + tagSize
	accessLength = 30
	accessPrefix = "GM" // never AKIA or ASIA: scanners must not take it for a key of AWS
)

// One label for each purpose of a root key.
const (
	sealLabel   = "gimme/seal/v1|"    // then the deployment
	sakKeyLabel = "gimme/sak-key/v1|" // then the deployment
	sakLabel    = "gimme/sak/v1|"     // then the session's id
)

var (
	base64url = base64.RawURLEncoding.Strict()
	base32id  = base32.StdEncoding.WithPadding(base32.NoPadding)
)

// A root is one key of the key file, for one deployment.
type root struct {
	kid        [kidSize]byte
	name       string // the same, 8 hexadecimal digits
	secret     []byte // never used but to derive
	sakKey     []byte // from which secret access keys of sessions are derived
	serviceKey []byte // from which those of service keys are derived
	deployment string
}

func newRoot(kid [kidSize]byte, secret []byte, deployment string) (*root, error) {
	sakKey, err := hkdf.Key(sha256.New, secret, nil, sakKeyLabel+deployment, keySize)
	if err != nil {
		return nil, err
	}
	serviceKey, err := hkdf.Key(sha256.New, secret, nil, serviceKeyLabel+deployment, keySize)
	if err != nil {
		return nil, err
	}
	return &root{kid, hex.EncodeToString(kid[:]), secret, sakKey, serviceKey, deployment}, nil
}

// accessKeyID names the session of that id: the prefix, two characters of the
// key's id, and the session's id; 30 characters.
func (r *root) accessKeyID(id [16]byte) string {
	b := make([]byte, 0, accessLength)
	b = append(b, accessPrefix...)
	b = base32id.AppendEncode(b, r.kid[:])[:len(accessPrefix)+2]
	return string(base32id.AppendEncode(b, id[:]))
}

// secretAccessKey is the key with which the session of that id signs; 40
// characters. It cannot be computed from a token.
func (r *root) secretAccessKey(id [16]byte) (string, error) {
	key, err := hkdf.Expand(sha256.New, r.sakKey, sakLabel+string(id[:]), 30)
	return base64.StdEncoding.EncodeToString(key), err
}

// derive gives the key and the commitment of one token. label says what it is
// for.
func (r *root) derive(label string, salt []byte) (key, commitment []byte, err error) {
	okm, err := hkdf.Key(sha256.New, r.secret, salt, label+r.deployment, keySize+commitSize)
	if err != nil {
		return nil, nil, err
	}
	return okm[:keySize], okm[keySize:], nil
}

// associated is what the seal covers beside the claims. The parts cannot run
// into one another: all but the deployment have a fixed length.
func (r *root) associated(accessKeyID string) []byte {
	return []byte(version + string(r.kid[:]) + r.deployment + accessKeyID)
}

// An aead makes a cipher that puts a nonce of its own before what it seals.
// It is cipher.NewGCMWithRandomNonce, and in the making of test vectors one
// whose nonce is known.
type aead func(cipher.Block) (cipher.AEAD, error)

func (r *root) aead(key []byte, mode aead) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return mode(block)
}

// seal makes the token of plain. A salt is used once.
func (r *root) seal(salt, plain []byte, accessKeyID string, mode aead) (string, error) {
	sealed, err := r.sealBytes(sealLabel, salt, plain, r.associated(accessKeyID), mode)
	return prefix + base64url.EncodeToString(sealed), err
}

func (r *root) sealBytes(label string, salt, plain, associated []byte, mode aead) ([]byte, error) {
	key, commitment, err := r.derive(label, salt)
	if err != nil {
		return nil, err
	}
	gcm, err := r.aead(key, mode)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 0, overhead+len(plain))
	sealed = append(append(append(sealed, r.kid[:]...), salt...), commitment...)
	return gcm.Seal(sealed, nil, plain, associated), nil
}

// unseal gives the plaintext of sealed, the decoded token, or false. The
// commitment is compared before anything is decrypted, so that a token opens
// under one key alone.
func (r *root) unseal(label string, sealed, associated []byte) ([]byte, bool) {
	salt, commitment := sealed[kidSize:kidSize+saltSize], sealed[kidSize+saltSize:headSize]
	key, want, err := r.derive(label, salt)
	if err != nil || subtle.ConstantTimeCompare(commitment, want) != 1 {
		return nil, false
	}
	gcm, err := r.aead(key, cipher.NewGCMWithRandomNonce)
	if err != nil {
		return nil, false
	}
	plain, err := gcm.Open(nil, nil, sealed[headSize:], associated)
	return plain, err == nil
}

// parse decodes a session token.
func parse(token string) ([]byte, bool) { return parseSealed(prefix, token) }

// parseSealed decodes a token, or says that it is not of this version, not within
// the limits or not in the one spelling that its bytes have.
func parseSealed(prefix, token string) ([]byte, bool) {
	body, ok := strings.CutPrefix(token, prefix)
	// The decoder passes over line ends.
	if !ok || len(token) > MaxToken || strings.Contains(body, "\n") || strings.Contains(body, "\r") {
		return nil, false
	}
	sealed, err := base64url.DecodeString(body)
	return sealed, err == nil && len(sealed) > overhead
}
