package alert_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/alert"
	"github.com/gimme-broker/gimme/internal/secret"
)

const signingKey = "canary-signing-key-0123456789abcdef"

// A receiver is a webhook's other end, in the same bubble.
type receiver struct {
	net.Addr
	conns  chan net.Conn
	closed chan struct{}

	mu     sync.Mutex // guards what follows
	got    []delivery
	answer func(n int) int // the status of the n-th delivery; 0 breaks off
}

type delivery struct {
	at     time.Time
	header http.Header
	body   string
}

func (r *receiver) Accept() (net.Conn, error) {
	select {
	case c := <-r.conns:
		return c, nil
	case <-r.closed:
		return nil, net.ErrClosed
	}
}

func (r *receiver) Close() error { return nil }

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.got = append(r.got, delivery{time.Now(), q.Header, string(body)})
	status := r.answer(len(r.got))
	r.mu.Unlock()
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	if status == http.StatusFound {
		w.Header().Set("Location", "http://elsewhere.example/")
	}
	w.WriteHeader(status)
}

func (r *receiver) deliveries() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

// bubble runs test with a sender and its receiver, and returns what was logged.
func bubble(t *testing.T, answer func(n int) int, test func(s *alert.Sender, r *receiver, stop func())) (logged string) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &receiver{Addr: &net.TCPAddr{}, conns: make(chan net.Conn), closed: make(chan struct{}), answer: answer}
		server := &http.Server{Handler: r, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		served := make(chan struct{})
		go func() { defer close(served); server.Serve(listener{r}) }()
		s, err := alert.New(alert.Options{
			URL: "http://hooks.example/gimme?canary-in-url", Key: secret.New(signingKey), Log: slog.New(slog.NewTextHandler(&log, nil)),
			Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
				if address != "hooks.example:80" {
					t.Errorf("a connection to %s", address)
				}
				ours, theirs := net.Pipe()
				select {
				case r.conns <- theirs:
					return ours, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		stop := sync.OnceFunc(func() { cancel(); <-ended })
		test(s, r, stop)
		stop()
		close(r.closed)
		server.Close()
		<-served
		logged = log.String()
	})
	for _, secret := range []string{signingKey, "canary-in-url"} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log has a secret: %s", logged)
		}
	}
	return logged
}

type listener struct{ *receiver }

func (l listener) Addr() net.Addr { return l.receiver.Addr }

func always(status int) func(int) int { return func(int) int { return status } }

// An alert is one signed POST, by the words of Standard Webhooks.
func TestSigned(t *testing.T) {
	logged := bubble(t, always(204), func(s *alert.Sender, r *receiver, _ func()) {
		s.Send("ID1", map[string]int{"count": 10})
		synctest.Wait()
		got := r.deliveries()
		if len(got) != 1 {
			t.Fatalf("%d deliveries", len(got))
		}
		h, body := got[0].header, got[0].body
		if body != `{"count":10}` || h.Get("Content-Type") != "application/json" || h.Get("Webhook-Id") != "ID1" {
			t.Errorf("%s, %v", body, h)
		}
		mac := hmac.New(sha256.New, []byte(signingKey))
		mac.Write([]byte("ID1." + h.Get("Webhook-Timestamp") + "." + body))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("Webhook-Signature") != want {
			t.Errorf("signature %s, want %s", h.Get("Webhook-Signature"), want)
		}
	})
	if logged != "" {
		t.Errorf("logged: %s", logged)
	}
}

// The signature is that of the example in the specification.
func TestSignatureVector(t *testing.T) {
	got := alert.Signature(t, secret.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`)
	if want := "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What may help is tried again, ever more slowly, under the same id; what cannot
// help is not, and the next alert comes after.
func TestRetries(t *testing.T) {
	for name, row := range map[string]struct {
		answer func(n int) int
		want   []time.Duration // after which deliveries come
		logged string
	}{
		"it fails at first": {func(n int) int { return []int{500, 503, 429, 408, 0, 200, 200}[n-1] },
			[]time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 31 * time.Second}, "is sent again"},
		"it is refused":     {func(n int) int { return []int{400, 200}[n-1] }, []time.Duration{0, 0}, "the webhook answered 400"},
		"it is sent around": {func(n int) int { return []int{302, 200}[n-1] }, []time.Duration{0, 0}, "the webhook answered 302"},
	} {
		t.Run(name, func(t *testing.T) {
			logged := bubble(t, row.answer, func(s *alert.Sender, r *receiver, _ func()) {
				began := time.Now()
				s.Send("ID1", 1)
				s.Send("ID2", 2)
				time.Sleep(time.Hour)
				var after []time.Duration
				got := r.deliveries()
				for n, d := range got {
					after = append(after, d.at.Sub(began))
					id := "ID1"
					if n == len(got)-1 {
						id = "ID2"
					}
					if d.header.Get("Webhook-Id") != id {
						t.Errorf("delivery %d is of %s", n, d.header.Get("Webhook-Id"))
					}
				}
				if diff := cmp.Diff(row.want, after); diff != "" {
					t.Error(diff)
				}
			})
			if !strings.Contains(logged, row.logged) {
				t.Errorf("logged: %s", logged)
			}
		})
	}
}

// A receiver that never takes an alert gets it twenty times within a quarter of an
// hour; then it is dropped, and that is logged.
func TestGivesUp(t *testing.T) {
	logged := bubble(t, always(503), func(s *alert.Sender, r *receiver, _ func()) {
		s.Send("ID1", 1)
		time.Sleep(15 * time.Minute)
		if n := len(r.deliveries()); n != 20 {
			t.Errorf("%d attempts", n)
		}
	})
	if !strings.Contains(logged, "is dropped") || !strings.Contains(logged, "id=ID1") {
		t.Errorf("logged: %s", logged)
	}
}

// More than the queue holds is dropped at once, and nobody waits.
func TestQueueIsBounded(t *testing.T) {
	logged := bubble(t, always(503), func(s *alert.Sender, _ *receiver, _ func()) {
		began := time.Now()
		for range 300 {
			s.Send("ID", 1)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
	if n := strings.Count(logged, "too many wait"); n < 40 || n > 44 {
		t.Errorf("%d are dropped", n)
	}
}

// Alerts that wait when the sidecar stops are sent once more.
func TestStop(t *testing.T) {
	down := true
	answer := func(int) int {
		if down {
			return 503
		}
		return 200
	}
	bubble(t, answer, func(s *alert.Sender, r *receiver, stop func()) {
		s.Send("ID1", 1)
		s.Send("ID2", 2)
		time.Sleep(10 * time.Second)
		r.mu.Lock()
		down, r.got = false, nil
		r.mu.Unlock()
		stop()
		var ids []string
		for _, d := range r.deliveries() {
			ids = append(ids, d.header.Get("Webhook-Id"))
		}
		if diff := cmp.Diff([]string{"ID1", "ID2"}, ids); diff != "" {
			t.Error(diff)
		}
	})
}

func TestKeys(t *testing.T) {
	for key, want := range map[string]string{
		"short":                                  "shorter than 24 bytes",
		"whsec_!":                                "not Base64",
		"whsec_c2hvcnQ=":                         "shorter than 24 bytes",
		signingKey:                               "",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "",
	} {
		err := alert.CheckKey(secret.New(key))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
