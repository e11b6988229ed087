//go:build !identityprovider

package devstack

import (
	"crypto/rsa"
	"errors"
	"net/http"
)

// newOpenID refuses: the provider's modules are not part of this build.
func newOpenID(string, *rsa.PrivateKey, *logins, []Person) (http.Handler, error) {
	return nil, errors.New("this build has no identity provider; build it with -tags identityprovider")
}
