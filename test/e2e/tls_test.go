package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A certificate is one that the test made, by an authority of its own.
type certificate struct {
	authority  string // PEM
	chain, key string // PEM
	thumbprint string // of the authority
	roots      *x509.CertPool
}

// newCertificate makes a certificate for names and addresses.
func newCertificate(t *testing.T, names []string, addresses ...net.IP) certificate {
	t.Helper()
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: to,
		DNSNames: names, IPAddresses: addresses, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityKey, leafKey := newKey(t), newKey(t)
	issue := func(c *x509.Certificate, public *ecdsa.PublicKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, authority, public, authorityKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	authorityDER, leafDER := issue(authority, &authorityKey.PublicKey), issue(leaf, &leafKey.PublicKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	sum := sha1.Sum(authorityDER) // what IAM calls a thumbprint
	c := certificate{
		authority: block("CERTIFICATE", authorityDER), key: block("PRIVATE KEY", keyDER),
		chain:      block("CERTIFICATE", leafDER) + block("CERTIFICATE", authorityDER),
		thumbprint: hex.EncodeToString(sum[:]), roots: x509.NewCertPool(),
	}
	c.roots.AppendCertsFromPEM([]byte(c.authority))
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestTLS has a sidecar with a certificate, of an authority that clients are
// told to trust.
func TestTLS(t *testing.T) {
	folder := t.TempDir()
	made := newCertificate(t, nil, net.IPv4(127, 0, 0, 1))
	path := func(name, text string) string {
		p := filepath.Join(folder, name)
		writeFile(t, p, text)
		return p
	}
	ca, chain, key := path("ca.pem", made.authority), path("chain.pem", made.chain), path("key.pem", made.key)
	w := &world{provider: startProvider(t, place{}), upstream: startUpstream(t), home: t.TempDir()}
	w.sidecar = startSidecar(t, w.upstream, settings{Issuer: w.issuer, CertFile: chain, KeyFile: key}, made.roots)

	at := []string{"s3", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address}
	if got := finish(t, command{path: gimme, args: at, env: w.env()}); got.code != 1 || !strings.Contains(got.err, "certificate") {
		t.Errorf("without the authority: exit code %d: %s", got.code, got.err)
	}
	w.untouched(t)
	for _, name := range []string{"SSL_CERT_FILE", "AWS_CA_BUNDLE"} {
		_, got := beginLogin(t, w.env(name+"="+ca), append(at[2:], "--force")...).as(t, "alice", nil)
		got.must(t)
	}

	aws := newCLI(t, w, "sidecar")
	run := func(c command) result { t.Helper(); return finish(t, c) }
	if got := run(command{path: aws.path, args: append(aws.before, "s3", "cp", "s3://acme-lake/customers/2026.csv", "-"),
		env: w.env("AWS_PROFILE=sidecar", "AWS_CA_BUNDLE="+ca)}).must(t); got.out != contents("customers/2026.csv") {
		t.Errorf("the aws CLI got %q", got.out)
	}
	node := need(t, nodeParts)
	if got := run(command{path: "node", args: []string{filepath.Join(node, "s3.mjs"), "get", bucket, "customers/2026.csv"}, dir: node,
		env: w.env("AWS_PROFILE=sidecar", "NODE_EXTRA_CA_CERTS="+ca)}).must(t); !strings.Contains(got.out, "this is customers") {
		t.Errorf("node got %q", got.out)
	}
	if got := run(command{path: aws.path, args: append(aws.before, "s3", "rm", "s3://acme-lake/customers/2026.csv"),
		env: w.env("AWS_PROFILE=sidecar", "AWS_CA_BUNDLE="+ca)}); !strings.Contains(got.err, "lets you delete SENSITIVE data") {
		t.Errorf("the aws CLI says %q", got.err)
	}
}
