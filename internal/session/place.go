package session

import (
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
)

// Places in listings are sealed under a label of their own, so that none is ever
// taken for a session.
const (
	placeVersion = "l1"
	placePrefix  = placeVersion + "."
	placeLabel   = "gimme/listing/v1|" // then the deployment
)

// SealPlace seals a place in a listing, which the client carries and must not
// read. context says whose place in which listing it is. It fails if the token
// would have more than MaxToken characters.
func (k *Keyring) SealPlace(place, context []byte) (string, error) {
	sealed, err := k.active.sealBytes(placeLabel, random(saltSize), place, k.active.placeAssociated(context), cipher.NewGCMWithRandomNonce)
	if err != nil {
		return "", err
	}
	token := placePrefix + base64url.EncodeToString(sealed)
	if len(token) > MaxToken {
		return "", fmt.Errorf("the token of a place of %d bytes would have %d characters, more than %d", len(place), len(token), MaxToken)
	}
	return token, nil
}

// OpenPlace gives the place that this keyring sealed in that context. The one
// error is ErrInvalid.
func (k *Keyring) OpenPlace(token string, context []byte) ([]byte, error) {
	sealed, ok := parseSealed(placePrefix, token)
	if !ok {
		return nil, ErrInvalid
	}
	r, known := k.rootOf(sealed)
	place, ok := r.unseal(placeLabel, sealed, r.placeAssociated(context))
	if !ok || !known {
		return nil, ErrInvalid
	}
	return place, nil
}

// placeAssociated is what the seal covers beside the place. All but the
// deployment has a fixed length.
func (r *root) placeAssociated(context []byte) []byte {
	sum := sha256.Sum256(context)
	return []byte(placeVersion + string(r.kid[:]) + r.deployment + string(sum[:]))
}
