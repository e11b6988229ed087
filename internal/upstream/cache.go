package upstream

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/singleflight"
)

const (
	renewBefore = 5 * time.Minute  // credentials are renewed this long before they expire, and up to a fifth earlier
	usableFor   = time.Minute      // what must be left of credentials that serve on when they cannot be renewed
	retryAfter  = 10 * time.Second // when STS fails, this long passes before valid credentials are renewed again
)

// cache keeps the credentials that obtain gives, the longest unused of them
// leaving first.
type cache struct {
	size   int
	obtain func(context.Context, string, Principal) (aws.Credentials, error)
	calls  singleflight.Group

	mu      sync.Mutex // guards entries and recent
	entries map[holder]*list.Element
	recent  *list.List // of *entry, the last used first
}

// A holder is whom credentials are for. The e-mail address belongs to it because
// the session is named after it.
type holder struct{ role, issuer, subject, email string }

type entry struct {
	key         holder
	credentials aws.Credentials
	renew       time.Time // from then on they are to be renewed
}

func newCache(size int, obtain func(context.Context, string, Principal) (aws.Credentials, error)) *cache {
	return &cache{size: size, obtain: obtain, entries: map[holder]*list.Element{}, recent: list.New()}
}

// Credentials implements Source.
func (c *cache) Credentials(ctx context.Context, role string, p Principal) (aws.Credentials, error) {
	if role == "" || p.Issuer == "" || p.Subject == "" {
		return aws.Credentials{}, errors.New("assume role: the role, the issuer or the subject is empty")
	}
	key := holder{role, p.Issuer, p.Subject, p.Email}
	if held, fresh := c.get(key); fresh {
		return held, nil
	}
	result := c.calls.DoChan(fmt.Sprintf("%q", key), func() (any, error) {
		// Another call may have ended since.
		if held, fresh := c.get(key); fresh {
			return held, nil
		}
		got, err := c.obtain(context.WithoutCancel(ctx), role, p)
		if err != nil {
			return c.serveOn(key, err)
		}
		c.put(key, got)
		return got, nil
	})
	select {
	case <-ctx.Done():
		return aws.Credentials{}, fmt.Errorf("assume role %q: %w", role, context.Cause(ctx))
	case r := <-result:
		if r.Err != nil {
			return aws.Credentials{}, r.Err
		}
		return r.Val.(aws.Credentials), nil
	}
}

// get returns the credentials held for key; fresh says that there are some and
// that they need not be renewed.
func (c *cache) get(key holder) (held aws.Credentials, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return aws.Credentials{}, false
	}
	c.recent.MoveToFront(e)
	x := e.Value.(*entry)
	return x.credentials, time.Now().Before(x.renew)
}

// put keeps got, which is renewed some time before it expires: not the same for
// all, because sessions that began together would else be renewed together.
func (c *cache) put(key holder, got aws.Credentials) {
	ahead := min(renewBefore, time.Until(got.Expires)/4)
	ahead += rand.N(ahead/5 + 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.recent.Remove(e)
	}
	c.entries[key] = c.recent.PushFront(&entry{key, got, got.Expires.Add(-ahead)})
	for c.recent.Len() > c.size {
		oldest := c.recent.Back()
		c.recent.Remove(oldest)
		delete(c.entries, oldest.Value.(*entry).key)
	}
}

// serveOn returns what is held for key when it is valid for a while yet, and
// otherwise the failure to renew it.
func (c *cache) serveOn(key holder, failure error) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return aws.Credentials{}, failure
	}
	x, now := e.Value.(*entry), time.Now()
	if x.credentials.Expires.Sub(now) < usableFor {
		return aws.Credentials{}, failure
	}
	// The retry must not come later than when they stop serving.
	if x.renew = now.Add(retryAfter); x.renew.After(x.credentials.Expires.Add(-usableFor)) {
		x.renew = x.credentials.Expires.Add(-usableFor)
	}
	return x.credentials, nil
}
