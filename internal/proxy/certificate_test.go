package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// A new certificate is shown to connections from then on; one that is no good
// leaves the old one in use.
func TestCertificatesAreRenewedInPlace(t *testing.T) {
	c, old := startTLS(t, nil)
	shown := func(pool *x509.CertPool) bool {
		conn := c.dial()
		return tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}).Handshake() == nil
	}
	wait := func() audit.Event {
		for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if events := c.events(); len(events) == 1 {
				return events[0]
			}
		}
		t.Fatal("no event")
		return audit.Event{}
	}
	if !shown(old.RootCAs) {
		t.Fatal("the first certificate is not shown")
	}
	cert := must(os.ReadFile(filepath.Join(c.folder, "cert.pem")))
	fresh := c.certificate()
	if e := wait(); e.Kind != audit.KindAdmin || e.Request.Operation != "certificate" || e.Error != "" {
		t.Errorf("the event is %+v", e)
	}
	if !shown(fresh) || shown(old.RootCAs) {
		t.Error("the new certificate is not shown")
	}
	c.write("cert.pem", string(cert)) // whose key is another
	if e := wait(); !strings.Contains(e.Error, "private key does not match") {
		t.Errorf("the event is %+v", e)
	}
	if !shown(fresh) {
		t.Error("the certificate in use is gone")
	}
}

func TestAKeyThatOthersCanReadIsRefused(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.certificate()
	c.files(c.config() + "tls: {cert_file: cert.pem, key_file: key.pem}\n")
	c.load()
	if err := os.Chmod(filepath.Join(c.folder, "key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Load(filepath.Join(c.folder, "proxy.yaml")); err == nil || !strings.Contains(err.Error(), "key.pem") || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsWrongWithListening(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	for line, want := range map[string]string{
		"domains: [S3.example]":                                               "not a host name in lower case",
		"domains: [s3.example, a.s3.example]":                                 "one is in the other",
		"domains: [s3.example, s3.example]":                                   "stands twice",
		"domains: [10.0.0.1]":                                                 "is an address",
		"domains: ['s3.example:443']":                                         "has a port",
		"domains: ['*.s3.example']":                                           "not a host name",
		"domains: [s3.example]\naddress: https://x.s3.example":                "covers the host of address",
		"trusted_proxies: [10.0.0.1]":                                         "10.0.0.1/32",
		"trusted_proxies: [0.0.0.0/0]":                                        "everybody could write",
		"limits: {connections: 0}":                                            "at least 1",
		"limits: {connections: 10, connections_per_source: 11}":               "no more than 10",
		"domains: [s3.example, other.example]\ntrusted_proxies: [10.0.0.0/8]": "",
	} {
		c.files(c.config() + line + "\n")
		_, err := proxy.Load(filepath.Join(c.folder, "proxy.yaml"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", line, err, want)
		}
	}
	c.certificate()
	c.files(c.config() + "tls: {cert_file: cert.pem, key_file: key.pem}\ndomains: [s3.example]\n")
	var warnings strings.Builder
	for _, w := range c.load().Warnings() {
		warnings.WriteString(w.String() + "\n")
	}
	for _, want := range []string{"does not cover s3.example", "does not cover *.s3.example", "expires"} {
		if !strings.Contains(warnings.String(), want) {
			t.Errorf("no warning says %q: %s", want, warnings.String())
		}
	}
}
