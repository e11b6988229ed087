package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// readCertificate reads a chain and its key. Like any secret the key must be
// readable by its owner alone.
func readCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	if err := checkPrivate(keyFile); err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return &cert, nil
}

// checkPrivate refuses a file with a secret that others than its owner can read.
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

// A certificate is the one that the listener shows, and its files.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	reloading         sync.Mutex // held while the files are read; guards looked
	looked            string     // how the files were when they were last read
}

// newCertificate returns nil when the configuration has none.
func newCertificate(c *Config) *certificate {
	if c.loaded.certificate == nil {
		return nil
	}
	t := &certificate{certFile: c.path(c.TLS.CertFile.V), keyFile: c.path(c.TLS.KeyFile.V)}
	t.current.Store(c.loaded.certificate)
	return t
}

// config is what the listener is opened with. HTTP/2 is not offered: S3 itself
// speaks nothing but HTTP/1.1.
func (t *certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.current.Load(), nil },
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
	}
}

func (t *certificate) fingerprint() string { return fingerprint(t.certFile, t.keyFile) }

func (t *certificate) lastLooked() string {
	t.reloading.Lock()
	defer t.reloading.Unlock()
	return t.looked
}

// reloadCertificate reads the certificate again. A pair that is not good leaves
// the one in use. Either way an event and a log line say so, unless nothing has
// changed.
func (s *Server) reloadCertificate() error {
	t := s.certificate
	if t == nil {
		return nil
	}
	t.reloading.Lock()
	defer t.reloading.Unlock()
	t.looked = t.fingerprint()
	fresh, err := readCertificate(t.certFile, t.keyFile)
	if err == nil && slices.EqualFunc(fresh.Certificate, t.current.Load().Certificate, bytes.Equal) {
		return nil
	}
	event := s.lifeEvent("certificate")
	if err != nil {
		event.Error = err.Error()
		s.log.Error("certificate not reloaded; the old one stays in use", "fault", err.Error(), "expires", t.current.Load().Leaf.NotAfter.UTC().Format(time.RFC3339))
		s.record(event)
		return err
	}
	t.current.Store(fresh)
	s.log.Info("certificate reloaded", "expires", fresh.Leaf.NotAfter.UTC().Format(time.RFC3339), "names", fresh.Leaf.DNSNames)
	s.record(event)
	return nil
}

// record writes an event that nothing depends on.
func (s *Server) record(e audit.Event) {
	if err := s.events.Write(e); err != nil {
		s.log.Error("an event could not be recorded", "id", e.ID, "cause", err)
	}
}

// watchFiles calls reload when files have changed and have then been still for
// one interval, so that one that is half written is not read.
func watchFiles(ctx context.Context, fingerprint, lastLooked func() string, reload func() error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	last := lastLooked()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := fingerprint()
		if now == last && now != lastLooked() {
			_ = reload() // it has said what went wrong
		}
		last = now
	}
}
