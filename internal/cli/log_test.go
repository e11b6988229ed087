package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// auditLog writes a log of five events, signed for, and returns its path.
func (w *world) auditLog(t *testing.T) string {
	t.Helper()
	path := filepath.Join(w.home, "audit.jsonl")
	l, err := audit.Options{Checkpoints: time.Hour}.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"ID1", "ID2", "ID3", "ID4", "ID5"} {
		e := audit.Event{ID: id, Time: time.Unix(1700000000, 0), Kind: audit.KindDecision, Decision: audit.Allowed, Request: &audit.Request{Operation: "GetObject", Bucket: "lake", Key: "x"}}
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// edit changes the lines of a file.
func edit(t *testing.T, path string, change func(lines []string) []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := change(slices.Collect(strings.Lines(string(data))))
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLogVerify(t *testing.T) {
	keep := func(lines []string) []string { return lines }
	for _, c := range []struct {
		name   string
		change func(lines []string) []string
		args   []string
		code   int
		stdout string
		stderr []string
	}{
		{"as it was written", keep, nil, 0, "", []string{"records 1 to 5, one checkpoint holds, up to record 5", "give it with --key", "The log is as it was written."}},
		{"all that lies there", keep, []string{"HOME/audit.jsonl.checkpoints", "HOME/audit.jsonl.key", "HOME/audit.jsonl.tree"}, 0, "", []string{"one checkpoint holds"}},
		{"changed", func(lines []string) []string {
			lines[2] = strings.Replace(lines[2], "GetObject", "PutObject", 1)
			return lines
		}, nil, 1, `HOME/audit.jsonl:3: record 3 (id "ID3"): it was changed: the record after it has another hash for it` + "\n", []string{"the log is not as it was written: one fault was found", "keep the files as they are"}},
		{"cut", func(lines []string) []string { return lines[:3] }, nil, 1, "HOME/audit.jsonl: records 4 to 5: they are missing at the end: a checkpoint has been signed for them\n", nil},
		{"a part", func(lines []string) []string { return lines[1:3] }, []string{"--part"}, 0, "", []string{"records 2 to 3"}},
		{"no part", func(lines []string) []string { return lines[1:] }, nil, 1, "HOME/audit.jsonl: record 1: they are missing from the files, and no event says that they were removed\n", nil},
		{"another key", keep, []string{"--key", "gimme-audit+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"}, 1, "", []string{"gimme: error:"}},
		{"no key", keep, []string{"--key", "HOME/none"}, 2, "", []string{"--key is neither a verifier key nor a file with one", "gimme log key"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			path := w.auditLog(t)
			edit(t, path, c.change)
			args := []string{"log", "verify", path}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "HOME", w.home))
			}
			got := w.run(t, t.Context(), args...)
			if got.code != c.code {
				t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
			}
			if out := strings.ReplaceAll(got.stdout, w.home, "HOME"); c.stdout != "" && out != c.stdout {
				t.Errorf("stdout %q", out)
			}
			says(t, got.stderr, c.stderr...)
		})
	}
}

func TestLogVerifyForPrograms(t *testing.T) {
	w := newWorld(t)
	path := w.auditLog(t)
	edit(t, path, func(lines []string) []string { return slices.Delete(lines, 1, 2) })
	got := w.run(t, t.Context(), "log", "verify", "--json", path)
	var r struct {
		OK     bool          `json:"ok"`
		Faults []audit.Fault `json:"faults"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 1 || r.OK || len(r.Faults) != 1 || r.Faults[0].Seq != 2 || r.Faults[0].Line != 2 {
		t.Errorf("exit code %d, %v, %s", got.code, err, got.stdout)
	}
}

func TestLogKeyIsThatOfTheCheckpoints(t *testing.T) {
	w := newWorld(t)
	path := w.auditLog(t)
	key := w.does(t, "log", "key", path).stdout
	if !strings.HasPrefix(key, "gimme-audit+") || strings.Contains(key, "PRIVATE") {
		t.Errorf("got %q", key)
	}
	w.does(t, "log", "verify", path, "--key", strings.TrimSpace(key))
	w.write(t, "audit.vkey", key)
	w.does(t, "log", "verify", path, "--key", filepath.Join(w.home, "audit.vkey"))
	if err := os.Remove(audit.KeyFile(path)); err != nil {
		t.Fatal(err)
	}
	w.fails(t, t.Context(), 1, []string{"there is no key beside the log"}, "log", "key", path)
	w.fails(t, t.Context(), 2, []string{"cannot be verified without the key"}, "log", "verify", path)
}

func TestLogExport(t *testing.T) {
	w := newWorld(t)
	path := w.auditLog(t)
	for format, want := range map[string]string{"ocsf": `"class_uid":6003`, "cyral": `"statementType":"GetObject"`, "gimme": `"seq":5`} {
		out := w.does(t, "log", "export", "--format", format, path).stdout
		if strings.Count(out, "\n") != 5 || !strings.Contains(out, want) {
			t.Errorf("%s: got %s", format, out)
		}
	}
	w.fails(t, t.Context(), 2, []string{`--format is "xml"`}, "log", "export", "--format", "xml", path)
	w.fails(t, t.Context(), 2, []string{"no FILE is named"}, "log", "export", "--format", "ocsf")
}
