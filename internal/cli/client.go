package cli

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// client makes the one HTTP client. AWS_CA_BUNDLE adds certificate authorities
// to those of the system, for the sidecar, the provider and the STS alike.
func (a App) client() (*http.Client, error) {
	path := a.Getenv("AWS_CA_BUNDLE")
	if path == "" {
		return idtoken.NewClient(nil), nil
	}
	bundle, err := os.ReadFile(path)
	if err != nil {
		return nil, &failure{exitFailed, fmt.Errorf("read AWS_CA_BUNDLE: %w", err), "correct the variable, or unset it"}
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, &failure{exitFailed, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate", path), "correct the variable, or unset it"}
	}
	return idtoken.NewClient(roots), nil
}
