package store

import (
	"context"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
	"github.com/gimme-broker/gimme/internal/secret"
)

// How long an ID token is used again, and what it must have left.
const (
	freshFor  = 5 * time.Minute
	freshLeft = time.Minute
)

// A Login is what is known of somebody who logged in.
type Login struct {
	Issuer, ClientID     string
	Subject, Email, Name string
	Flow                 string
	At                   time.Time // of the login, or of the last refresh

	// IDToken is there for minutes only: see FreshIDToken.
	IDToken        secret.Text
	IDTokenExpires time.Time
}

// FreshIDToken returns the ID token while it may be used for another role:
// for 5 minutes, and not in its last one.
func (l *Login) FreshIDToken(now time.Time) (secret.Text, bool) {
	age := now.Sub(l.At)
	if l.IDToken.Empty() || age < 0 || age > freshFor || l.IDTokenExpires.Sub(now) < freshLeft {
		return secret.Text{}, false
	}
	return l.IDToken, true
}

// loginData is a Login as it stands in the file.
type loginData struct {
	Issuer         string    `json:"issuer"`
	ClientID       string    `json:"client_id"`
	Subject        string    `json:"subject"`
	Email          string    `json:"email"`
	Name           string    `json:"name"`
	Flow           string    `json:"flow"`
	At             time.Time `json:"at"`
	IDToken        string    `json:"id_token,omitempty"`
	IDTokenExpires time.Time `json:"id_token_expires,omitzero"`
}

// Login returns the one of key, or nil where there is none. An ID token that
// is not fresh any more is taken out of the file at that.
func (s *Store) Login(key string) (*Login, error) {
	d, err := read[loginData](s, loginsRoom, key)
	if err != nil || d == nil {
		return nil, err
	}
	l := &Login{
		Issuer: d.Issuer, ClientID: d.ClientID, Subject: d.Subject, Email: d.Email, Name: d.Name,
		Flow: d.Flow, At: d.At, IDToken: secret.New(d.IDToken), IDTokenExpires: d.IDTokenExpires,
	}
	if _, fresh := l.FreshIDToken(time.Now()); !fresh && d.IDToken != "" {
		s.forgetIDToken(key, d.IDToken)
		l.IDToken, l.IDTokenExpires = secret.Text{}, time.Time{}
	}
	return l, nil
}

// forgetIDToken takes the ID token out of a file while it is still that one.
// Whoever writes the file just now does so as well, and a folder that cannot
// be written keeps it: it is of no more use to anybody soon.
func (s *Store) forgetIDToken(key, token string) {
	unlock, ok, err := s.TryLock(writeLock(key))
	if err != nil || !ok {
		return
	}
	defer unlock()
	d, err := read[loginData](s, loginsRoom, key)
	if err != nil || d == nil || d.IDToken != token {
		return
	}
	d.IDToken, d.IDTokenExpires = "", time.Time{}
	_ = write(s, loginsRoom, key, *d)
}

// PutLogin puts l in the place of the login of key.
func (s *Store) PutLogin(key string, l *Login) error {
	unlock, err := s.lockLogin(key)
	if err != nil {
		return err
	}
	defer unlock()
	return write(s, loginsRoom, key, loginData{
		Issuer: l.Issuer, ClientID: l.ClientID, Subject: l.Subject, Email: l.Email, Name: l.Name,
		Flow: l.Flow, At: l.At, IDToken: l.IDToken.Reveal(), IDTokenExpires: l.IDTokenExpires,
	})
}

// DropLogin takes the login of key away, if there is one.
func (s *Store) DropLogin(key string) error {
	unlock, err := s.lockLogin(key)
	if err != nil {
		return err
	}
	defer unlock()
	return s.drop(loginsRoom, key)
}

// lockLogin keeps forgetIDToken from writing what was read before.
func (s *Store) lockLogin(key string) (unlock func(), err error) {
	path, err := s.lockPath(writeLock(key))
	if err != nil {
		return nil, err
	}
	return durable.Lock(context.Background(), path)
}

func writeLock(key string) string { return "write-" + key }
