package proxy_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// An exposition is what /metrics says: values by series, and types and labels by
// metric.
type exposition struct {
	text   string
	values map[string]float64
	types  map[string]string
	labels map[string][]string
}

var sample = regexp.MustCompile(`^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$`)

func (c *sidecar) metrics() exposition {
	c.t.Helper()
	status, text := c.look("/metrics")
	if status != http.StatusOK {
		c.t.Fatalf("/metrics: %d %s", status, text)
	}
	e := exposition{text, map[string]float64{}, map[string]string{}, map[string][]string{}}
	for line := range strings.Lines(text) {
		if name, kind, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# TYPE "), " "); ok && strings.HasPrefix(line, "# TYPE ") {
			e.types[name] = kind
		}
		m := sample.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			c.t.Fatalf("%q: %v", line, err)
		}
		e.values[strings.TrimSuffix(m[1]+"{"+m[2]+"}", "{}")] = value
		for _, l := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(e.labels[m[1]], l[1]) {
				e.labels[m[1]] = append(e.labels[m[1]], l[1])
			}
		}
	}
	return e
}

// of are the series of one metric.
func (e exposition) of(name string) map[string]float64 {
	found := map[string]float64{}
	for series, v := range e.values {
		if labels, ok := strings.CutPrefix(series, name); ok && (labels == "" || labels[0] == '{') {
			found[strings.Trim(labels, "{}")] = v
		}
	}
	return found
}

// busy is a sidecar after requests of all sorts.
func busy(t *testing.T) *sidecar {
	c := start(t, func(text string) string {
		return strings.NewReplacer("policy:", "limits: {connections: 40}\nresponses: [{name: many, when: {violations: 1, severity: low, within: 1h}, do: [alert]}]\npolicy:",
			"audit: {file: audit.jsonl}", "audit: {file: audit.jsonl, sinks: [{name: copy, type: file, path: copy.jsonl}]}").Replace(text)
	})
	alice, other := c.s3(c.login(nil)), c.s3(c.login(bob))
	c.assume(roleEveryone, "no token")
	c.assume(roleEngineers, c.provider.token(t, bob))
	ctx := t.Context()
	lake := aws.String("lake")
	body := strings.Repeat("x", 1000)
	for _, key := range []string{"customers/a", "public/b"} {
		must(alice.PutObject(ctx, &s3.PutObjectInput{Bucket: lake, Key: &key, Body: strings.NewReader(body)}))
	}
	out := must(alice.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: aws.String("customers/a")}))
	io.Copy(io.Discard, out.Body)
	out.Body.Close()
	for _, key := range []string{"customers/a", "elsewhere"} {
		if _, err := other.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: &key}); err == nil {
			t.Fatal("it was not blocked")
		}
	}
	if _, err := alice.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: aws.String("public/none")}); err == nil {
		t.Fatal("it is there")
	}
	must(alice.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lake, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("public/b")}, {Key: aws.String("customers/a")}}}}))
	must(alice.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lake, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("customers/a")}}}}))
	c.strange()
	c.write("policies/public.yaml", "name: [\n")
	if c.Reload() == nil {
		t.Fatal("nonsense was loaded")
	}
	c.write("policies/public.yaml", publicPolicy)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.limited(alice)
	c.crowd()
	c.store.Close()
	if _, err := alice.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: aws.String("public/b")}); err == nil {
		t.Fatal("nobody is there, and it answered")
	}
	return c
}

// limited asks for what is only monitored, and for more than a budget has.
func (c *sidecar) limited(client *s3.Client) {
	c.write("datamap.yaml", dataMap+"WATCHED: [{repo: S3, attributes: [lake/watched/]}]\nRATED: [{repo: S3, attributes: [lake/rated/]}]\n")
	c.write("policies/watched.yaml", "name: watched\nmode: monitor\ndata: [WATCHED]\nrules: [{updates: [{data: any}]}]\n")
	c.write("policies/rated.yaml", "name: rated\ndata: [RATED]\nrules: [{reads: [{data: any, rateLimit: 1/1h}]}]\n")
	if err := c.Reload(); err != nil {
		c.t.Fatal(err)
	}
	for _, key := range []string{"watched/x", "rated/x", "rated/y"} {
		client.GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key}) // whatever it says
	}
}

// strange sends what nobody should be able to make a series of.
func (c *sidecar) strange() {
	for _, form := range []string{"Action=StealEverything", "Action=canary"} {
		response := must(http.Post(c.URL()+"/", "application/x-www-form-urlencoded", strings.NewReader(form)))
		response.Body.Close()
	}
	for _, head := range []string{
		"CANARY /canary-bucket/canary-key?canary HTTP/1.1\r\nHost: canary\r\nUser-Agent: canary\r\nX-Canary: canary\r\nConnection: close\r\n\r\n",
		"canary\r\n\r\n",
	} {
		conn := must(net.Dial("tcp", strings.TrimPrefix(c.URL(), "http://")))
		io.WriteString(conn, head)
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}

// crowd connects more often than is permitted.
func (c *sidecar) crowd() {
	var held []net.Conn
	for range 60 {
		held = append(held, must(net.Dial("tcp", strings.TrimPrefix(c.URL(), "http://"))))
	}
	for deadline := time.Now().Add(10 * time.Second); c.metrics().values["gimme_connections_refused_total"] == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	for _, conn := range held {
		conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); c.metrics().values["gimme_connections"] > 10 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

func TestMetrics(t *testing.T) {
	c := busy(t)
	m := c.metrics()
	t.Run("requests", func(t *testing.T) {
		want := map[string]float64{
			`decision="allowed",operation="AssumeRoleWithWebIdentity",status="2xx"`: 2,
			`decision="blocked",operation="AssumeRoleWithWebIdentity",status="4xx"`: 2,
			`decision="allowed",operation="PutObject",status="2xx"`:                 2,
			`decision="allowed",operation="GetObject",status="2xx"`:                 1,
			`decision="allowed",operation="GetObject",status="4xx"`:                 2,
			`decision="blocked",operation="GetObject",status="5xx"`:                 1,
			`decision="would-block",operation="GetObject",status="4xx"`:             1,
			`decision="allowed",operation="GetObject",status="5xx"`:                 1,
			`decision="blocked",operation="GetObject",status="4xx"`:                 2,
			`decision="allowed",operation="DeleteObjects",status="2xx"`:             1,
			`decision="blocked",operation="DeleteObjects",status="2xx"`:             1,
			`decision="blocked",operation="other",status="4xx"`:                     4,
		}
		if diff := cmp.Diff(want, m.of("gimme_requests_total")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("grounds", func(t *testing.T) {
		want := map[string]float64{
			`access="reads",label="SENSITIVE",policy="customer-data"`:   1,
			`access="reads",label="RATED",policy="rated"`:               1,
			`access="reads",label="none",policy="none"`:                 1,
			`access="deletes",label="SENSITIVE",policy="customer-data"`: 2,
		}
		if diff := cmp.Diff(want, m.of("gimme_blocked_total")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("values", func(t *testing.T) {
		for series, want := range map[string]float64{
			"gimme_sessions_issued_total":                                              2,
			`gimme_sessions_refused_total{reason="token"}`:                             1,
			`gimme_sessions_refused_total{reason="role"}`:                              1,
			`gimme_objects_total{access="deletes"}`:                                    1,
			`gimme_policy_reloads_total{result="ok"}`:                                  2,
			`gimme_policy_reloads_total{result="failed"}`:                              1,
			"gimme_policy_last_reload_successful":                                      1,
			"gimme_policy_policies":                                                    4,
			"gimme_policy_rules":                                                       5,
			"gimme_policy_labels":                                                      4,
			"gimme_policy_locations":                                                   5,
			"gimme_revocations":                                                        0,
			"gimme_revocations_readable":                                               1,
			`gimme_would_block_total{access="reads",label="WATCHED",policy="watched"}`: 1,
			`gimme_budget_refusals_total{label="RATED",policy="rated"}`:                1,
			"gimme_draining":                                                           0,
			"gimme_requests_in_flight":                                                 0,
			`gimme_upstream_errors_total{reason="connect"}`:                            1,
			`gimme_upstream_responses_total{status="2xx"}`:                             4,
			`gimme_upstream_responses_total{status="4xx"}`:                             3,
			`gimme_request_duration_seconds_count{access="reads"}`:                     8,
			`gimme_upstream_duration_seconds_count{access="updates"}`:                  2,
			"gimme_audit_write_errors_total":                                           0,
			`gimme_audit_events_total{kind="session"}`:                                 4,
			`gimme_build_info{goversion="` + goVersion + `",version="test"}`:           1,
		} {
			if got, ok := m.values[series]; !ok || got != want {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
		for _, series := range []string{"gimme_connections_refused_total", "process_open_fds", "go_goroutines", "gimme_audit_write_duration_seconds_count"} {
			if m.values[series] == 0 {
				t.Errorf("%s is 0", series)
			}
		}
		if got := m.values["gimme_request_body_bytes_total"]; got < 2000 || got > 20000 {
			t.Errorf("bytes received: %v", got)
		}
		if got := m.values["gimme_response_body_bytes_total"]; got < 1000 || got > 20000 {
			t.Errorf("bytes sent: %v", got)
		}
		if len(m.of("gimme_policy_info")) != 1 || !strings.Contains(m.text, `gimme_policy_info{digest="sha256:`) {
			t.Error("no digest")
		}
	})
	t.Run("nobody is named", func(t *testing.T) {
		for _, word := range []string{"canary", "alice", "bob", "lake", "customers/", "public/", "127.0.0.1", roleEveryone, "StealEverything", upstreamKey, must(url.Parse(c.provider.URL)).Host} {
			if i := strings.Index(strings.ToLower(m.text), strings.ToLower(word)); i >= 0 {
				t.Errorf("%q: …%s", word, m.text[max(0, i-80):min(len(m.text), i+80)])
			}
		}
	})
	t.Run("conventions", func(t *testing.T) {
		problems, err := promlint.New(strings.NewReader(m.text)).Lint()
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "gimme_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	// Of what it takes more than a sidecar to bring about.
	c.Count(&audit.Event{Kind: audit.KindAdmin, Request: &audit.Request{Operation: "Revoke"}, Revocation: &audit.Revocation{}})
	c.CountNoCredentials()
	m = c.metrics()
	secure, _ := startTLS(t, nil)
	m.add(secure.metrics(), "gimme_certificate_expiry_timestamp_seconds")
	t.Run("manual", func(t *testing.T) { manual(t, m) })
	t.Run("dashboard", func(t *testing.T) { dashboard(t, m) })
	t.Run("alerts", func(t *testing.T) { alerts(t, m) })
}

// add takes a metric over from another sidecar.
func (e exposition) add(other exposition, name string) {
	e.types[name], e.labels[name], e.values[name] = other.types[name], other.labels[name], other.values[name]
}

// families are the program's own metrics with their types.
func (e exposition) families() []string {
	var names []string
	for name := range maps.Keys(e.types) {
		if strings.HasPrefix(name, "gimme_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
