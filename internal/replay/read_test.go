package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/replay"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// Logs come torn, compressed, and with what is no decision.
func TestRead(t *testing.T) {
	plain := log(t, event(id("A")), event(id("B"), func(e *audit.Event) { e.Time = noon.Add(-time.Hour) }),
		event(id("C"), func(e *audit.Event) { e.Kind = audit.KindOutcome }), event(id("D"), func(e *audit.Event) { e.Kind = audit.KindPolicy }))
	var packed bytes.Buffer
	for _, part := range []string{plain, plain} { // as two that were put together
		z := gzip.NewWriter(&packed)
		io.WriteString(z, part)
		z.Close()
	}
	spaced := strings.ReplaceAll(plain, `"kind":"outcome"`, `"kind": "outcome"`)
	r := &replay.Replay{New: set(t, policies, site), Since: noon.Add(-time.Minute)}
	read(t, r, plain, packed.String(), spaced, "", "\n\n", "no JSON\n"+plain[:100]+"\n"+strings.Replace(plain, `"version":1`, `"version":2`, 1)+plain[:50])
	if r.Events != 4 || r.Before != 5 || r.Others != 10 || r.Torn != 4 || r.Lines != 23 || r.Decided != 4 {
		t.Errorf("%+v", r)
	}

	err := r.Read(t.Context(), bytes.NewReader(packed.Bytes()[:packed.Len()-20]))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a log that is cut: %v", err)
	}
	if err := r.Read(t.Context(), strings.NewReader("\x1f\x8b no gzip")); err == nil {
		t.Error("what is no gzip is read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Read(ctx, endless{[]byte(plain)}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type endless struct{ text []byte }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.text), nil }

// A line that is too long to be an event costs no more than itself.
func TestLongLine(t *testing.T) {
	long := `{"version":1,"x":"` + strings.Repeat("x", 20<<20) + "\"}\n"
	r := &replay.Replay{New: set(t, policies, site)}
	read(t, r, log(t, event())+long+log(t, event()))
	if r.Decided != 2 || r.Torn != 1 || r.Lines != 3 {
		t.Errorf("%+v", r)
	}
}

// However the log is divided, the sums and the examples are the same.
func TestManyEvents(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var events []audit.Event
	for i := range 3000 {
		e := event(id(fmt.Sprint(i)))
		e.Principal.Users, e.Principal.Email = []string{fmt.Sprint("u", random.IntN(10))}, fmt.Sprint("u", random.IntN(10))
		if random.IntN(2) == 0 {
			blocked(&e)
			e.ID = fmt.Sprint(i)
		}
		events = append(events, e)
	}
	text := log(t, events...)
	var first []replay.Flip
	for range 2 {
		r := &replay.Replay{New: set(t, policies, site)}
		read(t, r, text)
		if r.Decided != 3000 || r.Flipped == 0 {
			t.Fatalf("%+v", r)
		}
		if first == nil {
			first = r.Flips()
		}
		if diff := cmp.Diff(first, r.Flips()); diff != "" {
			t.Fatal(diff)
		}
	}
	if !slices.IsSortedFunc(first, func(a, b replay.Flip) int { return b.Count - a.Count }) {
		t.Error("not sorted by how often")
	}
}

// BenchmarkRead is the time for one event of a log with outcomes.
func BenchmarkRead(b *testing.B) {
	s := set(b, policies, site)
	text := log(b, event(), event(func(e *audit.Event) { e.Kind = audit.KindOutcome }))
	b.SetBytes(int64(len(text)))
	text = strings.Repeat(text, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	r := &replay.Replay{New: s}
	read(b, r, text)
	if r.Decided != b.N {
		b.Fatalf("%+v", r)
	}
}
