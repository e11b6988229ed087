package store

import (
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Credentials are those of one role, with who they are for.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text
	Issued, Expires time.Time

	Role, Region string
	Endpoint     string // the sidecar's address; empty: S3 itself

	Issuer, Subject, Email string // who

	Login  string // key of the Login they came from; empty for a workload
	Source string // "browser", "device", "paste", "refresh", or the workload's system, such as "github"
}

// credentialsData are Credentials as they stand in the file.
type credentialsData struct {
	AccessKeyID     string    `json:"access_key_id"`
	SecretAccessKey string    `json:"secret_access_key"`
	SessionToken    string    `json:"session_token"`
	Issued          time.Time `json:"issued"`
	Expires         time.Time `json:"expires"`
	Role            string    `json:"role"`
	Region          string    `json:"region"`
	Endpoint        string    `json:"endpoint"`
	Issuer          string    `json:"issuer"`
	Subject         string    `json:"subject"`
	Email           string    `json:"email"`
	Login           string    `json:"login"`
	Source          string    `json:"source"`
}

// CredentialsPath is the file of those of key, whether it is there or not; empty
// where key is none.
func (s *Store) CredentialsPath(key string) string {
	path, err := s.path(credentialsRoom, key)
	if err != nil {
		return ""
	}
	return path
}

// Credentials returns those of key, or nil where there are none. They may have
// expired. It opens one file and waits for nothing: no lock, no keyring. An
// error says that the file may not be read, or that others may read or write it.
func (s *Store) Credentials(key string) (*Credentials, error) {
	d, err := read[credentialsData](s, credentialsRoom, key)
	if err != nil || d == nil || d.AccessKeyID == "" || d.SecretAccessKey == "" {
		return nil, err
	}
	return &Credentials{
		AccessKeyID: d.AccessKeyID, SecretAccessKey: secret.New(d.SecretAccessKey), SessionToken: secret.New(d.SessionToken),
		Issued: d.Issued, Expires: d.Expires, Role: d.Role, Region: d.Region, Endpoint: d.Endpoint,
		Issuer: d.Issuer, Subject: d.Subject, Email: d.Email, Login: d.Login, Source: d.Source,
	}, nil
}

// PutCredentials puts c in the place of those of key: whoever reads finds the
// old or the new ones.
func (s *Store) PutCredentials(key string, c *Credentials) error {
	return write(s, credentialsRoom, key, credentialsData{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal(),
		Issued: c.Issued, Expires: c.Expires, Role: c.Role, Region: c.Region, Endpoint: c.Endpoint,
		Issuer: c.Issuer, Subject: c.Subject, Email: c.Email, Login: c.Login, Source: c.Source,
	})
}

// DropCredentials takes those of key away, if there are any.
func (s *Store) DropCredentials(key string) error { return s.drop(credentialsRoom, key) }
