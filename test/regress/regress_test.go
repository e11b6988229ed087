package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const benchmark = `package hot

import "testing"

var kept [][]byte

func BenchmarkHot(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		kept = kept[:0]
		for range TIMES {
			kept = append(kept, make([]byte, 64))
		}
	}
}
`

// A repository has one hot benchmark, which allocates four times in its last
// commit, and is not there in the one before.
type repository struct {
	*testing.T
	folder, benchstat string
	before, last      string // commits
}

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{T: t, folder: t.TempDir(), benchstat: benchstat(t)}
	r.git("init", "-q")
	r.write("go.mod", "module example.com/hot\n\ngo 1.26.0\n")
	r.before = r.commit()
	r.allocates("4")
	r.last = r.commit()
	return r
}

func (r repository) write(name, text string) {
	r.Helper()
	path := filepath.Join(r.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r repository) git(args ...string) string {
	r.Helper()
	c := exec.Command("git", append([]string{"-c", "user.name=n", "-c", "user.email=n@example.com", "-C", r.folder}, args...)...)
	out, err := c.CombinedOutput()
	if err != nil {
		r.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) commit() string {
	r.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "a commit")
	return r.git("rev-parse", "HEAD")
}

func (r repository) allocates(times string) {
	r.write("hot/hot_test.go", strings.Replace(benchmark, "TIMES", times, 1))
}

// run compares what it allocates. Times are not held to anything here: they are
// the machine's.
func (r repository) run(g gate) (string, error) {
	var out bytes.Buffer
	g.root, g.benchstat, g.out = r.folder, r.benchstat, &out
	if g.hot == nil {
		g.hot = []suite{{"hot", []string{"Hot"}, memory, "1ms"}}
	}
	if g.rounds == 0 {
		g.rounds = 6
	}
	err := g.run(r.Context())
	return out.String(), err
}

// What allocates more is found, and what does not passes.
func TestRegress(t *testing.T) {
	r := newRepository(t)
	r.write(".ci/baseline", r.last+"\n")
	for _, row := range []struct{ name, times, lost string }{
		{"the same", "4", ""}, {"fewer", "3", ""}, {"more", "5", "allocs/op from 4 to 5"}, {"the same again", "4", ""},
	} {
		r.allocates(row.times) // and nobody has committed it
		out, err := r.run(gate{})
		passed := err == nil && strings.Contains(out, "2 figures compared, 0 worse")
		found := err != nil && strings.Contains(err.Error(), row.lost) && strings.Contains(out, "again, for longer")
		if row.lost == "" && !passed || row.lost != "" && !found {
			t.Errorf("%s: %v\n%s", row.name, err, out)
		}
	}
	if status := r.git("status", "--short"); status != "?? .ci/" {
		t.Errorf("it left behind: %s", status)
	}
}

// What cannot be compared does not pass.
func TestRegressRefuses(t *testing.T) {
	r := newRepository(t)
	refused := func(want string, g gate) {
		t.Helper()
		if out, err := r.run(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q\n%s", err, want, out)
		}
	}
	refused("-base names one", gate{})
	r.write(".ci/baseline", "\n")
	refused("git rev-parse HEAD >.ci/baseline", gate{})
	r.write(".ci/baseline", strings.Repeat("0", 40)+"\n")
	refused("is not in this clone: git fetch --unshallow", gate{})
	refused("is no commit", gate{base: "--output=x"})
	refused("fewer than 6 runs", gate{rounds: 5})
	refused("nothing was compared", gate{base: r.before})
	refused("hot.Gone is not in this tree", gate{base: r.last, hot: []suite{{"hot", []string{"Gone"}, memory, "1ms"}}})
	r.write("hot/hot_test.go", "package hot\n\nnonsense\n")
	refused("build the benchmarks of", gate{base: r.last})
	if err := os.RemoveAll(filepath.Join(r.folder, "hot")); err != nil {
		t.Fatal(err)
	}
	refused("hot.Hot is not in this tree", gate{base: r.last})
}
