package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/gimme-broker/gimme/internal/secret"
)

// readSecret reads a file that holds one secret, which nobody else may read.
func readSecret(path string) (secret.Text, error) {
	if err := checkPrivate(path); err != nil {
		return secret.Text{}, fmt.Errorf("read secret: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read secret: %w", err)
	}
	s := strings.TrimSpace(string(data))
	if s == "" || strings.ContainsAny(s, "\r\n\x00") {
		return secret.Text{}, fmt.Errorf("secret file %q does not hold one line", path)
	}
	return secret.New(s), nil
}

func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" { // there the access list of the folder counts
		return fmt.Errorf("secret file %q can be read by others (mode %04o): chmod 600 it", path, mode)
	}
	return nil
}

func checkSecretURL(u secret.Text) error {
	p, err := url.Parse(u.Reveal())
	if err != nil || p.Hostname() == "" || p.Scheme != "https" && (p.Scheme != "http" || !isLoopback(p.Hostname())) {
		return errors.New("not an https URL") // and nothing of it, because it is a secret
	}
	return nil
}

// tlsConfig is how a sink is known, and how it knows us.
func tlsConfig(s Sink) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile.V != "" {
		data, err := os.ReadFile(s.CAFile.V)
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%q holds no PEM certificate", s.CAFile.V)
		}
	}
	if s.CertFile.V != "" && s.KeyFile.V != "" {
		if err := checkPrivate(s.KeyFile.V); err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		cert, err := tls.LoadX509KeyPair(s.CertFile.V, s.KeyFile.V)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
