package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/internal/login/logintest"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// A caller is an SDK that runs credential-process. Its stdin must not be read.
type caller struct {
	*world
	terminal func() (io.ReadWriteCloser, error)
	browser  func(context.Context, string) error
}

type noStdin struct{ t *testing.T }

func (n noStdin) Read([]byte) (int, error) {
	n.t.Error("stdin was read")
	return 0, io.EOF
}

func (c *caller) run(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := cli.App{
		Stdin: noStdin{t}, Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return c.env[name] },
		OpenBrowser: c.browser, OpenTerminal: c.terminal,
	}
	code := a.Run(t.Context(), append([]string{"credential-process"}, args...))
	r := result{code, stdout.String(), stderr.String()}
	for _, s := range append(c.issuer.Secrets(), c.sidecar.issued()...) {
		if s != "" && strings.Contains(r.stderr, s) {
			t.Errorf("a secret is on stderr: %s", r.stderr)
		}
	}
	if (code == 0) != (r.stderr == "") || (code == 0) == (r.stdout == "") || strings.Count(r.stderr, "\n") > 1 {
		t.Errorf("exit code %d with %q and %q", code, r.stdout, r.stderr)
	}
	return r
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	c := &caller{world: newWorld(t)}
	delete(c.env, "BROWSER")
	c.env["GIMME_STATE_DIR"] = filepath.Join(c.home, "state")
	c.write(t, ".config/gimme/config.yaml", "profiles:\n  sidecar:\n    address: "+c.sidecar.URL+"\n    identity: person\n")
	return c
}

// put puts credentials at hand.
func (c *caller) put(t *testing.T, left time.Duration) {
	t.Helper()
	key, err := cli.ProcessKey(cli.App{Getenv: func(name string) string { return c.env[name] }}, "sidecar")
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(left)
	err = store.Open(c.env["GIMME_STATE_DIR"], store.Options{}).PutCredentials(key, &store.Credentials{
		AccessKeyID: "AKID", SecretAccessKey: secret.New("key<&>"), SessionToken: secret.New("g1.token"), Issued: expires.Add(-time.Hour), Expires: expires,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is at hand is printed in the form of the contract, without the network,
// in every spelling of the command.
func TestProcessAtHand(t *testing.T) {
	c := newCaller(t)
	c.sidecar.server.Close()
	c.put(t, time.Hour)
	want := map[string]any{"Version": 1.0, "AccessKeyId": "AKID", "SecretAccessKey": "key<&>", "SessionToken": "g1.token"}
	for _, args := range [][]string{{"--profile", "sidecar"}, {"--profile=sidecar"}, {"--no-login", "--profile", "sidecar"}} {
		r := c.run(t, args...)
		var got map[string]any
		if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || strings.Count(r.stdout, "\n") != 1 {
			t.Fatalf("%v: %v in %q", args, err, r.stdout)
		}
		expires, err := time.Parse(time.RFC3339, got["Expiration"].(string))
		if delete(got, "Expiration"); err != nil || time.Until(expires) < 50*time.Minute || !cmp.Equal(got, want) {
			t.Errorf("%v: %v, %v", args, got, err)
		}
	}
}

// AtHand leaves to Run whatever is not as usual.
func TestAtHandAnswersNothingElse(t *testing.T) {
	c := newCaller(t)
	var out bytes.Buffer
	a := cli.App{Stdout: &out, Getenv: func(name string) string { return c.env[name] }}
	usual := []string{"credential-process", "--profile", "sidecar"}
	if a.AtHand(usual) {
		t.Error("with nothing at hand")
	}
	c.put(t, 19*time.Minute)
	if a.AtHand(usual) {
		t.Error("with what is to be renewed")
	}
	c.put(t, time.Hour)
	for _, args := range [][]string{nil, usual[:2], {"credential-process", "--profile", "other"}, {"credential-process", "--profile", "sidecar", "--no-login"}, {"whoami", "--profile", "sidecar"}} {
		if a.AtHand(args) {
			t.Errorf("%q", args)
		}
	}
	entries, err := filepath.Glob(filepath.Join(c.env["GIMME_STATE_DIR"], "credentials", "*.json"))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if err := os.Chmod(entries[0], 0o666); err != nil {
		t.Fatal(err)
	}
	if a.AtHand(usual) {
		t.Error("with a file that others may write")
	}
	if err := os.Chmod(entries[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("it printed %q", &out)
	}
	if !a.AtHand(usual) || out.Len() == 0 {
		t.Error("and then not what is at hand")
	}
}

// Without anybody who could be asked it says in one line what to do, and makes
// no request for a login.
func TestProcessAsksNobody(t *testing.T) {
	c := newCaller(t)
	for name, change := range map[string]func(){
		"nothing":     func() {},
		"no terminal": func() { c.terminal = func() (io.ReadWriteCloser, error) { return nil, fs.ErrNotExist } },
		"CI":          func() { c.env["CI"] = "true"; c.browser = c.open },
	} {
		change()
		r := c.run(t, "--profile", "sidecar")
		if r.code != 4 || !strings.Contains(r.stderr, "gimme login --profile sidecar") {
			t.Errorf("%s: %d %s", name, r.code, r.stderr)
		}
	}
	if c.issuer.Redeemed() > 0 || len(c.sidecar.asked()) > 0 {
		t.Error("somebody was asked")
	}
}

func TestProcessOfNoProfile(t *testing.T) {
	c := newCaller(t)
	if r := c.run(t, "--profile", "other"); r.code != 2 {
		t.Errorf("%d %s", r.code, r.stderr)
	}
	c.write(t, ".config/gimme/config.yaml", "profiles: [")
	if r := c.run(t, "--profile", "sidecar"); r.code != 1 {
		t.Errorf("%d %s", r.code, r.stderr)
	}
}

// A person is a terminal at which somebody reads and opens what is shown.
type person struct {
	t    *testing.T
	text bytes.Buffer
	went bool
	done chan struct{}
}

var shown = regexp.MustCompile(`http://\S+/authorize\?\S+\s`)

func (p *person) Write(data []byte) (int, error) {
	p.text.Write(data)
	if address := shown.FindString(p.text.String()); address != "" && !p.went {
		p.went = true
		go func() {
			defer close(p.done)
			if err := new(logintest.Browser).Open(p.t.Context(), strings.TrimSpace(address)); err != nil {
				p.t.Error(err)
			}
		}()
	}
	return len(data), nil
}

// Read ends when nothing more is typed, which is never.
func (p *person) Read([]byte) (int, error) {
	<-p.done
	return 0, errors.New("hung up")
}

func (p *person) Close() error { return nil }

// Where no browser can be opened the person is asked at the terminal, which is
// neither stdout nor stderr.
func TestProcessAsksAtTheTerminal(t *testing.T) {
	c := newCaller(t)
	c.env["GIMME_FLOW"] = "paste"
	p := &person{t: t, done: make(chan struct{})}
	c.terminal = func() (io.ReadWriteCloser, error) { return p, nil }
	if r := c.run(t, "--profile", "sidecar"); r.code != 0 {
		t.Fatalf("%d %s\n%s", r.code, r.stderr, &p.text)
	}
	<-p.done
	again := c.run(t, "--profile", "sidecar")
	if again.code != 0 || c.issuer.Redeemed() != 1 || len(c.sidecar.asked()) != 1 {
		t.Errorf("%d token requests, %d at the STS", c.issuer.Redeemed(), len(c.sidecar.asked()))
	}
}
