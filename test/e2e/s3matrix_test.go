package e2e_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// domain is the sidecar's, under which buckets are names of hosts.
const domain = "s3.sidecar.example"

// A transport is a way to the sidecar.
type transport struct {
	name    string
	sidecar *sidecar
	place   s3Place
	size    int64       // of what goes in parts
	server  *tls.Config // of the sidecar; nil without TLS
}

// startTransports starts two sidecars before one upstream, one with TLS and an
// authority of its own, one on plain loopback.
func startTransports(t *testing.T) []transport {
	t.Helper()
	folder := t.TempDir()
	made := newCertificate(t, []string{domain, "*." + domain}, net.IPv4(127, 0, 0, 1))
	paths := map[string]string{}
	for name, text := range map[string]string{"ca": made.authority, "chain": made.chain, "key": made.key} {
		paths[name] = filepath.Join(folder, name+".pem")
		writeFile(t, paths[name], text)
	}
	p, u := startProvider(t, place{}), startUpstream(t)
	over := startSidecar(t, u, settings{Issuer: p.issuer, CertFile: paths["chain"], KeyFile: paths["key"], Domains: domain}, made.roots)
	plain := startSidecar(t, u, settings{Issuer: p.issuer, Domains: domain}, nil)
	of := func(c *sidecar) s3Place {
		_, host, _ := strings.Cut(c.address, "://")
		return s3Place{address: c.address, host: host, keys: c.session(t, p, "alice", engineerRole)}
	}
	secure := of(over)
	secure.secure, secure.ca, secure.roots = true, paths["ca"], made.roots
	pair, err := tls.X509KeyPair([]byte(made.chain), []byte(made.key))
	if err != nil {
		t.Fatal(err)
	}
	return []transport{
		{"tls", over, secure, 200 << 20, &tls.Config{Certificates: []tls.Certificate{pair}}},
		{"plain", plain, of(plain), 20 << 20, nil},
	}
}

// hop puts a recorder between a client and the sidecar of tr.
func (tr transport) hop(t *testing.T) *recorder {
	t.Helper()
	var client *tls.Config
	if tr.server != nil {
		client = &tls.Config{RootCAs: tr.place.roots, ServerName: "127.0.0.1"}
	}
	return startHop(t, tr.place.host, tr.server, client)
}

// newBucket makes a bucket for one client.
func newBucket(t *testing.T, u *upstream, name string) string {
	t.Helper()
	name = "matrix-" + strings.Trim(strings.ToLower(strings.NewReplacer(" ", "-", "@", "", "/", "-").Replace(name)), "-")
	if _, err := u.direct.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
	return name
}

// fetcher is an HTTP client that trusts the sidecar.
func fetcher(p s3Place) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: p.dial, TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableCompression: true}}
}

// TestClients has every client play the script over TLS and over plain
// loopback. Over TLS 200 MiB go up and down in parts, and 20 MiB over loopback,
// where parts are no different.
func TestClients(t *testing.T) {
	t.Parallel()
	transports := startTransports(t)
	for _, tr := range transports {
		big := newFile(t, tr.size)
		for _, p := range s3Programs() {
			t.Run(fmt.Sprintf("%s over %s", p.name, tr.name), func(t *testing.T) {
				t.Parallel()
				place := newS3Place(t, tr.place)
				s := &stage{
					driven: p.start(t, place), s3Program: p, s3Place: place, big: big,
					upstream: tr.sidecar.upstream, fetch: fetcher(place), bucket: newBucket(t, tr.sidecar.upstream, p.name+"-"+tr.name),
				}
				s.play(t)
			})
		}
	}
}
