// Package discovery has the document in which a sidecar says how to log in to
// it, and the list of roles that it has for a person. The sidecar serves both,
// the client reads them. docs/discovery.md is the specification.
package discovery

import (
	"context"
	"errors"
	"net/http"

	"github.com/gimme-broker/gimme/internal/secret"
)

const (
	Path      = "/.well-known/gimme" // of the document; anyone may read it
	RolesPath = "/.gimme/roles"      // of the list of roles; with an ID token as bearer
)

// A Document says how to log in to a sidecar.
type Document struct {
	Version  int      `json:"version"`   // 1
	Issuer   string   `json:"issuer"`    // of the provider at which people log in
	ClientID string   `json:"client_id"` // there
	Scopes   []string `json:"scopes"`    // to ask for; "openid" is among them
	Region   string   `json:"region"`    // to sign for
}

// Roles are what a person may choose from.
type Roles struct {
	Roles []Role `json:"roles"`
}

// A Role is one that the person may take.
type Role struct {
	ARN string `json:"arn"`
}

// Check says what is wrong with the document, or nil.
func (d Document) Check() error { return nil }

// CheckAddress says what is wrong with the address of a sidecar, or nil.
func CheckAddress(address string) error { return nil }

// Fetch reads the document of the sidecar at address.
func Fetch(ctx context.Context, c *http.Client, address string) (Document, error) {
	return Document{}, errors.New("not there yet")
}

// FetchRoles asks the sidecar at address for the roles of the holder of idToken.
func FetchRoles(ctx context.Context, c *http.Client, address string, idToken secret.Text) (Roles, error) {
	return Roles{}, errors.New("not there yet")
}
