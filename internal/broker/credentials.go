package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// quick is how long a renewal may take that nobody has to wait for.
const quick = 10 * time.Second

// Credentials gets credentials for r: those at hand if they are fresh, without
// a lock, the network or the keyring, and else newer ones. Errors are *Error,
// or ctx's own.
func (b *Broker) Credentials(ctx context.Context, r Request) (*store.Credentials, error) {
	key := r.Key()
	kept, err := b.Store.Credentials(key)
	if err != nil {
		return nil, storeError(err)
	}
	anew := b.Ask != nil && b.Ask.Fresh
	state := FreshnessOf(kept, time.Now())
	if anew {
		kept, state = nil, None
	}
	switch state {
	case Fresh:
		return kept, nil
	case Due:
		return b.renewEarly(ctx, r, key, kept)
	}
	newer, unlock, err := b.lockCredentials(ctx, key, anew)
	if newer != nil || err != nil {
		return newer, err
	}
	defer unlock()
	got, err := b.renew(ctx, r, key)
	if err == nil || state == None || ctx.Err() != nil {
		return got, err
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == LoginNeeded {
		return nil, err // newer ones can be had
	}
	return b.makeDo(kept, err)
}

// renewEarly renews credentials that will still do for a while. Nobody waits
// for it who can have those at hand.
func (b *Broker) renewEarly(ctx context.Context, r Request, key string, kept *store.Credentials) (*store.Credentials, error) {
	unlock, ok, err := b.Store.TryLock("credentials-" + key)
	if err != nil || !ok {
		return kept, nil
	}
	defer unlock()
	if c, err := b.Store.Credentials(key); err == nil && FreshnessOf(c, time.Now()) == Fresh {
		return c, nil
	}
	silent := *b
	if b.Ask == nil || b.Ask.Patient {
		silent.Ask = nil
		if kept.Login != "" && !b.canRenew(ctx, kept.Login) {
			return kept, nil
		}
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if silent.Ask == nil {
		limited, cancel = context.WithTimeout(ctx, quick)
	}
	defer cancel()
	got, err := silent.renew(limited, r, key)
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return b.makeDo(kept, err)
}

// canRenew says whether there is anything to renew with, before the network is
// asked.
func (b *Broker) canRenew(ctx context.Context, loginKey string) bool {
	if l, err := b.Store.Login(loginKey); err == nil && l != nil {
		if _, ok := l.FreshIDToken(time.Now()); ok {
			return true
		}
	}
	t, err := b.Store.RefreshToken(ctx, loginKey)
	return err == nil && !t.Empty()
}

// makeDo gives the credentials at hand, where they still are good for
// something, and says why there are no newer ones.
func (b *Broker) makeDo(kept *store.Credentials, why error) (*store.Credentials, error) {
	if FreshnessOf(kept, time.Now()) == None {
		return nil, why
	}
	b.notify(Notice{Step: KeptOld, Err: why})
	return kept, nil
}

// lockCredentials makes this the one process that gets the credentials, unless
// another has got them meanwhile.
func (b *Broker) lockCredentials(ctx context.Context, key string, anew bool) (*store.Credentials, func(), error) {
	var newer *store.Credentials
	look := func() bool {
		if c, err := b.Store.Credentials(key); err == nil && !anew && FreshnessOf(c, time.Now()) >= Due {
			newer = c
		}
		return newer != nil
	}
	unlock, err := b.lock(ctx, "credentials-"+key, look)
	if err != nil || newer != nil {
		return newer, nil, err
	}
	if look() {
		unlock()
		return newer, nil, nil
	}
	return nil, unlock, nil
}

// lock waits for a lock, and says so. Unlock is nil when look ended the wait.
func (b *Broker) lock(ctx context.Context, name string, look func() bool) (unlock func(), err error) {
	unlock, ok, err := b.Store.TryLock(name)
	if err != nil {
		return nil, storeError(err)
	}
	if ok {
		return unlock, nil
	}
	b.notify(Notice{Step: WaitingForOther})
	unlock, err = b.Store.Lock(ctx, name, look)
	if err != nil {
		return nil, orInterrupted(ctx, storeError(err))
	}
	return unlock, nil
}

func storeError(err error) *Error {
	return &Error{Err: err, Hint: "gimme keeps what it knows in a folder of its own; GIMME_STATE_DIR names another"}
}

// renew gets new credentials, under their lock, and keeps them.
func (b *Broker) renew(ctx context.Context, r Request, key string) (*store.Credentials, error) {
	t, err := b.aim(ctx, r)
	if err != nil {
		return nil, err
	}
	who, err := b.identify(ctx, t)
	if err != nil {
		return nil, err
	}
	role, err := b.role(ctx, t, who)
	if err != nil {
		return nil, err
	}
	got, err := b.exchange(ctx, t, who, role)
	if err != nil {
		return nil, err
	}
	if err := b.Store.PutCredentials(key, got); err != nil {
		b.notify(Notice{Step: NotKept, Err: fmt.Errorf("the credentials could not be kept: %w", err)})
	}
	return got, nil
}

// An identity is somebody with an ID token at hand.
type identity struct {
	token                  secret.Text
	issuer, subject, email string
	source                 string // see store.Credentials
	login                  string // key in the store; empty for a workload
}

// person is how messages and sessions name somebody.
func (i *identity) person() string {
	if i.email != "" {
		return i.email
	}
	return i.subject
}

// identify gets an ID token.
func (b *Broker) identify(ctx context.Context, t target) (*identity, error) {
	if t.workload {
		return b.workload(ctx, t)
	}
	return b.logIn(ctx, t)
}
