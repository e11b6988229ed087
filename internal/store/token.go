package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Rest says where a refresh token rests.
type Rest struct {
	Place string // "the OS keyring (Secret Service)", or the path of a file
	Why   string // why not the keyring; empty where it is
	First bool   // nobody on this machine was told so far
}

// slotData is the file that every refresh token has: the token itself, or that
// it is in the keyring. Replacing this one file is what makes a token the one
// that counts; whatever else the keyring may have does not.
type slotData struct {
	Keyring bool   `json:"keyring"`
	Token   string `json:"token,omitempty"`
	Remains bool   `json:"remains,omitempty"` // the keyring may have an older one
}

// entry is the name of key in the keyring, which all folders of a person
// share.
func (s *Store) entry(key string) string { return Key("refresh token", s.folder, key) }

// RefreshToken returns the one of key, or the empty one where there is none.
// It never waits longer than 3 seconds. An error says that there is one which
// cannot be had now.
func (s *Store) RefreshToken(ctx context.Context, key string) (secret.Text, error) {
	slot, err := read[slotData](s, tokensRoom, key)
	switch {
	case err != nil || slot == nil:
		return secret.Text{}, err
	case !slot.Keyring:
		return secret.New(slot.Token), nil
	}
	t, err := s.ring.get(ctx, s.entry(key))
	if err != nil {
		return secret.Text{}, fmt.Errorf("the refresh token is in %s: %w", s.ring.place(), err)
	}
	return t, nil
}

// PutRefreshToken stores t in the place of the one of key, in the keyring, or
// in a file where there is none that would have it. The one before stays until
// then. It waits 3 seconds for the keyring, also when ctx has ended: a token
// that was rotated is lost if it is not stored.
func (s *Store) PutRefreshToken(ctx context.Context, key string, t secret.Text) (Rest, error) {
	if t.Empty() {
		return Rest{}, errors.New("there is no refresh token to store")
	}
	ctx = context.WithoutCancel(ctx)
	before, err := read[slotData](s, tokensRoom, key)
	if err != nil {
		return Rest{}, err
	}
	path, err := s.path(tokensRoom, key)
	if err != nil {
		return Rest{}, err
	}
	if err := s.room(tokensRoom); err != nil {
		return Rest{}, err
	}
	why := error(errPlain)
	if !s.plain {
		why = s.ring.set(ctx, s.entry(key), t)
	}
	if why == nil {
		return Rest{Place: s.ring.place()}, write(s, tokensRoom, key, slotData{Keyring: true})
	}
	slot := slotData{Token: t.Reveal()}
	slot.Remains = before != nil && (before.Keyring || before.Remains) || why == errSilent || why == errForgot
	if err := write(s, tokensRoom, key, slot); err != nil {
		return Rest{}, err
	}
	if slot.Remains && s.ring.drop(ctx, s.entry(key)) == nil {
		slot.Remains = false
		if err := write(s, tokensRoom, key, slot); err != nil {
			return Rest{}, err
		}
	}
	return Rest{Place: path, Why: why.Error(), First: s.first(why)}, nil
}

// DropRefreshToken takes the one of key away, wherever it is, if there is one.
// It waits 3 seconds for the keyring. An error says that one may still be
// there; gimme uses it no more.
func (s *Store) DropRefreshToken(ctx context.Context, key string) error {
	slot, err := read[slotData](s, tokensRoom, key)
	if err != nil {
		return err
	}
	inside := slot != nil && (slot.Keyring || slot.Remains)
	if err := s.drop(tokensRoom, key); err != nil {
		return err
	}
	if s.plain && !inside {
		return nil
	}
	// Asked also where nothing is known to be there: the file may have
	// been lost.
	if err := s.ring.drop(ctx, s.entry(key)); err != nil && inside {
		return fmt.Errorf("take the refresh token out of %s: %w", s.ring.place(), err)
	}
	return nil
}

// Places say where everything rests, for people.
type Places struct {
	Folder string // of the credentials, logins and locks
	Tokens Rest   // where a refresh token would go now; a folder where it is no keyring
}

// Where says where everything rests. It waits 3 seconds for the keyring, and
// leaves no trace.
func (s *Store) Where(ctx context.Context) Places {
	why := error(errPlain)
	if !s.plain {
		_, why = s.ring.get(ctx, Key("probe"))
	}
	if why == nil {
		return Places{s.folder, Rest{Place: s.ring.place()}}
	}
	return Places{s.folder, Rest{Place: filepath.Join(s.folder, tokensRoom), Why: why.Error()}}
}

// first says whether this is the first time that a file is used for this
// reason, and notes that it was said.
func (s *Store) first(why error) bool {
	kind := "other"
	if t, ok := errors.AsType[*trouble](why); ok {
		kind = t.kind
	}
	path, err := s.path(noticesRoom, kind)
	if err != nil || s.room(noticesRoom) != nil {
		return true
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return !errors.Is(err, fs.ErrExist)
	}
	return f.Close() == nil
}
