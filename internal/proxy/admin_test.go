package proxy_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// read asks the admin listener.
func (c *sidecar) look(path string) (int, string) {
	c.t.Helper()
	response, err := http.Get(c.AdminURL() + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// health is what a check says: the names of those that are not well, and why.
func (c *sidecar) health(path string) (status int, failing map[string]string) {
	c.t.Helper()
	status, body := c.look(path)
	var report struct {
		Status string
		Checks []struct {
			Name   string
			OK     bool
			Spare  bool
			Reason string
		}
	}
	if err := json.Unmarshal([]byte(body), &report); err != nil || len(report.Checks) == 0 {
		c.t.Fatalf("%s: %v: %s", path, err, body)
	}
	failing = map[string]string{}
	for _, check := range report.Checks {
		if !check.OK {
			failing[check.Name] = check.Reason
		}
		if check.Spare {
			failing[check.Name] = "spare: " + check.Reason
		}
	}
	if (report.Status == "ok") != (status == http.StatusOK) {
		c.t.Errorf("%s: status %q with %d", path, report.Status, status)
	}
	return status, failing
}

// What is well, what is not, and what that means.
func TestHealth(t *testing.T) {
	for name, test := range map[string]struct {
		edit   func(string) string
		damage func(c *sidecar)
		health int
		ready  int
		want   []string // of the checks of /readyz
	}{
		"all is well":         {health: 200, ready: 200},
		"upstream is gone":    {damage: func(c *sidecar) { c.store.Close() }, health: 200, ready: 503, want: []string{"upstream"}},
		"the provider is out": {damage: func(c *sidecar) { c.provider.Close() }, health: 200, ready: 503, want: []string{"issuer"}},
		"keys are kept":       {damage: func(c *sidecar) { c.login(nil); c.provider.Close() }, health: 200, ready: 200},
		"one provider of two": {
			edit: func(text string) string {
				return strings.Replace(text, "  - {issuer: ", "  - {issuer: \"http://127.0.0.1:1\", client_id: other, alias: b}\n  - {alias: a, issuer: ", 1)
			},
			health: 200, ready: 200, want: []string{"issuer http://127.0.0.1:1"},
		},
		"revocations are damaged": {damage: func(c *sidecar) { c.write("session-keys.revoked", "nonsense\n") }, health: 503, ready: 503, want: []string{"revocations"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, test.edit)
			if test.damage != nil {
				test.damage(c)
			}
			if status, failing := c.health("/healthz"); status != test.health {
				t.Errorf("/healthz: %d %v", status, failing)
			}
			status, failing := c.health("/readyz")
			if status != test.ready || len(failing) != len(test.want) {
				t.Errorf("/readyz: %d %v", status, failing)
			}
			for _, want := range test.want {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(failing)), func(name string) bool { return strings.HasPrefix(name, want) && failing[name] != "" }) {
					t.Errorf("/readyz: %v", failing)
				}
			}
		})
	}
}

// A fullDevice takes no more once it is full.
type fullDevice struct {
	syncBuffer
	full chan bool // holds whether it is
}

func (d *fullDevice) Write(p []byte) (int, error) {
	full := <-d.full
	d.full <- full
	if full {
		return 0, os.ErrInvalid
	}
	return d.syncBuffer.Write(p)
}

// A log that cannot be written stops the sidecar from serving, /healthz says so,
// and finds out by itself that it can be written again.
func TestHealthOfTheAuditLog(t *testing.T) {
	disk := &fullDevice{full: make(chan bool, 1)}
	disk.full <- false
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t), stdout: disk}
	c.launch(func(text string) string {
		return strings.Replace(text, "audit: {file: audit.jsonl}", `audit: {file: "-"}`, 1)
	})
	keys := c.login(nil)
	<-disk.full
	disk.full <- true
	_, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/x")})
	if err == nil || !strings.Contains(err.Error(), "StatusCode: 503") {
		t.Fatalf("got %v", err)
	}
	c.wantNothingUpstream()
	for range 2 { // it has tried by the second time
		status, failing := c.health("/healthz")
		if want := (map[string]string{"audit": failing["audit"]}); status != 503 || cmp.Diff(want, failing) != "" || !strings.Contains(failing["audit"], os.ErrInvalid.Error()) {
			t.Errorf("got %d %v", status, failing)
		}
	}
	<-disk.full
	disk.full <- false
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, failing := c.health("/healthz")
		if status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d %v", status, failing)
		}
	}
	if !strings.Contains(disk.String(), `"operation":"log-recovered"`) {
		t.Errorf("no event tells of the gap: %s", disk)
	}
}

// While requests are finished, balancers are told to send no more.
func TestReadinessWhileDraining(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	arrived, release := make(chan struct{}), make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			close(arrived)
			<-release
		}
		return false
	})
	done := make(chan error, 1)
	go func() {
		_, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/x")})
		done <- err
	}()
	<-arrived
	if status, failing := c.health("/readyz"); status != 200 {
		t.Errorf("before: %d %v", status, failing)
	}
	go c.stop()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		status, failing := c.health("/readyz")
		if status == 503 && failing["serving"] != "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d %v", status, failing)
		}
	}
	if status, failing := c.health("/healthz"); status != 200 {
		t.Errorf("/healthz: %d %v", status, failing)
	}
	if _, metrics := c.look("/metrics"); !strings.Contains(metrics, "gimme_draining 1") {
		t.Error("the metrics do not say that it stops")
	}
	let()
	<-done
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(c.AdminURL() + "/healthz"); err == nil {
		t.Error("the admin listener is still open")
	}
}

// The admin listener knows three paths, to be read, and none of them at the port
// for data; and there is no audit event of any of it.
func TestAdminServesNothingElse(t *testing.T) {
	c := start(t, nil)
	for name, test := range map[string]struct {
		method, path, host string
		body               string
		want               int
	}{
		"read":         {path: "/healthz", want: 200},
		"head":         {method: "HEAD", path: "/metrics", want: 200},
		"post":         {method: "POST", path: "/healthz", want: 405},
		"delete":       {method: "DELETE", path: "/metrics", want: 405},
		"options":      {method: "OPTIONS", path: "/readyz", want: 405},
		"root":         {path: "/", want: 404},
		"profiling":    {path: "/debug/pprof/", want: 404},
		"variables":    {path: "/debug/vars", want: 404},
		"query":        {path: "/metrics?x=1", want: 404},
		"dots":         {path: "/x/../metrics", want: 404},
		"a body":       {path: "/healthz", body: "x", want: 200},
		"a page's way": {path: "/metrics", host: "evil.example", want: 421},
		"localhost":    {path: "/metrics", host: "localhost:8701", want: 200},
		"IPv6":         {path: "/metrics", host: "[::1]:8701", want: 200},
	} {
		t.Run(name, func(t *testing.T) {
			u := must(url.Parse(c.AdminURL()))
			u.Opaque = test.path
			r := &http.Request{Method: test.method, URL: u, Host: test.host, Header: http.Header{}}
			if test.body != "" {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(test.body)), int64(len(test.body))
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("got %s", response.Status)
			}
			if test.want == 405 && response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow is %q", response.Header.Get("Allow"))
			}
		})
	}
	if events := c.events(); len(events) != 0 {
		t.Errorf("events: %+v", events)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		response, err := http.Get(c.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s at the port for data: %s", path, response.Status)
		}
	}
	if events := c.events(); len(events) != 3 || events[0].Decision != audit.Blocked {
		t.Errorf("events: %+v", events)
	}
	c.wantNothingUpstream()
}

// Many connections to the admin listener take nothing from anybody.
func TestAdminConnectionsAreFew(t *testing.T) {
	c := start(t, nil)
	address := strings.TrimPrefix(c.AdminURL(), "http://")
	var wg sync.WaitGroup
	var closed atomic.Int32
	for range 40 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		wg.Go(func() {
			if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				closed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := closed.Load(); n != 8 {
		t.Errorf("%d of 40 were closed", n)
	}
}

func TestAdminOffAndTaken(t *testing.T) {
	c := start(t, func(text string) string {
		return strings.Replace(text, "admin: {listen: 127.0.0.1:0}", "admin: {listen: off}", 1)
	})
	if c.AdminURL() != "" {
		t.Errorf("it is off, and listens at %s", c.AdminURL())
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir, write := folder(t)
	write("proxy.yaml", strings.Replace(goodConfig, "{listen: off}", "{listen: '"+taken.Addr().String()+"'}", 1))
	config, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.New(config, proxy.Options{}); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "admin.listen") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"keys", "audit.jsonl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

func TestAdminConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ admin, want string }{
		"default":             {"", ""},
		"off":                 {"admin: {listen: off}", ""},
		"IPv6 loopback":       {"admin: {listen: '[::1]:8701'}", ""},
		"no port":             {"admin: {listen: 127.0.0.1}", "neither host:port nor off"},
		"a name":              {"admin: {listen: 'localhost:8701'}", "an address is wanted"},
		"any address":         {"admin: {listen: ':8701'}", "admin.insecure_open: true"},
		"a public address":    {"admin: {listen: '0.0.0.0:8701'}", "use 127.0.0.1:8701, or admin.insecure_open: true"},
		"with the word":       {"admin: {listen: '0.0.0.0:8701', insecure_open: true}", "warning: admin.listen: whoever reaches 0.0.0.0:8701"},
		"the port for data":   {"admin: {listen: '127.0.0.1:9000'}", "has the port of listen"},
		"... elsewhere":       {"admin: {listen: '127.0.0.2:9000'}", "has the port of listen"},
		"tracing":             {"tracing: {endpoint: 'https://collector.example:4318', sample: 0.1, send_upstream: true}", ""},
		"tracing on loopback": {"tracing: {endpoint: 'http://127.0.0.1:4318/v1/traces'}", ""},
		"plain tracing":       {"tracing: {endpoint: 'http://collector.example:4318'}", "tracing.insecure_plain_http: true"},
		"... with the word":   {"tracing: {endpoint: 'http://collector.example:4318', insecure_plain_http: true}", ""},
		"no URL":              {"tracing: {endpoint: 'collector:4318'}", "an https URL is wanted"},
		"a password":          {"tracing: {endpoint: 'https://a:b@collector.example'}", "an https URL is wanted"},
		"too large a share":   {"tracing: {endpoint: 'https://collector.example', sample: 1.5}", "tracing.sample is 1.5"},
		"a negative share":    {"tracing: {endpoint: 'https://collector.example', sample: -1}", "tracing.sample is -1"},
		"a share of nothing":  {"tracing: {sample: 0.5}", "tracing.endpoint is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, write := folder(t)
			text := strings.Replace(strings.Replace(goodConfig, "admin: {listen: off}\n", "", 1), "127.0.0.1:0", "127.0.0.1:9000", 1)
			write("proxy.yaml", text+test.admin+"\n")
			config, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				for _, w := range config.Warnings() {
					got += "warning: " + w.Text
				}
			}
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
