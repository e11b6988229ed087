package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A scripted sink does what answer says.
type scripted struct {
	mu     sync.Mutex
	answer func(batch []record) (result, error)
	calls  [][]uint64
	when   []time.Time
	closed bool
}

func (s *scripted) send(_ context.Context, batch []record) (result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seqs []uint64
	for _, r := range batch {
		seqs = append(seqs, r.Seq)
	}
	s.calls, s.when = append(s.calls, seqs), append(s.when, time.Now())
	return s.answer(batch)
}

func (s *scripted) Close() error { s.closed = true; return nil }

// deliverTo makes a delivery of l to s, which takes ten events at once.
func deliverTo(l *testLog, s *scripted, change func(*deliverer)) (*Delivery, *strings.Builder) {
	var said strings.Builder
	view := &layout{path: l.path, ids: map[string]string{}}
	d := &deliverer{
		name: "it", sink: s, limits: limits{events: 10, bytes: 1 << 20, event: 1 << 20}, path: positionPath(l.path, "it"), times: standardTimes(),
		format: func(b []byte) ([]byte, error) { return b, nil }, reader: reader{layout: view}, log: slog.New(slog.NewTextHandler(&said, nil)),
	}
	if change != nil {
		change(d)
	}
	return &Delivery{layout: view, all: []*deliverer{d}}, &said
}

func TestPausesGrowVaryAndAreThoseThatTheSinkAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		l.add(1)
		fails := 0
		s := &scripted{answer: func(b []record) (result, error) {
			switch fails++; {
			case fails <= 30:
				return result{}, errors.New("down")
			case fails == 31:
				return result{}, &busy{after: 3 * time.Minute, err: errors.New("later")}
			case fails == 32:
				return result{}, &busy{after: 24 * time.Hour, err: errors.New("tomorrow")}
			}
			return all(b), nil
		}}
		d, said := deliverTo(l, s, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if st := d.Status()[0]; st.Waiting != 1 || st.Behind < 10*time.Second || st.Error != "down" || st.Failures == 0 || st.Delivered != 0 {
			t.Errorf("while it is down: %+v", st)
		}
		time.Sleep(time.Hour)
		if st := d.Status()[0]; st.Waiting != 0 || st.Behind != 0 || st.Error != "" || st.Failures != 32 || st.Delivered != 1 {
			t.Errorf("at last: %+v", st)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		longest := 500 * time.Millisecond
		for i := 1; i < 31; i++ {
			if p := s.when[i].Sub(s.when[i-1]); p > longest || p < longest/2 {
				t.Errorf("pause %d is %v, not between half of %v and all of it", i, p, longest)
			}
			longest = min(2*longest, time.Minute)
		}
		if p := s.when[31].Sub(s.when[30]); p != 3*time.Minute {
			t.Errorf("asked for 3m: %v", p)
		}
		if p := s.when[32].Sub(s.when[31]); p != 15*time.Minute {
			t.Errorf("asked for 24h: %v", p)
		}
		if n := strings.Count(said.String(), "takes no events"); n < 2 || n > 4 { // now, and every ten minutes
			t.Errorf("said %d times that the sink is down:\n%s", n, said)
		}
		if !strings.Contains(said.String(), "takes events again") || !s.closed {
			t.Errorf("closed %v, and said:\n%s", s.closed, said)
		}
	})
}

func TestWhatIsRefusedIsGivenUpOnlyWhenSomethingElseIsTaken(t *testing.T) {
	for _, row := range []struct {
		name    string
		bad     func(seq uint64) bool
		taken   []uint64
		refused uint64
		waiting uint64
	}{
		{"nothing is refused", func(uint64) bool { return false }, span(1, 12), 0, 0},
		{"one is", func(n uint64) bool { return n == 3 }, append(span(1, 2), span(4, 12)...), 1, 0},
		{"several are", func(n uint64) bool { return n == 1 || n == 10 || n == 11 }, append(span(2, 9), 12), 3, 0},
		{"the last is alone in its batch", func(n uint64) bool { return n > 10 && n < 12 }, append(span(1, 10), 12), 1, 0},
		{"everything is", func(uint64) bool { return true }, nil, 0, 12},
		{"a whole batch is", func(n uint64) bool { return n <= 10 }, nil, 0, 12},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLog(t)
				l.add(12)
				var taken []uint64
				s := &scripted{answer: func(b []record) (result, error) {
					for _, r := range b {
						if row.bad(r.Seq) {
							return result{}, &refusal{"malformed"}
						}
					}
					for _, r := range b {
						taken = append(taken, r.Seq)
					}
					return all(b), nil
				}}
				d, said := deliverTo(l, s, nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := d.Run(ctx); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(row.taken, taken); diff != "" {
					t.Errorf("taken (-want +got):\n%s", diff)
				}
				st := d.Status()[0]
				if st.Refused != row.refused || st.Waiting != row.waiting || st.Delivered != uint64(len(row.taken)) {
					t.Errorf("status %+v", st)
				}
				if n := strings.Count(said.String(), "does not take an event"); n != int(row.refused) {
					t.Errorf("said %d times that an event is refused:\n%s", n, said)
				}
			})
		})
	}
}

func TestPartOfABatch(t *testing.T) {
	l := newLog(t)
	l.add(10)
	first := true
	s := &scripted{answer: func(b []record) (result, error) {
		if first {
			first = false
			return result{done: 4, refused: []refused{{2, "no"}}}, errors.New("cut")
		}
		return result{done: min(3, len(b))}, nil
	}}
	d, _ := deliverTo(l, s, nil)
	d.hurry()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := d.Run(ctx); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([][]uint64{span(1, 10), span(5, 10), span(8, 10)}, s.calls); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if st := d.Status()[0]; st.Delivered != 9 || st.Refused != 1 || st.Failures != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestEventsThatAreGoneAreToldOfAndCounted(t *testing.T) {
	l := newLog(t)
	l.add(5)
	s := &scripted{answer: func(b []record) (result, error) { return all(b), nil }}
	var lost []string
	change := func(d *deliverer) {
		d.lost = func(sink string, from, to uint64) { lost = append(lost, fmt.Sprintf("%s %d-%d", sink, from, to)) }
	}
	for range 2 {
		d, said := deliverTo(l, s, change)
		d.hurry()
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if st := d.Status()[0]; len(lost) > 0 && (st.Lost != 4 || !strings.Contains(said.String(), "events=4")) {
			t.Errorf("status %+v; said:\n%s", st, said)
		}
		old := l.rotate() // while the sidecar is down, and nobody delivers
		l.add(4)
		for _, path := range []string{old, l.rotate()} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		l.add(1)
	}
	if diff := cmp.Diff([]string{"it 6-9"}, lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsForTheSinkIsDeliveredAndThePositionMovesOn(t *testing.T) {
	l := newLog(t)
	l.add(12) // every third is blocked, every third has no decision
	s := &scripted{answer: func(b []record) (result, error) { return all(b), nil }}
	d, _ := deliverTo(l, s, func(d *deliverer) {
		d.only = Only{Kind: []text{{V: "decision"}, {V: "admin"}}, Decision: []text{{V: "blocked"}}}
	})
	d.hurry()
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	if err := d.Run(ctx); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([][]uint64{{2, 5, 8, 11}}, s.calls); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	p, err := loadPosition(positionPath(l.path, "it"))
	if err != nil || p.Seq != 12 {
		t.Errorf("position %+v, %v", p, err)
	}
	if st := d.Status()[0]; st.Waiting != 0 {
		t.Errorf("status %+v", st)
	}
}

// What is written just before the sidecar ends is sent once more, and only once
// when the sink does not take it.
func TestTheLastEventsAreSentWhenDeliveryEnds(t *testing.T) {
	for _, down := range []bool{false, true} {
		l := newLog(t)
		ctx, cancel := context.WithCancel(t.Context())
		s := &scripted{}
		s.answer = func(b []record) (result, error) {
			if len(s.calls) == 1 {
				l.add(25)
				cancel()
			} else if down {
				return result{}, errors.New("down")
			}
			return all(b), nil
		}
		l.add(1)
		d, _ := deliverTo(l, s, nil)
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		want := [][]uint64{{1}, span(2, 11), span(12, 21), span(22, 26)}
		if down {
			want = want[:2]
		}
		if diff := cmp.Diff(want, s.calls); diff != "" {
			t.Errorf("down %v: batches (-want +got):\n%s", down, diff)
		}
	}
}

func TestTwoProcessesDoNotDeliverAtOnce(t *testing.T) {
	l := newLog(t)
	l.add(3)
	first := &scripted{answer: func(b []record) (result, error) { return all(b), nil }}
	second := &scripted{answer: first.answer}
	d1, _ := deliverTo(l, first, nil)
	d2, said := deliverTo(l, second, nil)
	d1.hurry()
	d2.hurry()
	ctx1, stop1 := context.WithCancel(t.Context())
	ctx2, stop2 := context.WithCancel(t.Context())
	done1, done2 := make(chan error), make(chan error)
	go func() { done1 <- d1.Run(ctx1) }()
	for d1.Status()[0].Delivered < 3 {
		time.Sleep(time.Millisecond)
	}
	go func() { done2 <- d2.Run(ctx2) }()
	time.Sleep(50 * time.Millisecond)
	stop1()
	<-done1
	l.add(2)
	for d2.Status()[0].Delivered < 2 {
		time.Sleep(time.Millisecond)
	}
	stop2()
	<-done2
	if diff := cmp.Diff([][]uint64{span(4, 5)}, second.calls); diff != "" || !strings.Contains(said.String(), "another process delivers") {
		t.Errorf("the second delivered (-want +got):\n%s\nand said:\n%s", diff, said)
	}
}

func TestAPositionThatCannotBeRead(t *testing.T) {
	l := newLog(t)
	l.add(1)
	if err := os.WriteFile(positionPath(l.path, "it"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &scripted{answer: func(b []record) (result, error) { return all(b), nil }}
	d, said := deliverTo(l, s, nil)
	d.hurry()
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if err := d.Run(ctx); err != nil || len(s.calls) > 0 {
		t.Errorf("got %v, delivered %v", err, s.calls)
	}
	if !strings.Contains(said.String(), "move the file away") {
		t.Errorf("said:\n%s", said)
	}
}

func TestShortenKeepsWhatAnEventIsAbout(t *testing.T) {
	l := newLog(t)
	e := audit.Event{ID: "X", Kind: audit.KindDecision, Decision: audit.Blocked, Principal: &audit.Principal{Issuer: "https://idp.example", Subject: "1"}, Request: &audit.Request{Operation: "DeleteObjects", Bucket: "lake"}}
	for i := range 1000 {
		e.Request.Keys = append(e.Request.Keys, fmt.Sprintf("%d/%s", i, strings.Repeat("k", 900)))
	}
	l.write(e)
	data, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.TrimSuffix(string(data), "\n"))
	for _, limit := range []int{len(line), 8192, 500} {
		short := shorten(line, limit)
		if len(short) > limit || seqOf(short) != 1 {
			t.Errorf("limit %d: %d bytes, %.200s", limit, len(short), short)
		}
		if cut := strings.Contains(string(short), fmt.Sprintf(`"delivery_cut":{"bytes":%d,"sha256":"%s"}`, len(line), sumOf(line))); cut != (limit < len(line)) {
			t.Errorf("limit %d: %.300s", limit, short)
		}
		if limit == 8192 && !strings.Contains(string(short), `"operation":"DeleteObjects"`) {
			t.Errorf("limit %d: %s", limit, short)
		}
	}
}

func TestElasticItems(t *testing.T) {
	item := func(status int) map[string]elasticItem { return map[string]elasticItem{"create": {Status: status}} }
	batch := []record{{head: head{Seq: 1}}, {head: head{Seq: 2}}, {head: head{Seq: 3}}}
	for _, row := range []struct {
		statuses []int
		done     int
		refused  []uint64
		fails    bool
	}{
		{[]int{201, 201, 201}, 3, nil, false},
		{[]int{201, 409, 201}, 3, nil, false},
		{[]int{201, 429, 201}, 1, nil, true},
		{[]int{400, 201, 201}, 3, []uint64{1}, false},
		{[]int{400, 201, 503}, 2, []uint64{1}, true},
		{[]int{400, 429, 201}, 0, nil, true},
		{[]int{400, 400, 400}, 0, nil, true},
		{[]int{403, 403, 403}, 0, nil, true},
	} {
		var items []map[string]elasticItem
		for _, s := range row.statuses {
			items = append(items, item(s))
		}
		res, err := judge(batch, items)
		var seqs []uint64
		for _, r := range res.refused {
			seqs = append(seqs, r.seq)
		}
		if res.done != row.done || !slices.Equal(seqs, row.refused) || (err != nil) != row.fails {
			t.Errorf("%v: done %d, refused %v, %v", row.statuses, res.done, seqs, err)
		}
	}
}
