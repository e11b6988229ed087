package devstack

import (
	"crypto/rand"
	"errors"
	"maps"
	"net"
	"net/url"
	"sync"
	"time"
)

const (
	loginLife   = 10 * time.Minute // from the authorization request to the password
	codeLife    = time.Minute      // from the password to the exchange of the code
	maxAttempts = 10               // wrong passwords in one login
	maxLogins   = 1000             // that have begun and not ended
)

var (
	errNoLogin      = errors.New("there is no such login, or it has expired")
	errTooMany      = errors.New("too many logins have begun and not ended")
	errCodeAgain    = errors.New("this login has been given its code already")
	errNotLoggedIn  = errors.New("nobody has logged in yet")
	errTooOftenPass = errors.New("too many wrong passwords")
)

// A login is one authorization request on its way through the login page to
// the exchange of its code. It is handed around as a copy.
type login struct {
	ID          string
	ClientID    string
	RedirectURI string
	State       string
	Nonce       string
	Challenge   string // PKCE, always S256
	Scopes      []string
	Hint        string // whom the client expects; may be empty

	Person *Person   // who has logged in; nil until then
	At     time.Time // when

	expires  time.Time
	attempts int
	code     string
}

// logins are all that have begun and not ended.
type logins struct {
	now func() time.Time

	mu   sync.Mutex
	byID map[string]*login
}

func newLogins(now func() time.Time) *logins {
	return &logins{now: now, byID: map[string]*login{}}
}

// begin keeps l under an id of its own. The error is errTooMany.
func (s *logins) begin(l login) (login, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	maps.DeleteFunc(s.byID, func(_ string, old *login) bool { return !now.Before(old.expires) })
	if len(s.byID) >= maxLogins {
		return login{}, errTooMany
	}
	l.ID, l.expires = rand.Text(), now.Add(loginLife)
	s.byID[l.ID] = &l
	return l, nil
}

// find returns the login that has begun under id. The error is errNoLogin.
func (s *logins) find(id string) (login, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.live(id)
	if err != nil {
		return login{}, err
	}
	return *l, nil
}

// live needs s.mu.
func (s *logins) live(id string) (*login, error) {
	l, ok := s.byID[id]
	if !ok || !s.now().Before(l.expires) {
		return nil, errNoLogin
	}
	return l, nil
}

// pass notes that p has logged in. A login passes once.
func (s *logins) pass(id string, p Person) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.live(id)
	if err != nil {
		return err
	}
	if l.Person != nil {
		return errNoLogin
	}
	l.Person, l.At, l.expires = &p, s.now(), s.now().Add(codeLife)
	return nil
}

// fail counts a wrong password. After maxAttempts the login is gone, and the
// error is errTooOftenPass.
func (s *logins) fail(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.live(id)
	if err != nil {
		return err
	}
	if l.attempts++; l.attempts >= maxAttempts {
		delete(s.byID, id)
		return errTooOftenPass
	}
	return nil
}

// keepCode notes the code under which a login that passed will be exchanged.
func (s *logins) keepCode(id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.live(id)
	switch {
	case err != nil:
		return err
	case l.Person == nil:
		return errNotLoggedIn
	case l.code != "":
		return errCodeAgain
	}
	l.code = code
	return nil
}

// takeCode returns the login with that code and forgets it: a code works once,
// also when the exchange then fails.
func (s *logins) takeCode(code string) (login, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.byID {
		if l.code == code && code != "" && s.now().Before(l.expires) {
			delete(s.byID, id)
			return *l, nil
		}
	}
	return login{}, errNoLogin
}

// isCallback says whether uri is the redirect URI of a native program on this
// machine (RFC 8252, section 7.3), without user, query or fragment.
func isCallback(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() != "127.0.0.1" || u.Port() == "" {
		return false
	}
	return uri == "http://"+net.JoinHostPort("127.0.0.1", u.Port())+callbackPath
}
