package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"text/template"
	"time"
)

// briefRole has sessions that end soon.
const briefRole = "arn:aws:iam::111122223333:role/brief"

var soakConfiguration = template.Must(template.New("").Parse(`listen: {{.Listen}}
address: https://{{.Listen}}
tls: {cert_file: tls/cert.pem, key_file: tls/key.pem}
issuers: [{issuer: {{.Issuer}}, client_id: gimme, scopes: [openid, email, profile, groups], email_domains: [example.com]}]
roles:
  - {arn: "` + engineerRole + `", groups: [data-engineering]}
  - {arn: "` + briefRole + `", groups: [data-engineering], max_session: 12s}
  - {arn: "` + staffRole + `", groups: [staff]}
sessions: {key_file: session-keys}
upstream:
  endpoint: {{.Upstream}}
  credentials: static
  static: {access_key_id: ` + upstreamKey + `, secret_access_key_file: upstream-secret}
policy: {data_map: datamap.yaml, policies: [policies]}
audit: {file: audit.jsonl, rotate: {size: 1MiB, compress: true}, checkpoints: {every: 2s}}
admin: {listen: {{.Admin}}}
`))

// soakMap names the data of the soak. What is in soak/shut nobody may touch, of
// soak/kept nobody may delete, and the policy on soak/gate changes.
const soakMap = `OPEN: [{repo: S3, attributes: [acme-lake/soak/open/]}]
KEPT: [{repo: S3, attributes: [acme-lake/soak/kept/]}]
GATE: [{repo: S3, attributes: [acme-lake/soak/gate/]}]
SHUT: [{repo: S3, attributes: [acme-lake/soak/shut/]}]
`

var soakFiles = map[string]string{
	"upstream-secret": upstreamSecret,
	"datamap.yaml":    soakMap,
	"policies/open.yaml": `name: open
data: [OPEN, KEPT]
rules:
  - identities: {groups: [data-engineering]}
    reads: [{data: [OPEN, KEPT]}]
    updates: [{data: [OPEN, KEPT]}]
    deletes: [{data: [OPEN]}]
`,
	"policies/shut.yaml": "name: shut\ndata: [SHUT]\nrules: [{identities: {groups: [hr]}, reads: [{data: [SHUT]}]}]\n",
	"policies/gate.yaml": gatePolicy("data-engineering"),
}

// gatePolicy opens soak/gate to one group.
func gatePolicy(group string) string {
	return "name: gate\ndata: [GATE]\nrules: [{identities: {groups: [" + group + "]}, reads: [{data: [GATE]}]}]\n"
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	s := &soak{
		t: t, seed: seed, provider: startProvider(t, place{}), upstream: startUpstream(t), identity: newIdentities(t),
		journal: newJournal(), vitals: new(vitals), deeds: newTallies(),
	}
	s.weather = startWeather(t, s.upstream.to, s.random("weather"))
	s.stock = newInventory(t, s)
	s.start()
	return s
}

// start starts the sidecar.
func (s *soak) start() {
	t := s.t
	t.Helper()
	listen, admin := freeAddress(t), freeAddress(t)
	c := &sidecar{folder: t.TempDir(), address: "https://" + listen, upstream: s.upstream, http: &http.Client{
		Timeout: patience, Transport: &http.Transport{TLSClientConfig: s.identity.trust(), DisableKeepAlives: true},
	}}
	for _, folder := range []string{"policies", "tls"} {
		if err := os.Mkdir(c.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range soakFiles {
		writeFile(t, c.path(name), text)
	}
	writeFile(t, c.path("tls/cert.pem"), s.identity.list[0].chain)
	writeFile(t, c.path("tls/key.pem"), s.identity.list[0].key)
	var text strings.Builder
	if err := soakConfiguration.Execute(&text, map[string]string{"Listen": listen, "Admin": admin, "Issuer": s.provider.issuer, "Upstream": s.weather.endpoint}); err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.path("proxy.yaml"), text.String())
	c.process = start(t, command{path: gimme, args: []string{"proxy", "--config", c.path("proxy.yaml")}, env: environment(c.folder)})
	c.ready(t, c.http, c.address+"/.well-known/gimme")
	s.sidecar, s.admin = c, "http://"+admin
}

// random is a source of its own for each part, so that they do not depend on
// each other's pace.
func (s *soak) random(part string) *rand.Rand {
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(s.seed >> (8 * i))
	}
	copy(seed[8:], part)
	return rand.New(rand.NewChaCha8(seed))
}

// identities are the certificates between which the sidecar changes. Clients
// trust all of them.
type identities struct {
	list  []certificate
	roots *x509.CertPool
	now   int
}

func newIdentities(t *testing.T) *identities {
	t.Helper()
	all := &identities{roots: x509.NewCertPool()}
	for range 4 {
		made := newCertificate(t, nil, net.IPv4(127, 0, 0, 1))
		all.list = append(all.list, made)
		all.roots.AppendCertsFromPEM([]byte(made.authority))
	}
	return all
}

func (i *identities) trust() *tls.Config { return &tls.Config{RootCAs: i.roots} }

// eventuallyTrue waits until done says so, and says whether it has.
func eventuallyTrue(within time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(within); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
