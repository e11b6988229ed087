package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An attempt is one request as a client sent it, and what came of it.
type attempt struct {
	tag    string // its User-Agent, by which events are known to be its own
	what   string // what kind of request it is
	target string // as the weather knows it
	want   []int  // statuses; nil: any success. 0: no answer
	cut    bool   // the client itself breaks it off, or has it cut
	again  bool   // one before it, for the same, may have been served

	began, ended time.Time
	heads        atomic.Int32 // how often its head was sent
	status       int          // 0: none came
	id           string       // x-amz-request-id
	fault        error        // of the connection, before the answer or within it
}

// An intent is what a client is about to do, in one attempt or several.
type intent struct {
	what     string
	want     []int
	cut      bool
	attempts []*attempt // guarded by the journal
}

type intentKey struct{}

// about hands an intent to the requests that an SDK makes.
func about(i *intent) context.Context {
	return context.WithValue(context.Background(), intentKey{}, i)
}

// sure says whether every attempt was answered with success, so that nothing is
// under way of which nobody knows.
func (j *journal) sure(i *intent) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !slices.ContainsFunc(i.attempts, func(a *attempt) bool { return a.status < 200 || a.status > 299 || a.fault != nil })
}

// A journal keeps all attempts.
type journal struct {
	mu       sync.Mutex // guards all attempts and intents
	attempts []*attempt
	ended    int

	bytes atomic.Int64 // of bodies, both ways
}

func newJournal() *journal { return new(journal) }

// begin notes an attempt before it is sent.
// r is nil if it is no HTTP.
func (j *journal) begin(i *intent, r *http.Request) *attempt {
	target := ""
	if r != nil {
		target = targetOf(r.Method, r.URL)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	a := &attempt{what: i.what, want: i.want, cut: i.cut, target: target, tag: fmt.Sprintf("soak/%d", len(j.attempts)+1), began: time.Now()}
	j.attempts = append(j.attempts, a)
	a.again = slices.ContainsFunc(i.attempts, func(b *attempt) bool { return b.status/100 != 2 })
	i.attempts = append(i.attempts, a)
	return a
}

func (j *journal) end(a *attempt, fault error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a.ended.IsZero() {
		a.ended = time.Now()
		a.fault = fault
		j.ended++
	}
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return fmt.Sprintf("%d requests, %d MiB", j.ended, j.bytes.Load()>>20)
}

// table counts requests by what they are and what came of them.
func (j *journal) table() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	counts := map[string]map[string]int{}
	for _, a := range j.attempts {
		result := fmt.Sprint(cmp.Or(a.status, 0))
		if a.status == 0 {
			result = "none"
		} else if a.fault != nil {
			result += " cut"
		}
		if counts[a.what] == nil {
			counts[a.what] = map[string]int{}
		}
		counts[a.what][result]++
	}
	var text strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&text, "  %-34s", what)
		for _, result := range slices.Sorted(maps.Keys(counts[what])) {
			fmt.Fprintf(&text, " %s: %d", result, counts[what][result])
		}
		text.WriteByte('\n')
	}
	fmt.Fprintf(&text, "  %d in all, %d MiB of bodies", len(j.attempts), j.bytes.Load()>>20)
	return text.String()
}

// A tracked transport notes every request that passes.
type tracked struct {
	next    http.RoundTripper
	journal *journal
}

func (t tracked) RoundTrip(r *http.Request) (*http.Response, error) {
	i := r.Context().Value(intentKey{}).(*intent)
	a := t.journal.begin(i, r)
	trace := &httptrace.ClientTrace{WroteHeaders: func() { a.heads.Add(1) }}
	r = r.Clone(httptrace.WithClientTrace(r.Context(), trace))
	r.Header.Set("User-Agent", a.tag) // which no SDK signs
	if r.Body != nil {
		r.Body = &counted{ReadCloser: r.Body, bytes: &t.journal.bytes}
	}
	response, err := t.next.RoundTrip(r)
	if err != nil {
		t.journal.end(a, err)
		return nil, err
	}
	t.journal.answered(a, response)
	response.Body = &counted{ReadCloser: response.Body, bytes: &t.journal.bytes, end: func(err error) { t.journal.end(a, err) }}
	return response, nil
}

// answered notes the head of an answer.
func (j *journal) answered(a *attempt, r *http.Response) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a.status = r.StatusCode
	a.id = cmp.Or(r.Header.Get("X-Amz-Request-Id"), r.Header.Get("X-Amzn-Requestid"))
}

// A counted body counts what is read of it, and says when it is over.
type counted struct {
	io.ReadCloser
	bytes *atomic.Int64
	end   func(error)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.bytes.Add(int64(n))
	if err != nil && c.end != nil {
		fault := err
		if err == io.EOF {
			fault = nil
		}
		c.end(fault)
	}
	return n, err
}

func (c *counted) Close() error {
	if c.end != nil {
		c.end(nil)
	}
	return c.ReadCloser.Close()
}

// tallies count by name.
type tallies struct {
	mu     sync.Mutex
	counts map[string]int
}

func newTallies() *tallies { return &tallies{counts: map[string]int{}} }

func (t *tallies) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[name]++
}

func (t *tallies) of(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[name]
}

func (t *tallies) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		list = append(list, fmt.Sprintf("%s %d", name, t.counts[name]))
	}
	return cmp.Or(strings.Join(list, ", "), "nothing yet")
}
