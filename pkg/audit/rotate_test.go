package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

func TestFilesAreTurnedAtTheirSize(t *testing.T) {
	for _, durability := range []audit.Durability{audit.DurableWrite, audit.DurableFsync} {
		t.Run(string(durability), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			if err := os.WriteFile(path, nil, 0o640); err != nil {
				t.Fatal(err)
			}
			l := open(t, audit.Options{Durability: durability, Rotate: audit.Rotation{Size: 4096, Compress: true}}, path)
			var writers sync.WaitGroup
			for i := range 4 {
				writers.Go(func() {
					for j := range 50 {
						write(t, l, fmt.Sprintf("%d-%d", i, j))
					}
				})
			}
			writers.Wait()
			closeLog(t, l)
			l = open(t, audit.Options{Rotate: audit.Rotation{Size: 4096, Compress: true}}, path) // compresses what is left
			write(t, l, "last")
			time.Sleep(50 * time.Millisecond)
			closeLog(t, l)
			names, err := audit.Files(path)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, name := range names {
				data := readFile(t, name)
				if len(data) > 4096 || len(data) == 0 {
					t.Errorf("%s has %d bytes", name, len(data))
				}
				if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 {
					t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
				}
				lines = append(lines, linesOf(string(data))...)
			}
			if got := wantChain(t, lines); len(got) != 201 {
				t.Errorf("%d events", len(got))
			}
			if zipped := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".gz") }); len(names) < 10 || zipped != 0 {
				t.Errorf("files %v", names)
			}
		})
	}
}

// Whatever a crash leaves of a rotation, the next start ends with the same log.
func TestARotationThatWasCut(t *testing.T) {
	for name, left := range map[string]func(t *testing.T, path string) (events int){
		"the next file is begun": func(t *testing.T, path string) int {
			copyFile(t, path, path+".next")
			return 3
		},
		"the old file is out of its place": func(t *testing.T, path string) int {
			lines := linesOf(string(readFile(t, path)))
			closed := strings.TrimSuffix(path, ".jsonl") + "-" + logOf(lines[0]) + "-000000000002.jsonl"
			writeLines(t, closed, lines[:2])
			writeLines(t, path+".next", lines[2:])
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			return 3
		},
		"half compressed": func(t *testing.T, path string) int {
			lines := linesOf(string(readFile(t, path)))
			closed := strings.TrimSuffix(path, ".jsonl") + "-" + logOf(lines[0]) + "-000000000002.jsonl"
			writeLines(t, closed, lines[:2])
			writeLines(t, closed+".gz.part", []string{"half"})
			writeLines(t, path, lines[2:])
			return 3
		},
		"compressed, and not yet removed": func(t *testing.T, path string) int {
			lines := linesOf(string(readFile(t, path)))
			closed := strings.TrimSuffix(path, ".jsonl") + "-" + logOf(lines[0]) + "-000000000002.jsonl"
			writeLines(t, closed, lines[:2])
			writeLines(t, closed+".gz", []string{"whatever"})
			writeLines(t, path, lines[2:])
			return 3
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l := open(t, audit.Options{}, path)
			write(t, l, "1", "2", "3")
			closeLog(t, l)
			events := left(t, path)
			l = open(t, audit.Options{Rotate: audit.Rotation{Size: 1 << 20, Compress: true}}, path)
			write(t, l, "4")
			closeLog(t, l)
			l = open(t, audit.Options{Rotate: audit.Rotation{Size: 1 << 20, Compress: true}}, path)
			for deadline := time.Now().Add(10 * time.Second); leftovers(t, path) && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			closeLog(t, l)
			var lines []string
			names, err := audit.Files(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				lines = append(lines, linesOf(string(readFile(t, name)))...)
			}
			if got := wantChain(t, lines); len(got) != events+1 {
				t.Errorf("got %v", idsOf(got))
			}
		})
	}
}

func leftovers(t *testing.T, path string) bool {
	t.Helper()
	for _, pattern := range []string{"*.part", "*.next", "*-*.jsonl"} {
		if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), pattern)); err != nil || len(found) > 0 {
			return true
		}
	}
	return false
}

func logOf(line string) string {
	var e audit.Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		panic(err)
	}
	return e.Log
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	writeLines(t, to, linesOf(string(readFile(t, from))))
}

func writeLines(t *testing.T, path string, lines []string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is removed is removed because the log says so, and does not make it
// faulty.
func TestOldFilesGoAndTheLogSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	o := audit.Options{Rotate: audit.Rotation{Size: 2048, Keep: 3, Compress: true}, Checkpoints: 2 * time.Millisecond, OnError: func(err error) { t.Error(err) }}
	l := open(t, o, path)
	for i := range 120 {
		write(t, l, fmt.Sprint(i))
		time.Sleep(time.Millisecond)
	}
	closeLog(t, l)
	names, err := audit.Files(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 6 {
		t.Errorf("files %v", names)
	}
	w := readLog(t, path)
	r, err := audit.Verify(names, w.full())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults) != 0 || r.Logs[0].First == 1 || r.Logs[0].Checkpoints == 0 || r.Logs[0].Signed != r.Logs[0].Last {
		t.Errorf("got %+v", r)
	}
	r, err = audit.Verify(names[1:], w.full())
	if err != nil || len(r.Faults) == 0 {
		t.Errorf("a file that nobody removed is missing: got %+v, %v", r, err)
	}
}

// What cannot be rotated goes on in its file. A folder in the way of the next
// file is a reason that root meets, too.
func TestWhatCannotBeRotatedGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var told []error
	l := open(t, audit.Options{Rotate: audit.Rotation{Size: 1024}, OnError: func(err error) { told = append(told, err) }}, path)
	if err := os.MkdirAll(filepath.Join(path+".next", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		write(t, l, fmt.Sprint(i))
	}
	closeLog(t, l)
	if len(told) == 0 || len(wantChain(t, linesOf(string(readFile(t, path))))) != 10 {
		t.Errorf("told %v", told)
	}
}
