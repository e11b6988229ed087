package session

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/gimme-broker/gimme/internal/secret"
)

// servicePrefix is what access key ids of services begin with, so that nothing
// takes one for a session's.
const servicePrefix = "GS"

// Labels of their own, so that no session and no service have the same secret.
const (
	serviceKeyLabel = "gimme/service-key/v1|" // then the deployment
	serviceLabel    = "gimme/service/v1|"     // then the id
)

var (
	// ErrServiceKeyID says that a text is not the access key id of a service.
	ErrServiceKeyID = errors.New("not the access key id of a service key, which gimme proxy service-key new makes: GS and 28 of the letters A to Z and the digits 2 to 7")

	// ErrRootGone says that the key of which a service key is derived is not in
	// the key file.
	ErrRootGone = errors.New("the key that it is derived from is not in the key file")
)

// NewServiceKeyID makes the access key id of a new service key. It names the
// active key of the key file, of which its secret is derived: when that key is
// removed from the file, the service key is dead.
func (k *Keyring) NewServiceKeyID() string {
	return serviceKeyID(append(k.active.kid[:], random(16-kidSize)...))
}

// serviceKeyID is the prefix, two characters of the key's id as in the access
// key ids of sessions, and the id: that of the key and 12 random bytes.
func serviceKeyID(id []byte) string {
	return servicePrefix + base32id.EncodeToString(id[:kidSize])[:2] + base32id.EncodeToString(id)
}

// parseServiceKeyID takes what serviceKeyID makes, and nothing else.
func parseServiceKeyID(accessKeyID string) (id [16]byte, err error) {
	if len(accessKeyID) != 30 || !strings.HasPrefix(accessKeyID, servicePrefix) {
		return id, ErrServiceKeyID
	}
	b, err := base32id.DecodeString(accessKeyID[4:])
	if err != nil || len(b) != len(id) || serviceKeyID(b) != accessKeyID {
		return id, ErrServiceKeyID
	}
	return [16]byte(b), nil
}

// RootOfServiceKey is the id of the key of the key file that a service key is
// derived from, as 8 hexadecimal digits. The error is ErrServiceKeyID.
func RootOfServiceKey(accessKeyID string) (string, error) {
	id, err := parseServiceKeyID(accessKeyID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", id[:kidSize]), nil
}

// IDOf gives the id of the session that an access key id names. What names no
// session is given back as it is.
func IDOf(accessKeyID string) string {
	if len(accessKeyID) != 30 || !strings.HasPrefix(accessKeyID, accessPrefix) {
		return accessKeyID
	}
	id, err := base32id.DecodeString(accessKeyID[4:])
	if err != nil || base32id.EncodeToString(id) != accessKeyID[4:] {
		return accessKeyID
	}
	return base64url.EncodeToString(id)
}

// ServiceSecret derives the secret access key of a service key. The errors are
// ErrServiceKeyID and ErrRootGone; either takes as long as a secret does. That
// it gives a secret does not say that the key is good for anything: whether it
// stands in the configuration is for the caller to ask.
func (k *Keyring) ServiceSecret(accessKeyID string) (secret.Text, error) {
	id, fault := parseServiceKeyID(accessKeyID)
	r, known := k.roots[[kidSize]byte(id[:])]
	if !known {
		r = k.decoy
	}
	key, err := hkdf.Expand(sha256.New, r.serviceKey, serviceLabel+string(id[:]), 30)
	switch {
	case fault != nil:
		return secret.Text{}, fault
	case err != nil:
		return secret.Text{}, err
	case !known:
		return secret.Text{}, ErrRootGone
	}
	return secret.New(base64.StdEncoding.EncodeToString(key)), nil
}
