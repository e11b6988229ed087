package session

import (
	"crypto/cipher"
)

// ParseKeyring makes a keyring of the text of a key file.
func ParseKeyring(file, deployment string) (*Keyring, error) {
	entries, err := parseKeyFile([]byte(file))
	if err != nil {
		return nil, err
	}
	return newKeyring(entries, deployment)
}

// fixedNonce is GCM with a nonce that is known, for vectors.
type fixedNonce struct {
	cipher.AEAD
	nonce []byte
}

func (f fixedNonce) Seal(dst, _, plain, associated []byte) []byte {
	return f.AEAD.Seal(append(dst, f.nonce...), f.nonce, plain, associated)
}

func withNonce(nonce []byte) aead {
	return func(b cipher.Block) (cipher.AEAD, error) {
		gcm, err := cipher.NewGCM(b)
		return fixedNonce{gcm, nonce}, err
	}
}

// IssueWith is Issue with a salt and a nonce that are known.
func (k *Keyring) IssueWith(c Claims, salt, nonce []byte) (Credentials, error) {
	return k.issue(c, salt, withNonce(nonce))
}

// SealPlain seals any plaintext for any access key id under the active key.
func (k *Keyring) SealPlain(plain, salt, nonce []byte, accessKeyID string) string {
	token, err := k.active.seal(salt, plain, accessKeyID, withNonce(nonce))
	if err != nil {
		panic(err)
	}
	return token
}

// AccessKeyID is that of the active key for the session of that id.
func (k *Keyring) AccessKeyID(id [16]byte) string { return k.active.accessKeyID(id) }

// Derive gives key and commitment of the active key.
func (k *Keyring) Derive(salt []byte) (key, commitment []byte) {
	key, commitment, err := k.active.derive(sealLabel, salt)
	if err != nil {
		panic(err)
	}
	return key, commitment
}

// Encode gives the plaintext of c.
func Encode(c Claims) ([]byte, error) { return c.encode() }

// Decode is its inverse.
func Decode(plain []byte) (Claims, error) { return decode(plain) }
