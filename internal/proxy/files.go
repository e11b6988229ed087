package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// read loads the files that the configuration names, so that a fault in any of
// them shows before anything listens.
func (c *Config) read() strictyaml.Faults {
	l := &faultList{file: c.file}
	if c.TLS.CertFile.V != "" && c.TLS.KeyFile.V != "" {
		cert, err := readCertificate(c.path(c.TLS.CertFile.V), c.path(c.TLS.KeyFile.V))
		if err != nil {
			l.at(c.TLS.CertFile, "%v", err)
		}
		c.loaded.certificate = cert
	}
	c.loaded.upstreamRoot = c.readRoots(l, c.Upstream.CAFile)
	for _, i := range c.Issuers {
		c.loaded.issuerRoots = append(c.loaded.issuerRoots, c.readRoots(l, i.CAFile))
	}
	if v := c.Upstream.Static.SecretAccessKeyFile; c.Upstream.Credentials.V == credentialsStatic && v.V != "" {
		key, err := readSecret(c.path(v.V))
		if err != nil {
			l.at(v, "%v", err)
		}
		c.loaded.secretKey = key
	}
	c.checkKeyFile(l)
	c.checkRevocations(l)
	c.checkAuditFile(l)
	if c.Policy.DataMap.V != "" && len(c.Policy.Policies) > 0 {
		c.loaded.looked = c.fingerprint()
		rules, err := c.readRules()
		if err != nil {
			l.found = append(l.found, asFaults(c.file, err)...)
		}
		c.loaded.rules = rules
	}
	c.readResponses(l)
	return l.found
}

// readRoots reads PEM certificates; without a file it returns nil, which means
// the system's.
func (c *Config) readRoots(l *faultList, v text) *x509.CertPool {
	if v.V == "" {
		return nil
	}
	data, err := os.ReadFile(c.path(v.V))
	if err != nil {
		l.at(v, "read certificates: %v", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		l.at(v, "%q holds no PEM certificate", v.V)
	}
	return pool
}

// readSecret reads a file that holds one secret.
func readSecret(path string) (secret.Text, error) {
	if err := checkPrivate(path); err != nil {
		return secret.Text{}, fmt.Errorf("read secret: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read secret: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return secret.Text{}, fmt.Errorf("secret file %q is empty", path)
	}
	return secret.New(text), nil
}

// checkKeyFile judges an existing key file, and for a new one the folder, and
// makes neither.
func (c *Config) checkKeyFile(l *faultList) {
	v := c.Sessions.KeyFile
	if v.V == "" || session.CheckDeployment(c.Sessions.Deployment.V) != nil { // said already
		return
	}
	path := c.path(v.V)
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		checkFolder(l, v, filepath.Dir(path))
		c.checkServiceRoots(l, nil)
	case err != nil:
		l.at(v, "sessions.key_file: %v", err)
	default:
		keys, err := session.OpenKeyring(path, c.Sessions.Deployment.V)
		if err != nil {
			l.at(v, "sessions.key_file: %v", err)
			return
		}
		c.checkServiceRoots(l, keys)
	}
}

func (c *Config) checkAuditFile(l *faultList) {
	v := c.Audit.File
	if v.V == "" || v.V == "-" {
		return
	}
	f, err := os.OpenFile(c.path(v.V), os.O_APPEND|os.O_RDWR, 0) // also to read: a pipe that nobody reads would wait
	switch {
	case errors.Is(err, fs.ErrNotExist):
		checkFolder(l, v, filepath.Dir(c.path(v.V)))
	case err != nil:
		l.at(v, "audit.file: %v", err)
	default:
		f.Close()
	}
}

func checkFolder(l *faultList, v text, folder string) {
	if info, err := os.Stat(folder); err != nil {
		l.at(v, "%q cannot be made: %v", v.V, err)
	} else if !info.IsDir() {
		l.at(v, "%q cannot be made: %q is not a folder", v.V, folder)
	}
}
