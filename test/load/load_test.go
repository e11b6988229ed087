package load_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/pkg/sigv4"
	"github.com/gimme-broker/gimme/test/load"
)

var (
	alice = aws.Credentials{AccessKeyID: "ALICEKEYID0000000001", SecretAccessKey: "alice-secret", SessionToken: "alice-token"}
	bob   = aws.Credentials{AccessKeyID: "BOBKEYID000000000001", SecretAccessKey: "bob-secret"}
)

// A server verifies every request to the last byte, and answers as a store
// with one object would.
type server struct {
	*httptest.Server
	t       *testing.T
	content []byte
	mu      sync.Mutex // guards seen
	seen    map[string]int
}

func newServer(t *testing.T, secure bool) *server {
	t.Helper()
	s := &server{t: t, content: bytes.Repeat([]byte("0123456789abcdef"), 300<<10/16), seen: make(map[string]int)}
	s.Server = httptest.NewUnstartedServer(s)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signature, err := sigv4.Parse(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	secrets := map[string]aws.Credentials{alice.AccessKeyID: alice, bob.AccessKeyID: bob}
	who := secrets[signature.AccessKeyID]
	verified, err := signature.Verify(who.SecretAccessKey, time.Now())
	if err != nil || signature.SessionToken != who.SessionToken || signature.Region != "eu-west-1" {
		s.refuse(w, err)
		return
	}
	body, err := io.ReadAll(verified.Body(r.Body))
	if err != nil || r.Method == http.MethodPut && !bytes.Equal(body, s.content) {
		s.refuse(w, err)
		return
	}
	s.mu.Lock()
	s.seen[fmt.Sprintf("%s %s %s", r.Method, verified.Path(), verified.Payload().Mode)]++
	s.seen[signature.AccessKeyID]++
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodPut:
	case r.URL.RawQuery != "":
		io.WriteString(w, "<L>"+strings.Repeat("<Key>k</Key>", 1000)+"</L>")
	default:
		w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
		w.Write(s.content)
	}
}

func (s *server) refuse(w http.ResponseWriter, err error) {
	http.Error(w, fmt.Sprint("refused: ", err), http.StatusForbidden)
}

func (s *server) target(credentials ...aws.Credentials) load.Target {
	t := load.Target{URL: s.URL, Region: "eu-west-1", Credentials: credentials}
	if s.Certificate() != nil {
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		t.TLS = &tls.Config{RootCAs: roots}
	}
	return t
}

// TestEveryOperation has each of them verified by a server, and verifies what
// the server gives.
func TestEveryOperation(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			s := newServer(t, secure)
			trailer := func(header string) *load.Body {
				b, err := load.Trailer(s.content, header)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			operations := []load.Operation{
				load.Get("lake", "a key/with ü+&=%", s.content),
				load.Head("lake", "key", int64(len(s.content))),
				load.List("lake", "a b/", 1000),
				load.Put("lake", "hashed", load.Hashed(s.content)),
				load.Put("lake", "unsigned", load.Unsigned(s.content)),
				load.Put("lake", "crc32", trailer("x-amz-checksum-crc32")),
				load.Put("lake", "crc64", trailer("x-amz-checksum-crc64nvme")),
			}
			got, err := load.Run(t.Context(), load.Plan{Target: s.target(alice, bob), Operations: operations, Connections: 3, Duration: time.Minute, Requests: 10 * len(operations), Digest: true})
			if err != nil || got.Errors != 0 || got.Requests != 10*len(operations) {
				t.Fatalf("%d requests, %d errors %q, %v", got.Requests, got.Errors, got.Faults, err)
			}
			// Five of seven move the content, and frames and a listing are little beside it.
			if want := int64(50 * len(s.content)); got.Bytes < want || got.Bytes > want*11/10 {
				t.Errorf("%d requests came to %d bytes", got.Requests, got.Bytes)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, want := range []string{
				"GET /lake/a key/with ü+&=% UNSIGNED-PAYLOAD", "HEAD /lake/key UNSIGNED-PAYLOAD", "GET /lake UNSIGNED-PAYLOAD", "PUT /lake/hashed SHA256",
				"PUT /lake/unsigned UNSIGNED-PAYLOAD", "PUT /lake/crc32 STREAMING-UNSIGNED-PAYLOAD-TRAILER", "PUT /lake/crc64 STREAMING-UNSIGNED-PAYLOAD-TRAILER",
				alice.AccessKeyID, bob.AccessKeyID,
			} {
				if s.seen[want] == 0 {
					t.Errorf("no %q among %v", want, s.seen)
				}
			}
		})
	}
}

// TestFaults wants whatever is not as it ought to be counted as an error, with
// its reason, and nothing as a request.
func TestFaults(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 20<<10)
	wrong := bytes.Clone(content)
	wrong[len(wrong)-1] = 'y'
	get := load.Get("lake", "key", content)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		op     load.Operation
		want   string
	}{
		{"status", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such thing", 404) }, get, "status 404, want 200: no such thing"},
		{"status of HEAD", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, load.Head("lake", "key", 7), "status 403, want 200"},
		{"short", func(w http.ResponseWriter, _ *http.Request) { w.Write(content[1:]) }, get, "20479 bytes, want 20480"},
		{"length of HEAD", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "8") }, load.Head("lake", "key", 7), "8 bytes, want 7"},
		{"one wrong byte", func(w http.ResponseWriter, _ *http.Request) { w.Write(wrong) }, get, "the content is not what it ought to be"},
		{"a key too few", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("<Key>", 999)) }, load.List("lake", "", 1000), "999 keys, want 1000"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20480")
			w.Write(content[:10<<10])
			panic(http.ErrAbortHandler)
		}, get, "EOF"},
		{"no body is read", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		},
			load.Put("lake", "key", load.Unsigned(make([]byte, 64<<20))), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(c.answer)
			defer s.Close()
			got, err := load.Run(t.Context(), load.Plan{
				Target: load.Target{URL: s.URL, Region: "eu-west-1", Credentials: []aws.Credentials{alice}}, Operations: []load.Operation{c.op},
				Connections: 1, Duration: time.Minute, Requests: 2, Digest: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Requests != 0 || got.Errors != 2 || len(got.Latencies) != 0 || !strings.Contains(strings.Join(got.Faults, "\n"), c.want) {
				t.Errorf("%d requests, %d errors, %q; want errors with %q", got.Requests, got.Errors, got.Faults, c.want)
			}
		})
	}
}

// TestPlans wants a plan that cannot be carried out to be refused.
func TestPlans(t *testing.T) {
	get := []load.Operation{load.Get("lake", "key", nil)}
	keys := []aws.Credentials{alice}
	for name, p := range map[string]load.Plan{
		"no URL":         {Target: load.Target{URL: "ftp://127.0.0.1", Credentials: keys}, Operations: get, Connections: 1},
		"no operation":   {Target: load.Target{URL: "http://127.0.0.1", Credentials: keys}, Connections: 1},
		"no credentials": {Target: load.Target{URL: "http://127.0.0.1"}, Operations: get, Connections: 1},
		"no connection":  {Target: load.Target{URL: "http://127.0.0.1", Credentials: keys}, Operations: get},
	} {
		if _, err := load.Run(t.Context(), p); err == nil {
			t.Errorf("%s: there is no error", name)
		}
	}
	if _, err := load.Trailer(nil, "x-amz-checksum-none"); err == nil {
		t.Error("a checksum that there is not: there is no error")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load.Run(ended, load.Plan{Target: load.Target{URL: "http://127.0.0.1:1", Credentials: keys}, Operations: get, Connections: 1, Duration: time.Hour}); err == nil {
		t.Error("an ended context: there is no error")
	}
}

// pausing answers at once, but for one request, which takes d.
func pausing(t *testing.T, d time.Duration) load.Target {
	t.Helper()
	var n atomic.Int64
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 5 {
			select {
			case <-time.After(d):
			case <-stop:
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(stop) })
	return load.Target{URL: s.URL, Region: "eu-west-1", Credentials: []aws.Credentials{alice}}
}

// slower counts the latencies above d.
func slower(r load.Result, d time.Duration) (n int) {
	for _, l := range r.Latencies {
		if l > d {
			n++
		}
	}
	return n
}

// TestOpenLoopWaits has a server that does not answer for a while. All who
// would have asked meanwhile have waited, and are to be counted with that.
func TestOpenLoopWaits(t *testing.T) {
	plan := load.Plan{Target: pausing(t, 400*time.Millisecond), Operations: []load.Operation{load.Get("lake", "key", nil)}, Connections: 1, Rate: 100, Duration: time.Second}
	open, err := load.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	// Of the 40 that were due in 400 ms, 30 have waited for more than 100 ms.
	waited := slower(open, 100*time.Millisecond)
	if waited < 30 || open.Errors != 0 {
		t.Errorf("%d of %d requests took more than 100 ms, want 30 at least; %d errors %q", waited, open.Requests, open.Errors, open.Faults)
	}
	if n := open.Requests + open.Late; n < 95 || n > 101 {
		t.Errorf("%d requests were due in a second, want 100", n)
	}
	plan.Target, plan.Rate = pausing(t, 400*time.Millisecond), 0
	closed, err := load.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	// One, on a machine that does nothing else.
	if n := slower(closed, 100*time.Millisecond); n < 1 || n > waited/3 {
		t.Errorf("in a closed loop %d took more than 100 ms, in an open one %d", n, waited)
	}
}

// TestOpenLoopCountsWhatHangs has a server that never answers again.
func TestOpenLoopCountsWhatHangs(t *testing.T) {
	got, err := load.Run(t.Context(), load.Plan{
		Target: pausing(t, time.Hour), Operations: []load.Operation{load.Get("lake", "key", nil)}, Connections: 1, Rate: 100, Duration: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if most := int(100*got.Elapsed.Seconds()) - 3; got.Requests != 4 || got.Late < 45 || got.Late > most || len(got.Latencies) != got.Requests+got.Late {
		t.Errorf("%d requests, %d late, %d latencies; want 4 requests and 46 late", got.Requests, got.Late, len(got.Latencies))
	}
	if s := got.Slowest(); s < 400*time.Millisecond {
		t.Errorf("the slowest took %v, want about 460 ms", s)
	}
}

// TestSlowReaders wants many answers to be open at once.
func TestSlowReaders(t *testing.T) {
	s := newServer(t, false)
	got, err := load.Run(t.Context(), load.Plan{
		Target: s.target(alice), Operations: []load.Operation{load.Get("lake", "key", s.content)}, Connections: 8, ReadRate: 100 << 10, WarmUp: time.Second, Duration: 300 * time.Millisecond,
	})
	if err != nil || got.Open != 8 || got.Errors != 0 || got.Requests != 0 { // one takes 3 s
		t.Errorf("%d open, %d requests, %d errors %q, %v; want 8 open and nothing else", got.Open, got.Requests, got.Errors, got.Faults, err)
	}
}

// TestWarmUp wants what ends before the measured time not to be counted.
func TestWarmUp(t *testing.T) {
	s := newServer(t, false)
	var began, ended atomic.Int64
	count := func() int64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return int64(s.seen[alice.AccessKeyID])
	}
	got, err := load.Run(t.Context(), load.Plan{
		Target: s.target(alice), Operations: []load.Operation{load.Head("lake", "key", int64(len(s.content)))}, Connections: 1, WarmUp: 300 * time.Millisecond, Duration: 200 * time.Millisecond,
		Begin: func() { began.Store(count()) }, End: func() { ended.Store(count()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := ended.Load() - began.Load(); began.Load() == 0 || max(n, int64(got.Requests))-min(n, int64(got.Requests)) > 2 {
		t.Errorf("%d requests before, %d in the measured time, %d counted", began.Load(), n, got.Requests)
	}
	if e := got.Elapsed; e < 200*time.Millisecond || got.PerSecond() > float64(got.Requests)*5 {
		t.Errorf("it took %v, %.0f requests a second of %d", e, got.PerSecond(), got.Requests)
	}
}
