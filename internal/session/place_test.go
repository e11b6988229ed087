package session_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/session"
)

// A place opens for whoever holds the same key, in the context that it was sealed
// in, and nowhere else.
func TestPlaces(t *testing.T) {
	const (
		one  = "active 3f9a1c07 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQI=\n"
		next = "verify 3f9a1c07 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQI=\nactive 00000001 AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgE=\n"
		gone = "active 00000001 AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgE=\n"
	)
	k := keyring(t, one, "d")
	token, err := k.SealPlace([]byte("customers/hidden"), []byte("alice's"))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := k.SealPlace([]byte("customers/hidden"), []byte("alice's")); again == token {
		t.Error("two tokens of one place are the same")
	}
	if !strings.HasPrefix(token, "l1.") || strings.Contains(token, "hidden") {
		t.Errorf("the token is %q", token)
	}
	for name, k := range map[string]*session.Keyring{"the same": k, "another replica's": keyring(t, one, "d"), "once the key was changed": keyring(t, next, "d")} {
		if place, err := k.OpenPlace(token, []byte("alice's")); err != nil || string(place) != "customers/hidden" {
			t.Errorf("%s: %q, %v", name, place, err)
		}
	}
	refuse := func(name string, k *session.Keyring, token, context string) {
		t.Helper()
		if place, err := k.OpenPlace(token, []byte(context)); !errors.Is(err, session.ErrInvalid) || place != nil {
			t.Errorf("%s: %q, %v", name, place, err)
		}
	}
	refuse("another context", k, token, "bob's")
	refuse("another deployment", keyring(t, one, "e"), token, "alice's")
	refuse("another key", keyring(t, gone, "d"), token, "alice's")
	refuse("none", k, "", "alice's")
	refuse("not of this version", k, "l2"+token[2:], "alice's")
	refuse("a session's", k, "g1"+token[2:], "alice's")
	for i := range len(token) {
		changed := []byte(token)
		changed[i] ^= 1
		refuse("changed", k, string(changed), "alice's")
		refuse("cut", k, token[:i], "alice's")
	}
	if _, err := k.Open("g1"+token[2:], "GMH6AAAAAAAAAAAAAAAAAAAAAAAAAA"); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("a place opens as a session: %v", err)
	}
	if _, err := k.SealPlace(bytes.Repeat([]byte("x"), 3000), nil); err == nil {
		t.Error("a token of more than 4,096 characters is made")
	}
	if token, err := k.SealPlace(bytes.Repeat([]byte("x"), 2900), nil); err != nil || len(token) > session.MaxToken {
		t.Errorf("%d characters, %v", len(token), err)
	}
}
