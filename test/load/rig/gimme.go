package rig

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/internal/session"
)

const (
	issuer = "http://127.0.0.1:9/nobody" // is never asked: sessions are sealed here
	role   = "arn:aws:iam::111122223333:role/lake"
	group  = "data-engineering"
)

// A Sidecar says how a gimme proxy is set up. The zero value is a plain one.
type Sidecar struct {
	Name     string // of the way; "": gimme
	Program  string // path; "": the one that was built from the tree
	Entries  int    // of the data map; 0: 100
	Rules    int    // of the policy; 0: 10
	Sessions int    // that clients have, each another person's; 0: 16
	Workers  int    // processors that it may use; 0: all
}

// A Gimme is a gimme proxy that runs.
type Gimme struct {
	*Way
	folder string
}

// Gimme starts a gimme proxy, with policy and log.
func (r *Rig) Gimme(u *Upstream, secure bool, c Sidecar) (*Gimme, error) {
	folder, err := r.place("gimme")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	g := &Gimme{folder: folder}
	if err := g.configure(address, u, r.pair, secure, c); err != nil {
		return nil, err
	}
	clients, err := g.sessions(cmp.Or(c.Sessions, 16))
	if err != nil {
		return nil, err
	}
	if c.Program == "" {
		if c.Program, err = r.program("gimme"); err != nil {
			return nil, err
		}
	}
	c.Name = cmp.Or(c.Name, "gimme")
	var env []string
	if c.Workers > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", c.Workers))
	}
	p, err := r.start(c.Name, folder, c.Program, env, "proxy", "--config", filepath.Join(folder, "proxy.yaml"))
	if err != nil {
		return nil, err
	}
	g.Way, err = r.way(c.Name, address, secure, p, clients...)
	return g, err
}

func (g *Gimme) configure(address string, u *Upstream, pair certificate, secure bool, c Sidecar) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "listen: %s\n", address)
	if secure {
		fmt.Fprintf(&b, "tls: {cert_file: %q, key_file: %q}\n", pair.cert, pair.key)
	}
	fmt.Fprintf(&b, "issuers: [{issuer: %q, client_id: gimme}]\n", issuer)
	fmt.Fprintf(&b, "roles: [{arn: %q, groups: [%s]}]\n", role, group)
	fmt.Fprintf(&b, "sessions: {key_file: session-keys}\n")
	fmt.Fprintf(&b, "upstream: {endpoint: 'http://%s', credentials: static, static: {access_key_id: %s, secret_access_key_file: upstream-secret}}\n", u.plain, keys.AccessKeyID)
	fmt.Fprintf(&b, "policy: {data_map: datamap.yaml, policies: [policy.yaml]}\n")
	fmt.Fprintf(&b, "audit: {file: audit.jsonl}\n")
	fmt.Fprintf(&b, "admin: {listen: off}\n")
	for name, text := range map[string][]byte{
		"proxy.yaml":      b.Bytes(),
		"upstream-secret": []byte(keys.SecretAccessKey + "\n"),
		"datamap.yaml":    dataMap(cmp.Or(c.Entries, 100), 0),
		"policy.yaml":     policy(cmp.Or(c.Rules, 10)),
	} {
		if err := os.WriteFile(filepath.Join(g.folder, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// sessions seals some, each of another person, as the sidecar does when they
// log in.
func (g *Gimme) sessions(n int) ([]aws.Credentials, error) {
	ring, err := session.OpenKeyring(filepath.Join(g.folder, "session-keys"), "default")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	all := make([]aws.Credentials, n)
	for i := range all {
		c, err := ring.Issue(session.Claims{
			Principal: session.Principal{Issuer: issuer, Subject: fmt.Sprintf("person-%06d", i), Email: fmt.Sprintf("person-%06d@example.com", i), Name: fmt.Sprintf("Person %d", i)},
			Groups:    []string{group, "analysts", "everybody"}, Role: role, Issued: now, Expires: now.Add(12 * time.Hour), AuthTime: now, Method: "browser",
		})
		if err != nil {
			return nil, err
		}
		all[i] = aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal()}
	}
	return all, nil
}

// dataMap has so many entries, of which a few cover all that is asked for. Most
// of the others lie in the same bucket, and one in ten is a pattern.
func dataMap(entries, generation int) []byte {
	work := []string{"small/", "medium/", "large/", "put/", "list/"}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# generation %d\nSENSITIVE:\n  - repo: S3\n    attributes:\n", generation)
	for i := range entries - len(work) {
		switch i % 10 {
		case 0:
			fmt.Fprintf(&b, "      - %s/archive/%06d/*.parquet\n", Bucket, i)
		case 1:
			fmt.Fprintf(&b, "      - bucket-%06d\n", i)
		default:
			fmt.Fprintf(&b, "      - %s/archive/%06d/\n", Bucket, i)
		}
	}
	b.WriteString("WORK:\n  - repo: S3\n    attributes:\n")
	for _, prefix := range work {
		fmt.Fprintf(&b, "      - %s/%s\n", Bucket, prefix)
	}
	return b.Bytes()
}

// policy has so many rules, of which the last allows what is asked for. Half of
// the others name a user, and half a group.
func policy(rules int) []byte {
	var b bytes.Buffer
	b.WriteString("name: work\ndata: [WORK]\nrules:\n")
	for i := range rules - 1 {
		if i%2 == 0 {
			fmt.Fprintf(&b, "  - {identities: {groups: [team-%06d]}, reads: [{data: any}]}\n", i)
		} else {
			fmt.Fprintf(&b, "  - {identities: {users: [someone-%06d]}, reads: [{data: any}]}\n", i)
		}
	}
	fmt.Fprintf(&b, "  - {identities: {groups: [%s]}, reads: [{data: any}], updates: [{data: any}]}\n", group)
	return b.Bytes()
}

// Prepare writes a data map of so many entries, for Reload to put in force. No
// two generations are equal.
func (g *Gimme) Prepare(entries, generation int) error {
	return os.WriteFile(g.prepared(generation), dataMap(entries, generation), 0o600)
}

func (g *Gimme) prepared(generation int) string {
	return filepath.Join(g.folder, fmt.Sprintf("datamap.%d", generation))
}

// Reload tells the sidecar to read the data map that was prepared.
func (g *Gimme) Reload(generation int) error {
	return errors.Join(os.Rename(g.prepared(generation), filepath.Join(g.folder, "datamap.yaml")), g.Part.Signal(syscall.SIGHUP))
}

// Reloads is how many have taken effect, and how many have failed, by its log.
func (g *Gimme) Reloads() (done, failed int, err error) {
	data, err := os.ReadFile(g.Part.log)
	return bytes.Count(data, []byte(`"msg":"data map and policies reloaded"`)), bytes.Count(data, []byte(`"msg":"data map and policies not reloaded`)), err
}
