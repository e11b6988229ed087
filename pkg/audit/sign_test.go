package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// signing is a log that signs when it is closed, and hardly before.
var signing = audit.Options{Checkpoints: time.Hour}

// A checkpoint is what C2SP's tlog-checkpoint says, made with golang.org/x/mod
// alone: an outsider finds the same root over the same lines.
func TestACheckpointIsAnOrdinaryTreeHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for i := range 13 {
		l := open(t, signing, path)
		write(t, l, fmt.Sprint(i))
		closeLog(t, l)
	}
	w := readLog(t, path)
	if info, err := os.Stat(audit.KeyFile(path)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
	verifier, err := note.NewVerifier(w.key)
	if err != nil {
		t.Fatal(err)
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			hashes[i] = stored[x]
		}
		return hashes, nil
	})
	notes := strings.SplitAfter(string(readFile(t, w.checkpoints)), "=\n\n")
	notes = notes[:len(notes)-1]
	if len(notes) != 13 {
		t.Fatalf("%d checkpoints", len(notes))
	}
	for i, line := range w.files[0] {
		sum := sumOfLine(line)
		hashes, err := tlog.StoredHashes(int64(i), sum[:], reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		root, err := tlog.TreeHash(int64(i+1), reader)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open([]byte(strings.TrimSuffix(notes[i], "\n")), note.VerifierList(verifier))
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("gimme-audit/%s\n%d\n%v\nline sha256:%x\n", logOf(line), i+1, root, sum)
		if n.Text != want {
			t.Errorf("got %q, want %q", n.Text, want)
		}
	}
}

// The tree goes on whatever a crash left of its files; if it cannot, the log is
// begun anew, and says why.
func TestTheTreeAfterACrash(t *testing.T) {
	for name, c := range map[string]struct {
		crash func(t *testing.T, path string)
		anew  string // why a new log is begun; empty: none is
	}{
		"no state":          {crash: func(t *testing.T, path string) { remove(t, path+".tree") }},
		"a state of zeroes": {crash: func(t *testing.T, path string) { writeLines(t, path+".tree", []string{"\x00\x00\x00"}) }},
		"no files but the log": {crash: func(t *testing.T, path string) {
			remove(t, path+".tree")
			remove(t, audit.CheckpointsFile(path))
		}},
		"a torn checkpoint": {crash: func(t *testing.T, path string) {
			data := readFile(t, audit.CheckpointsFile(path))
			writeLines(t, audit.CheckpointsFile(path), []string{string(data), string(data[:len(data)/2])})
		}},
		"lines that are not signed for": {crash: func(t *testing.T, path string) {
			l := open(t, audit.Options{}, path)
			write(t, l, "a", "b")
			closeLog(t, l)
		}},
		"a cut tail": {crash: func(t *testing.T, path string) {
			lines := linesOf(string(readFile(t, path)))
			writeLines(t, path, lines[:len(lines)-2])
		}, anew: "a checkpoint covers 5 lines, and there are 3"},
		"a changed last line": {crash: func(t *testing.T, path string) {
			writeLines(t, path, []string{strings.Replace(string(readFile(t, path)), `"id":"4"`, `"id":"x"`, 1)})
		}, anew: "line 5 is not the one that the last checkpoint covers"},
		"a line that is no event": {crash: func(t *testing.T, path string) {
			writeLines(t, path, []string{string(readFile(t, path)), "{}\n"})
		}, anew: "the last line of the file has no place in a log"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l := open(t, signing, path)
			write(t, l, "0", "1", "2", "3", "4")
			closeLog(t, l)
			old := l.Name()
			c.crash(t, path)
			l = open(t, signing, path)
			write(t, l, "after")
			closeLog(t, l)
			w := readLog(t, path)
			begun := slices.IndexFunc(w.files[0], func(line string) bool { return strings.Contains(line, `"operation":"log-begun"`) })
			if c.anew == "" {
				if r := w.verify(t, w.files, w.full()); l.Name() != old || begun >= 0 || len(r.Faults) > 0 || r.Logs[0].Signed != r.Logs[0].Last {
					t.Errorf("got %+v", r)
				}
				return
			}
			if l.Name() == old || begun < 0 || !strings.Contains(w.files[0][begun], c.anew) {
				t.Errorf("got %s", w.files[0])
			}
			if r := w.verify(t, w.files, w.full()); len(r.Faults) == 0 {
				t.Error("nothing was found")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// Nothing new, nothing signed.
func TestCheckpointsAreForNewEventsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, audit.Options{Checkpoints: time.Millisecond}, path)
	write(t, l, "1")
	time.Sleep(50 * time.Millisecond)
	closeLog(t, l)
	closeLog(t, open(t, signing, path))
	if n := strings.Count(string(readFile(t, audit.CheckpointsFile(path))), "\n— "); n != 1 {
		t.Errorf("%d checkpoints", n)
	}
}

func TestForksAreFound(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "audit.jsonl")
	l := open(t, signing, path)
	write(t, l, "1", "2", "3")
	closeLog(t, l)
	other := t.TempDir()
	for _, name := range []string{"audit.jsonl", "audit.jsonl.key", "audit.jsonl.tree", "audit.jsonl.checkpoints"} {
		copyFile(t, filepath.Join(folder, name), filepath.Join(other, name))
	}
	forked := filepath.Join(other, "audit.jsonl")
	for p, id := range map[string]string{path: "ours", forked: "theirs"} {
		l := open(t, signing, p)
		write(t, l, id)
		closeLog(t, l)
	}
	w := readLog(t, path)
	t.Run("two files", func(t *testing.T) {
		r, err := audit.Verify([]string{path, forked}, audit.Verification{})
		if err != nil || len(r.Faults) != 1 || r.Faults[0].Seq != 4 || r.Faults[0].Line != 4 || !strings.Contains(r.Faults[0].Reason, "forked") {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("a copy", func(t *testing.T) {
		whole := filepath.Join(t.TempDir(), "copy.jsonl")
		copyFile(t, path, whole)
		r, err := audit.Verify([]string{path, whole}, audit.Verification{})
		if err != nil || len(r.Faults) != 0 || len(r.Notes) != 1 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("checkpoints", func(t *testing.T) {
		r, err := audit.Verify([]string{path}, audit.Verification{Key: w.key, Checkpoints: []string{w.checkpoints, audit.CheckpointsFile(forked)}})
		if err != nil || len(r.Faults) == 0 || r.Faults[0].Seq != 4 || !strings.Contains(r.Faults[0].Reason, "contradicts") {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("another key", func(t *testing.T) {
		stranger := filepath.Join(t.TempDir(), "audit.jsonl")
		l := open(t, signing, stranger)
		write(t, l, "1")
		closeLog(t, l)
		key := readLog(t, stranger).key
		r, err := audit.Verify([]string{path}, audit.Verification{Key: key, Checkpoints: []string{w.checkpoints}})
		if err != nil || len(r.Faults) != 2 || r.Faults[0].File != w.checkpoints {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

// A chain that was made anew from some record on, by somebody who has no key.
func TestAChainThatWasMadeAnewIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for i := range 3 {
		l := open(t, signing, path)
		write(t, l, fmt.Sprint(i, "a"), fmt.Sprint(i, "b"), fmt.Sprint(i, "c"))
		closeLog(t, l)
	}
	w := readLog(t, path)
	files := w.clone()
	rechain(files[0], 4, `"blocked"`, `"allowed"`) // record 5, of the second checkpoint
	r := w.verify(t, files, w.full())
	if len(r.Faults) == 0 || r.Faults[0].Seq != 4 || r.Faults[0].Until != 6 || !strings.Contains(r.Faults[0].Reason, "anew") {
		t.Errorf("got %+v", r)
	}
	if r := w.verify(t, files, audit.Verification{}); len(r.Faults) != 0 {
		t.Errorf("without checkpoints nobody can know: %+v", r)
	}
}

// rechain changes line i, and makes all that follow fit it.
func rechain(lines []string, i int, old, changed string) {
	lines[i] = strings.Replace(lines[i], old, changed, 1)
	for ; i+1 < len(lines); i++ {
		head, _, _ := strings.Cut(lines[i+1], `,"prev":"`)
		lines[i+1] = fmt.Sprintf("%s,\"prev\":\"%x\"}\n", head, sumOfLine(lines[i]))
	}
}
