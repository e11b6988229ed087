package store

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/gimme-broker/gimme/internal/secret"
)

// A Keyring keeps small secrets for one person. Its methods may hang: the
// store waits for none of them for long, and never calls two at once.
type Keyring interface {
	// Name says what it is, to people: "Secret Service".
	Name() string
	// Get returns the secret of an entry, or ErrNoEntry.
	Get(entry string) (secret.Text, error)
	// Set makes or replaces an entry.
	Set(entry string, t secret.Text) error
	// Delete takes an entry away, or returns ErrNoEntry.
	Delete(entry string) error
}

// ErrNoEntry says that a keyring works and has no such entry.
var ErrNoEntry = errors.New("no such entry in the keyring")

// bound is how long the keyring is waited for, whatever is wanted of it.
const bound = 3 * time.Second

// A trouble is why a keyring is of no use. The kind is what people are told
// about once; the rest may differ each time.
type trouble struct{ kind, why string }

func (t *trouble) Error() string { return t.why }

// The troubles that there are, besides a keyring that refuses.
var (
	errPlain  = &trouble{"plain", "token_store says so"}
	errNoBus  = &trouble{"no-bus", "there is no D-Bus session here, so no keyring"}
	errLocked = &trouble{"locked", "the keyring is locked"}
	errSilent = &trouble{"silent", "the keyring did not answer within 3s"}
	errLarge  = &trouble{"large", "the refresh token is too large for the keyring"}
	errForgot = &trouble{"forgot", "the keyring did not keep it"}
	errKept   = &trouble{"kept", "the keyring did not let it go"}
)

// A guard calls a keyring, and comes back in time.
type guard struct {
	ring   Keyring
	turn   chan struct{} // held by the call that is under way, if need be after its caller has left
	silent atomic.Bool   // it did not answer once: this process waits no second time
}

func newGuard(ring Keyring) *guard { return &guard{ring: ring, turn: make(chan struct{}, 1)} }

// place is the keyring as people are told.
func (g *guard) place() string { return "the OS keyring (" + g.ring.Name() + ")" }

// get returns the secret of an entry, or the empty one.
func (g *guard) get(ctx context.Context, entry string) (secret.Text, error) {
	found := make(chan secret.Text, 1)
	err := g.call(ctx, secret.Text{}, func() error {
		t, err := g.ring.Get(entry)
		found <- t
		return err
	})
	if errors.Is(err, ErrNoEntry) {
		return secret.Text{}, nil
	}
	if err != nil {
		return secret.Text{}, err
	}
	return <-found, nil
}

// set stores t, and looks whether it is there: a prompt that the person sent
// away is no error to some keyrings.
func (g *guard) set(ctx context.Context, entry string, t secret.Text) error {
	return g.call(ctx, t, func() error {
		if err := g.ring.Set(entry, t); err != nil {
			return err
		}
		if kept, err := g.ring.Get(entry); err != nil || !kept.Equal(t) {
			return errForgot
		}
		return nil
	})
}

// drop takes an entry away, and looks whether it is gone.
func (g *guard) drop(ctx context.Context, entry string) error {
	return g.call(ctx, secret.Text{}, func() error {
		err := g.ring.Delete(entry)
		if errors.Is(err, ErrNoEntry) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := g.ring.Get(entry); !errors.Is(err, ErrNoEntry) {
			return errKept
		}
		return nil
	})
}

// call runs f, which may have to be left behind. Its errors are nil,
// ErrNoEntry, a trouble or that of ctx; t stands in none of them.
func (g *guard) call(ctx context.Context, t secret.Text, f func() error) error {
	if g.silent.Load() {
		return errSilent
	}
	limit := time.NewTimer(bound)
	defer limit.Stop()
	select {
	case g.turn <- struct{}{}:
	case <-limit.C:
		g.silent.Store(true)
		return errSilent
	case <-ctx.Done():
		return ctx.Err()
	}
	answer := make(chan error, 1)
	go func() {
		defer func() { <-g.turn }()
		// What comes over D-Bus can be of any shape, and the library
		// takes some shapes for granted.
		defer func() {
			if recover() != nil {
				answer <- &trouble{"refused", "the keyring answered what nobody understands"}
			}
		}()
		answer <- f()
	}()
	select {
	case err := <-answer:
		return tell(err, t)
	case <-limit.C:
		g.silent.Store(true)
		return errSilent
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell makes a trouble of what a keyring said, without t and fit for a
// terminal.
func tell(err error, t secret.Text) error {
	if _, known := errors.AsType[*trouble](err); err == nil || known || errors.Is(err, ErrNoEntry) {
		return err
	}
	text := err.Error()
	if !t.Empty() {
		text = strings.ReplaceAll(text, t.Reveal(), t.String())
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return &trouble{"refused", "the keyring refused: " + text}
}
