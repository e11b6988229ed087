package audit_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A written log, as lines by file, the oldest first.
type writtenLog struct {
	path        string
	checkpoints string
	key         string
	files       [][]string
}

// writeLog makes a log of n events in several files, with a checkpoint now and
// then and one at the end.
func writeLog(t testing.TB, n int, o audit.Options) writtenLog {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if o.Checkpoints == 0 {
		o.Checkpoints = 5 * time.Millisecond
	}
	if o.Rotate.Size == 0 {
		o.Rotate.Size = 8 << 10
	}
	o.OnError = func(err error) { t.Error(err) }
	l, err := o.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := event()
		e.ID = fmt.Sprintf("ID%d", i+1)
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return readLog(t, path)
}

func readLog(t testing.TB, path string) writtenLog {
	t.Helper()
	key, err := audit.VerifierKey(audit.KeyFile(path))
	if err != nil {
		t.Fatal(err)
	}
	w := writtenLog{path: path, checkpoints: audit.CheckpointsFile(path), key: key}
	names, err := audit.Files(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data := readFile(t, name)
		w.files = append(w.files, slices.Collect(strings.Lines(string(data))))
	}
	return w
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return data
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(zip); err != nil {
		t.Fatal(err)
	}
	return data
}

// verify writes files of these lines, and verifies them in a random order.
func (w writtenLog) verify(t testing.TB, files [][]string, o audit.Verification) *audit.Report {
	t.Helper()
	folder := t.TempDir()
	var names []string
	for i, lines := range files {
		name := filepath.Join(folder, fmt.Sprintf("%d.jsonl", i))
		data := []byte(strings.Join(lines, ""))
		if i == 1 {
			name += ".gz"
			var zipped bytes.Buffer
			zip, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed) //nolint:errcheck // a level that there is
			if _, err := zip.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := zip.Close(); err != nil {
				t.Fatal(err)
			}
			data = zipped.Bytes()
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	r, err := audit.Verify(names, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w writtenLog) full() audit.Verification {
	return audit.Verification{Checkpoints: []string{w.checkpoints}, Key: w.key}
}

func (w writtenLog) clone() [][]string {
	files := make([][]string, len(w.files))
	for i, f := range w.files {
		files[i] = slices.Clone(f)
	}
	return files
}

func TestALogThatNobodyTouchedHolds(t *testing.T) {
	w := writeLog(t, 300, audit.Options{Rotate: audit.Rotation{Size: 8 << 10, Compress: true}})
	if len(w.files) < 5 {
		t.Fatalf("%d files", len(w.files))
	}
	r := w.verify(t, w.files, w.full())
	if len(r.Faults) != 0 || len(r.Logs) != 1 {
		t.Fatalf("got %+v", r)
	}
	if l := r.Logs[0]; l.First != 1 || l.Last != 300 || l.Signed != 300 || l.Checkpoints < 2 {
		t.Errorf("got %+v", l)
	}
}

// A tampering changes files at a random place, and says which records a
// verifier may name first.
type tampering func(files [][]string, pick func() (file, line int)) (first, last int)

var tamperings = map[string]tampering{
	"flip": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		line := []byte(files[f][i])
		at := rand.N(len(line))
		line[at] ^= 1 << rand.N(8)
		seq := seqOf(files[f][i])
		files[f][i] = string(line)
		return seq, seq
	},
	"drop": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		seq := seqOf(files[f][i])
		files[f] = slices.Delete(files[f], i, i+1)
		return seq, seq
	},
	"double": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		g, j := pick()
		for j == 0 { // where one file ends and the next begins it may be no tampering: see TestAFileMayRepeatAnother
			g, j = pick()
		}
		seq := seqOf(files[f][i])
		files[g] = slices.Insert(files[g], j, files[f][i])
		return seq, seq
	},
	"swap neighbours": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		for i+1 >= len(files[f]) {
			f, i = pick()
		}
		seq := seqOf(files[f][i])
		files[f][i], files[f][i+1] = files[f][i+1], files[f][i]
		return seq, seq + 1
	},
	"swap far": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		g, j := pick()
		a, b := seqOf(files[f][i]), seqOf(files[g][j])
		for max(a, b)-min(a, b) < 2 {
			g, j = pick()
			b = seqOf(files[g][j])
		}
		files[f][i], files[g][j] = files[g][j], files[f][i]
		return min(a, b), min(a, b)
	},
	"cut a record": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		line := files[f][i]
		a, b := rand.N(len(line)), rand.N(len(line))
		seq := seqOf(line)
		files[f][i] = line[:min(a, b)] + line[max(a, b)+1:]
		if max(a, b) == len(line)-1 {
			return seq, seq + 1 // they have become one line
		}
		return seq, seq
	},
	"cut the tail": func(files [][]string, pick func() (int, int)) (int, int) {
		last := len(files) - 1
		i := rand.N(len(files[last]))
		seq := seqOf(files[last][i])
		files[last] = files[last][:i]
		return seq, seq
	},
	"insert a forged one": func(files [][]string, pick func() (int, int)) (int, int) {
		f, i := pick()
		seq := seqOf(files[f][i])
		files[f] = slices.Insert(files[f], i, strings.Replace(files[f][i], `"blocked"`, `"allowed"`, 1))
		return seq, seq
	},
}

// A file may begin with records that another one ends with, as copies of a growing
// log do. That is said, and is no fault.
func TestAFileMayRepeatAnother(t *testing.T) {
	w := writeLog(t, 40, audit.Options{})
	all := slices.Concat(w.files...)
	for _, at := range []int{5, 11, 20} {
		r := w.verify(t, [][]string{all[:at], all[at-1 : at], all[at-1:]}, w.full())
		if len(r.Faults) > 0 || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "repeats records that another file has") }) {
			t.Errorf("at %d: %v, %v", at, r.Faults, r.Notes)
		}
	}
}

func seqOf(line string) int {
	var seq int
	_, rest, _ := strings.Cut(line, `"seq":`)
	fmt.Sscanf(rest, "%d", &seq)
	return seq
}

func TestTamperingIsFoundAndTheRecordIsNamed(t *testing.T) {
	w := writeLog(t, 200, audit.Options{})
	for name, tamper := range tamperings {
		t.Run(name, func(t *testing.T) {
			for range 40 {
				files := w.clone()
				first, last := tamper(files, func() (int, int) {
					f := rand.N(len(files))
					return f, rand.N(len(files[f]))
				})
				if slices.EqualFunc(files, w.files, slices.Equal) {
					continue
				}
				r := w.verify(t, files, w.full())
				if len(r.Faults) == 0 {
					t.Fatalf("nothing was found; the record is %d", first)
				}
				if f := r.Faults[0]; int(f.Seq) < first || int(f.Seq) > last {
					t.Fatalf("record %d to %d was tampered with; got %v", first, last, r.Faults)
				}
			}
		})
	}
}
