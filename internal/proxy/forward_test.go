package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// head is the head of a signed request with a body of length bytes that the
// client keeps to itself for now.
func (c *sidecar) head(keys aws.Credentials, method, path string, length int64, header ...string) string {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), method, c.URL()+path, nil))
	r.ContentLength = length
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, path, r.URL.Host, length)
	r.Header.Write(&b)
	b.WriteString("\r\n")
	return b.String()
}

// outcome waits for the outcome that ends what was begun.
func (c *sidecar) outcome() audit.Event {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, e := range c.events() {
			if e.Kind == audit.KindOutcome {
				return e
			}
		}
	}
	c.t.Fatal("no outcome within ten seconds")
	return audit.Event{}
}

// Who may not upload is told so before the body, and is not asked for it.
func TestADeniedUploadIsNotAskedForItsBody(t *testing.T) {
	c := start(t, nil)
	keys := c.login(bob)
	conn := c.dial()
	began := time.Now()
	io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 1<<30, "Expect", "100-continue"))
	response, code, message, _ := s3Error(t, conn) // which also reads the end of the connection
	if response.StatusCode != 403 || code != "AccessDenied" || !strings.Contains(message, "bob@example.com") {
		t.Errorf("got %d %s %s", response.StatusCode, code, message)
	}
	if waited := time.Since(began); waited > 5*time.Second {
		t.Errorf("the connection was closed after %v", waited)
	}
	c.wantNothingUpstream()
	c.wantOneRefusal("AccessDenied", "bob@example.com")
}

// Who may is asked, and only then.
func TestAnUploadIsAskedForItsBodyAfterTheDecision(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	conn := c.dial()
	r := bufio.NewReader(conn)
	io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 5, "Expect", "100-continue"))
	line := must(r.ReadString('\n'))
	must(r.ReadString('\n'))
	if !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q", line)
	}
	if events := c.events(); len(events) != 1 || events[0].Decision != audit.Allowed {
		t.Errorf("before the body: %+v", events)
	}
	io.WriteString(conn, "hello")
	if response := must(http.ReadResponse(r, nil)); response.StatusCode != 200 {
		t.Errorf("got %d", response.StatusCode)
	}
	if got, _ := c.stored("lake", "customers/x"); got != "hello" {
		t.Errorf("stored %q", got)
	}
}

// The upstream's refusal reaches a client that does not send its body.
func TestAnEarlyRefusalReachesAStalledClient(t *testing.T) {
	c := start(t, nil)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, early := range map[string]func(w http.ResponseWriter, r *http.Request){
		"before the body": func(http.ResponseWriter, *http.Request) {},
		"in the body":     func(_ http.ResponseWriter, r *http.Request) { io.ReadFull(r.Body, make([]byte, 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut {
					return false
				}
				early(w, r)
				http.NewResponseController(w).EnableFullDuplex()
				w.Header().Set("Content-Length", "67")
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, "<Error><Code>QuotaExceeded</Code><Message>no room</Message></Error>")
				http.NewResponseController(w).Flush()
				<-release
				return true
			})
			keys := c.login(nil)
			conn := c.dial()
			began := time.Now()
			io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 64<<20))
			if name == "in the body" {
				conn.Write(make([]byte, 2<<20))
			}
			response, code, _, _ := s3Error(t, conn)
			if waited := time.Since(began); response.StatusCode != 403 || code != "QuotaExceeded" || waited > 8*time.Second {
				t.Errorf("got %d %s after %v", response.StatusCode, code, waited)
			}
			if e := c.outcome(); e.Response.Status != 403 || !strings.Contains(e.Error, "QuotaExceeded") {
				t.Errorf("the outcome is %+v", e)
			}
			c.store.answerWith(nil)
			if _, there := c.stored("lake", "customers/x"); there {
				t.Error("there is an object")
			}
		})
	}
}

// A client that stops in its body, or takes nothing of an answer, and an upstream
// that does either, are let go, and never is a part taken for the whole.
func TestWhoStallsIsLetGo(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t), tune: func(s *proxy.Server) {
		s.SetTimes(proxy.Times{Progress: 200 * time.Millisecond, Linger: 50 * time.Millisecond, Proceed: 50 * time.Millisecond})
	}}
	c.launch(nil)
	keys := c.login(nil)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })

	t.Run("a client in its body", func(t *testing.T) {
		conn := c.dial()
		io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 1<<20))
		conn.Write(make([]byte, 100<<10))
		response, code, _, _ := s3Error(t, conn)
		if response.StatusCode != 400 || code != "IncompleteBody" {
			t.Errorf("got %d %s", response.StatusCode, code)
		}
		if e := c.outcome(); !strings.Contains(e.Error, "IncompleteBody") {
			t.Errorf("the outcome is %+v", e)
		}
	})
	t.Run("a client that sends a byte now and then", func(t *testing.T) {
		conn := c.dial()
		io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 1<<20))
		began := time.Now()
		go func() {
			for range 1000 {
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		if _, code, _, _ := s3Error(t, conn); code != "IncompleteBody" || time.Since(began) > 5*time.Second {
			t.Errorf("got %s after %v", code, time.Since(began))
		}
		c.outcome()
	})
	t.Run("an upstream that takes nothing", func(t *testing.T) {
		c.store.answerWith(func(http.ResponseWriter, *http.Request) bool { <-release; return true })
		defer c.store.answerWith(nil)
		conn := c.dial()
		io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", 64<<20))
		go io.CopyN(conn, zeros{}, 64<<20)
		response, code, _, _ := s3Error(t, conn)
		if response.StatusCode != 503 || code != "ServiceUnavailable" {
			t.Errorf("got %d %s", response.StatusCode, code)
		}
		c.outcome()
	})
	t.Run("an upstream in its answer", func(t *testing.T) {
		c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			<-release
			return true
		})
		defer c.store.answerWith(nil)
		conn := c.dial()
		io.WriteString(conn, c.head(keys, http.MethodGet, "/lake/customers/x", 0))
		if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			if _, err := io.ReadAll(response.Body); err == nil {
				t.Error("half an object looks whole")
			}
		}
		if e := c.outcome(); !strings.Contains(e.Error, "cut") {
			t.Errorf("the outcome is %+v", e)
		}
	})
	t.Run("a client that takes nothing", func(t *testing.T) {
		c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "268435456")
			io.CopyN(w, zeros{}, 256<<20)
			return true
		})
		defer c.store.answerWith(nil)
		conn := c.dial()
		io.WriteString(conn, c.head(keys, http.MethodGet, "/lake/customers/x", 0))
		if e := c.outcome(); !strings.Contains(e.Error, "cut") || e.Response.Bytes >= 256<<20 {
			t.Errorf("the outcome is %+v of %+v", e, e.Response)
		}
	})
	if _, there := c.stored("lake", "customers/x"); there {
		t.Error("there is an object")
	}
}

// zeros is an object without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Objects of more than four gigabytes go both ways, and a request holds no more
// of them than of small ones.
func TestLargeObjectsAreStreamed(t *testing.T) {
	const down, up = 6 << 30, 4<<30 + 5
	var took atomic.Int64
	zero := make([]byte, 1<<20)
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t)}
	c.store = &store{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 1<<20))
			took.Store(n)
			w.Header().Set("Etag", `"x"`)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(int64(down)))
		for range down / len(zero) {
			if _, err := w.Write(zero); err != nil {
				return
			}
		}
	}))}
	t.Cleanup(c.store.Close)
	c.launch(nil)
	keys := c.login(nil)

	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	most := uint64(0)
	look := func() {
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapInuse)
	}
	conn := c.dial()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	r := bufio.NewReader(conn)
	io.WriteString(conn, c.head(keys, http.MethodGet, "/lake/customers/x", 0))
	response := must(http.ReadResponse(r, nil))
	if response.ContentLength != down {
		t.Fatalf("the length is %d", response.ContentLength)
	}
	var n int64
	buffer := make([]byte, 1<<20)
	for {
		m, err := response.Body.Read(buffer)
		if n>>29 != (n+int64(m))>>29 {
			look()
		}
		n += int64(m)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != down {
		t.Errorf("got %d bytes of %d", n, int64(down))
	}
	io.WriteString(conn, c.head(keys, http.MethodPut, "/lake/customers/x", up))
	for sent := int64(0); sent < up; {
		m, err := conn.Write(zero[:min(int64(len(zero)), up-sent)])
		if err != nil {
			t.Fatal(err)
		}
		if sent>>29 != (sent+int64(m))>>29 {
			look()
		}
		sent += int64(m)
	}
	if response := must(http.ReadResponse(r, nil)); response.StatusCode != 200 || took.Load() != up {
		t.Errorf("got %d, and the upstream %d bytes of %d", response.StatusCode, took.Load(), int64(up))
	}
	if grown := int64(most) - int64(before.HeapInuse); grown > 8<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	events := c.events()
	if e := events[1]; e.Response == nil || e.Response.Bytes != down {
		t.Errorf("the outcome is %+v", e)
	}
}

// While the upstream works, the client is told that it does; and it learns how
// that ended.
func TestSlowCompletionsAreKeptAlive(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t), tune: func(s *proxy.Server) {
		s.SetTimes(proxy.Times{KeepAlive: 20 * time.Millisecond})
	}}
	c.launch(nil)
	keys := c.login(nil)
	const parts = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`
	proceed := make(chan bool)
	for name, test := range map[string]struct{ end, want, fault string }{
		"success":   {`<CompleteMultipartUploadResult><Location>http://upstream.example/x</Location><Bucket>lake</Bucket><Key>customers/x</Key><ETag>"e"</ETag></CompleteMultipartUploadResult>`, "<Location>" + c.URL() + "/lake/customers/x</Location>", ""},
		"failure":   {`<Error><Code>InternalError</Code><Message>m</Message><HostId>canary</HostId></Error>`, "<Code>InternalError</Code>", "InternalError"},
		"break-off": {"", "", "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
				io.Copy(io.Discard, r.Body)
				io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`)
				http.NewResponseController(w).Flush()
				<-proceed
				if test.end == "" {
					panic(http.ErrAbortHandler)
				}
				io.WriteString(w, "\n  "+test.end)
				return true
			})
			conn := c.dial()
			io.WriteString(conn, c.head(keys, http.MethodPost, "/lake/customers/x?uploadId=u", int64(len(parts)))+parts)
			response := must(http.ReadResponse(bufio.NewReader(conn), nil))
			begun := make([]byte, 60)
			if _, err := io.ReadFull(response.Body, begun); err != nil || !strings.HasPrefix(string(begun), "<?xml") || !strings.HasSuffix(string(begun), "  ") {
				t.Fatalf("while the upstream works: %q, %v", begun, err)
			}
			proceed <- true
			rest, err := io.ReadAll(response.Body)
			if test.end == "" {
				if err == nil {
					t.Errorf("an answer that breaks off looks whole: %s", rest)
				}
			} else if err != nil || !strings.Contains(string(rest), test.want) || strings.Contains(string(rest), "<?xml") || strings.Contains(string(rest), "canary") {
				t.Errorf("got %s, %v", rest, err)
			}
			if e := c.outcome(); !strings.Contains(e.Error, test.fault) || (e.Error == "") != (test.fault == "") {
				t.Errorf("the outcome is %+v", e)
			}
		})
	}
}

// Requests that outlast the shutdown are cut, and have their outcomes.
func TestShutdownRecordsWhatItCuts(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t), tune: func(s *proxy.Server) {
		s.SetTimes(proxy.Times{Drain: 50 * time.Millisecond, Linger: 10 * time.Millisecond})
	}}
	c.launch(nil)
	keys := c.login(nil)
	arrived, release := make(chan bool, 2), make(chan bool)
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
		}
		arrived <- true
		<-release
		return true
	})
	defer close(release)
	download, upload := c.dial(), c.dial()
	io.WriteString(download, c.head(keys, http.MethodGet, "/lake/customers/x", 0))
	<-arrived
	io.WriteString(upload, c.head(keys, http.MethodPut, "/lake/customers/y", 100)+"half")
	<-arrived
	if err := c.stop(); err == nil || !strings.Contains(err.Error(), "cut after") {
		t.Errorf("the sidecar ended with %v", err)
	}
	outcomes := 0
	for _, e := range c.events() {
		if e.Kind == audit.KindOutcome {
			outcomes++
			if !strings.Contains(e.Error, "stopped") {
				t.Errorf("the outcome of %s is %q", e.Request.Method, e.Error)
			}
		}
	}
	if outcomes != 2 {
		t.Errorf("%d outcomes of 2 requests", outcomes)
	}
	c.stop = func() error { return nil } // it has, as it should, said so once
}

// A bucket elsewhere is found, once, and nobody is sent there past the sidecar.
func TestRegionsAreResolvedInside(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"301": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(301)
			io.WriteString(w, "<Error><Code>PermanentRedirect</Code><Endpoint>elsewhere.example</Endpoint></Error>")
		},
		"400": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			if r.Method != http.MethodHead {
				io.WriteString(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>")
			}
		},
		"307 that names no region": func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			}
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(307)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil)
			c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/") {
					body := must(io.ReadAll(r.Body))
					w.Header().Set("Etag", `"`+fmt.Sprint(len(body))+`"`)
					w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
					if r.Method == http.MethodGet {
						io.WriteString(w, "there")
					}
					return true
				}
				answer(w, r)
				return true
			})
			keys := c.login(nil)
			response, body := c.raw(keys, http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader("hello"))
			if response.StatusCode != 200 || response.Header.Get("Etag") != `"5"` {
				t.Errorf("the upload got %d %v %s", response.StatusCode, response.Header, body)
			}
			first := len(c.store.seen())
			for range 3 {
				response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
				if response.StatusCode != 200 || body != "there" {
					t.Errorf("got %d %s", response.StatusCode, body)
				}
			}
			if seen := c.store.seen(); len(seen) != 3 || first > 3 {
				t.Errorf("asked %d times at first, and then %q", first, seen)
			}
			if e := c.outcome(); e.Error != "" {
				t.Errorf("the outcome is %+v", e)
			}
		})
	}
}

// No answer of the upstream makes the sidecar connect anywhere else.
func TestRedirectsLeadNowhereElse(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	var mu sync.Mutex
	var dialed []string
	c.tune = func(s *proxy.Server) {
		s.DialUpstream(func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialed = append(dialed, address)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		})
	}
	c.launch(nil)
	keys := c.login(nil)
	for _, region := range []string{"169.254.169.254", "evil.example", "eu-west-1", "x/@evil.example", "us-east-1"} {
		c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Amz-Bucket-Region", region)
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
			w.WriteHeader(301)
			io.WriteString(w, "<Error><Code>PermanentRedirect</Code><Message>m</Message><Endpoint>169.254.169.254</Endpoint></Error>")
			return true
		})
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response, body := c.raw(keys, method, "/lake/customers/x", sigv4.UnsignedPayload, nil)
			if response.StatusCode < 500 || response.Header.Get("Location") != "" || response.Header.Get("X-Amz-Bucket-Region") != "" || strings.Contains(body, "169.254") {
				t.Errorf("%s of %q: got %d %v %s", method, region, response.StatusCode, response.Header, body)
			}
		}
		if seen := c.store.seen(); len(seen) > 8 {
			t.Errorf("%q: asked %d times", region, len(seen))
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, address := range dialed {
		if "http://"+address != c.store.URL {
			t.Errorf("connected to %s", address)
		}
	}
}

// What the upstream does not delete stands in the outcome.
func TestErrorsInsideABatchAreRecorded(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `<DeleteResult><Deleted><Key>public/a</Key></Deleted><Error><Key>public/b</Key><Code>InternalError</Code><Message>m</Message></Error></DeleteResult>`)
		return true
	})
	_, err := alice.DeleteObjects(t.Context(), deleteInput("public/a", "public/b"))
	if err != nil {
		t.Fatal(err)
	}
	if e := c.outcome(); e.Response.Objects != 1 || e.Response.Code != "InternalError" || !strings.Contains(e.Error, "1 of 2 objects") {
		t.Errorf("the outcome is %+v of %+v", e, e.Response)
	}
}

func deleteInput(keys ...string) *s3.DeleteObjectsInput {
	in := &s3.DeleteObjectsInput{Bucket: aws.String("lake"), Delete: &types.Delete{}}
	for _, k := range keys {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: &k})
	}
	return in
}
