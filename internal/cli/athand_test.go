package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// asked is what came of one run: early says that nothing which talks to the
// network was made ready for it.
type asked struct {
	out   string
	early bool
	code  int
}

// ask runs credential-process as SDKs do.
func (r race) ask(t *testing.T, env ...string) asked {
	t.Helper()
	args := r.CachedCredentials(r.gimme).Args
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(append([]string{"GODEBUG=inittrace=1", "GIMME_NO_LOGIN=true"}, r.Env...), env...)
	var out, trace bytes.Buffer
	c.Stdout, c.Stderr = &out, &trace
	err := c.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if !strings.Contains(trace.String(), "init ") {
		t.Fatalf("no trace of what was made ready: %s", &trace)
	}
	return asked{out.String(), !strings.Contains(trace.String(), "init net/http "), c.ProcessState.ExitCode()}
}

// put puts credentials at hand.
func (r race) put(t *testing.T, id string, issued time.Time) {
	t.Helper()
	if err := r.Store.PutCredentials(r.Key, &store.Credentials{
		AccessKeyID: id, SecretAccessKey: secret.New("secret-of-" + id), SessionToken: secret.New("token"),
		Issued: issued, Expires: issued.Add(time.Hour), Role: "arn:aws:iam::111122223333:role/data-engineering",
	}); err != nil {
		t.Fatal(err)
	}
}

// An answer is given early only while all that it depends on is as it was, and
// it is the same as the one that took the long way.
func TestAnswersAtHand(t *testing.T) {
	r := newRace(t)
	r.put(t, "AKIDONE", time.Now())
	first := r.ask(t)
	if first.early || first.code != 0 || !strings.Contains(first.out, "AKIDONE") {
		t.Fatalf("%+v", first)
	}
	again := func(t *testing.T) {
		t.Helper()
		r.put(t, "AKIDONE", time.Now())
		r.ask(t)
		if got := r.ask(t); !got.early || got.code != 0 || !strings.Contains(got.out, "AKIDONE") {
			t.Fatalf("not early: %+v", got)
		}
	}
	if got := r.ask(t); !got.early || got.out != first.out {
		t.Fatalf("%+v, want what came first", got)
	}
	note := filepath.Join(r.Folder, "at-hand", "sidecar.json")
	if data, err := os.ReadFile(note); err != nil || bytes.Contains(data, []byte("secret-of")) {
		t.Errorf("the note says %s, %v", data, err)
	}
	if info, err := os.Stat(note); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the note: %v, %v", info, err)
	}

	edit := func(field string, at time.Time) func(*testing.T) {
		return func(t *testing.T) {
			data, err := os.ReadFile(note)
			must(t, err)
			var n map[string]json.RawMessage // as they are: numbers are large
			must(t, json.Unmarshal(data, &n))
			n[field], err = json.Marshal(at)
			must(t, err)
			data, err = json.Marshal(n)
			must(t, err)
			must(t, os.WriteFile(note, data, 0o600))
		}
	}
	for name, row := range map[string]struct {
		change func(t *testing.T)
		env    []string
		want   string // in the answer; empty: there is none
	}{
		"other credentials":     {func(t *testing.T) { r.put(t, "AKIDTWO", time.Now()) }, nil, "AKIDTWO"},
		"expired credentials":   {func(t *testing.T) { r.put(t, "AKIDOLD", time.Now().Add(-2*time.Hour)) }, nil, ""},
		"none any more":         {func(t *testing.T) { must(t, r.Store.DropCredentials(r.Key)) }, nil, ""},
		"others may read them":  {func(t *testing.T) { must(t, os.Chmod(r.Store.CredentialsPath(r.Key), 0o644)) }, nil, ""},
		"another configuration": {func(t *testing.T) { must(t, os.WriteFile(r.Config, []byte("profiles: {}\n"), 0o600)) }, nil, ""},
		"the same, written anew": {func(t *testing.T) {
			data, err := os.ReadFile(r.Config)
			must(t, err)
			must(t, os.WriteFile(r.Config, data, 0o600))
		}, nil, "AKIDONE"},
		"another address":         {func(*testing.T) {}, []string{"GIMME_ADDRESS=https://other.sidecar.example"}, ""},
		"a job":                   {func(*testing.T) {}, []string{"CI=true"}, ""},
		"others may read a note":  {func(t *testing.T) { must(t, os.Chmod(note, 0o644)) }, nil, "AKIDONE"},
		"a note that is torn":     {func(t *testing.T) { must(t, os.WriteFile(note, []byte(`{"env":{`), 0o600)) }, nil, "AKIDONE"},
		"a note that has run out": {edit("until", time.Now().Add(-time.Second)), nil, "AKIDONE"},
		"a note of the future":    {edit("from", time.Now().Add(time.Hour)), nil, "AKIDONE"},
		"no note":                 {func(t *testing.T) { must(t, os.Remove(note)) }, nil, "AKIDONE"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := os.ReadFile(r.Config)
			must(t, err)
			again(t)
			row.change(t)
			got := r.ask(t, row.env...)
			if got.early || row.want == "" && (got.out != "" || got.code == 0) || !strings.Contains(got.out, row.want) {
				t.Errorf("%+v, want %q", got, row.want)
			}
			must(t, os.WriteFile(r.Config, config, 0o600))
			must(t, os.RemoveAll(note))
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
