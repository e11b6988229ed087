package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// An arena is a sidecar without connections of its own, for tests that ask it
// thousands of things. Its upstream answers as it is told and remembers all that
// arrived whole.
type arena struct {
	server *proxy.Server
	events bytes.Buffer
	held   map[string]aws.Credentials

	mu     sync.Mutex // guards what follows: the upstream has goroutines of its own
	asked  []question
	answer func(w http.ResponseWriter, q question)
}

// A question is what the upstream was asked, as its bytes say, understood by
// code that is not the product's.
type question struct {
	message
	operation, bucket, key, version, source string
	keys                                    []string // of a batch
	query                                   map[string]string
}

func newArena(t testing.TB) *arena { return newArenaOf(t, nil) }

// newArenaOf is newArena with other files: write is called before they are read.
func newArenaOf(t testing.TB, write func(c *sidecar)) *arena {
	t.Helper()
	a := &arena{held: map[string]aws.Credentials{}}
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t)}
	c.store = &store{Server: httptest.NewServer(http.HandlerFunc(a.upstream))}
	t.Cleanup(c.store.Close)
	c.files(strings.Replace(c.config(), "file: audit.jsonl", `file: "-"`, 1))
	if write != nil {
		write(c)
	}
	a.server = must(proxy.New(c.load(), proxy.Options{Stdout: &a.events}))
	for who, claims := range map[string]map[string]any{"alice": nil, "bob": bob} {
		form := (&attack{host: "h"}).loginForm(c.provider.token(t, claims), nil)
		r, _ := a.ask(form)
		var document struct {
			Keys struct{ AccessKeyId, SecretAccessKey, SessionToken string } `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
		}
		if err := xml.Unmarshal(r.answer.Body.Bytes(), &document); err != nil || document.Keys.AccessKeyId == "" {
			t.Fatalf("no login: %v %s", err, r.answer.Body)
		}
		k := document.Keys
		a.held[who] = aws.Credentials{AccessKeyID: k.AccessKeyId, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}
	}
	return a
}

func (a *arena) upstream(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.ContentLength > int64(len(body)) {
		return // it broke off, and is nothing that was asked
	}
	m := message{method: r.Method, target: r.RequestURI, body: string(body), lines: []string{"Host: " + r.Host}}
	for name, values := range r.Header {
		for _, v := range values {
			m.lines = append(m.lines, name+": "+v)
		}
	}
	q := read(m)
	a.mu.Lock()
	a.asked = append(a.asked, q)
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		answer(w, q)
		return
	}
	io.WriteString(w, fitting[q.operation])
}

// fitting are answers that look like success, where they must look like one.
var fitting = map[string]string{
	"CopyObject": "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", "UploadPartCopy": "<CopyPartResult><ETag>x</ETag></CopyPartResult>",
	"CompleteMultipartUpload": "<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><ETag>x</ETag></CompleteMultipartUploadResult>",
	"DeleteObjects":           "<DeleteResult></DeleteResult>", "ListBuckets": "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>",
	"ListObjects": "<ListBucketResult></ListBucketResult>", "ListObjectsV2": "<ListBucketResult></ListBucketResult>",
	"ListMultipartUploads": "<ListMultipartUploadsResult></ListMultipartUploadsResult>",
}

// A record is all that one request brought about.
type record struct {
	answer *httptest.ResponseRecorder
	events []audit.Event
	asked  []question
	cut    bool // the connection, instead of a whole answer
}

// ask serves raw. It is false when net/http would not have served it.
func (a *arena) ask(raw string) (record, bool) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return record{}, false
	}
	r.RemoteAddr = "192.0.2.1:1234"
	a.events.Reset()
	out := record{answer: httptest.NewRecorder()}
	func() {
		defer func() {
			if fault := recover(); fault != nil {
				if err, ok := fault.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(fault)
				}
				out.cut = true
			}
		}()
		a.server.ServeHTTP(out.answer, r)
	}()
	for line := range strings.Lines(a.events.String()) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			panic(err)
		}
		out.events = append(out.events, e)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out.asked, a.asked = a.asked, nil
	return out, true
}

// read understands a request of S3 from its bytes.
func read(m message) question {
	q := question{message: m, query: map[string]string{}}
	path, query, _ := strings.Cut(m.target, "?")
	q.bucket, q.key, _ = strings.Cut(strings.TrimPrefix(unescaped(path), "/"), "/")
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" {
			q.query[unescaped(name)] = unescaped(value)
		}
	}
	q.version = q.query["versionId"]
	if source, ok := m.line("X-Amz-Copy-Source"); ok {
		q.source, _, _ = strings.Cut(source, "?")
		q.source = strings.TrimPrefix(unescaped(q.source), "/")
	}
	q.operation = q.name()
	if q.operation == "DeleteObjects" {
		var document struct {
			Object []struct{ Key string }
		}
		if err := xml.Unmarshal([]byte(m.body), &document); err != nil {
			panic(err)
		}
		for _, o := range document.Object {
			q.keys = append(q.keys, o.Key)
		}
	}
	return q
}

// unescaped undoes the escapes of the upstream's target, which are whole.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			c := strings.Index("0123456789ABCDEF", s[i+1:i+2])<<4 | strings.Index("0123456789ABCDEF", s[i+2:i+3])
			b.WriteByte(byte(c))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// name is the operation's, as Amazon's API reference has it.
func (q question) name() string {
	level := "Object"
	if q.key == "" {
		level = "Bucket"
	}
	for _, sub := range [][2]string{{"acl", "Acl"}, {"tagging", "Tagging"}} {
		if _, ok := q.query[sub[0]]; ok {
			return map[string]string{"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[q.method] + level + sub[1]
		}
	}
	_, uploads := q.query["uploads"]
	_, uploadID := q.query["uploadId"]
	_, location := q.query["location"]
	switch {
	case q.bucket == "":
		return "ListBuckets"
	case q.key == "":
		switch {
		case q.method == "HEAD":
			return "HeadBucket"
		case q.method == "POST":
			return "DeleteObjects"
		case location:
			return "GetBucketLocation"
		case uploads:
			return "ListMultipartUploads"
		case q.query["list-type"] == "2":
			return "ListObjectsV2"
		}
		return "ListObjects"
	case q.method == "PUT" && uploadID:
		if q.source != "" {
			return "UploadPartCopy"
		}
		return "UploadPart"
	case q.method == "PUT" && q.source != "":
		return "CopyObject"
	case uploads:
		return "CreateMultipartUpload"
	case uploadID:
		return map[string]string{"GET": "ListParts", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}[q.method]
	}
	return map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[q.method]
}

// resigned is the signature that the upstream would compute of what it got.
func (q question) resigned() string {
	authorization, _ := q.line("Authorization")
	_, names, _ := strings.Cut(authorization, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	payload, _ := q.line("X-Amz-Content-Sha256")
	date, _ := q.line("X-Amz-Date")
	s := seal{keys: aws.Credentials{SecretAccessKey: upstreamSecret}, day: date[:8], region: region, service: "s3", payload: payload}
	var headers strings.Builder
	for name := range strings.SplitSeq(names, ";") {
		value, _ := q.line(name)
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	path, query, _ := strings.Cut(q.target, "?")
	canonical := q.method + "\n" + path + "\n" + query + "\n" + headers.String() + "\n" + names + "\n" + payload
	return hexOf(hmacOf(s.key(), "AWS4-HMAC-SHA256\n"+date+"\n"+s.scope()+"\n"+sha(canonical)))
}

// signers are headers that the sidecar's own signature and framing bring.
var signers = []string{"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Checksum-Sha256", "X-Amz-Trailer", "X-Amz-Decoded-Content-Length"}

// wantHeld asserts what holds of every request: P3, what was decided on is what
// the upstream was asked; P5, it was asked only after a decision; P8, what is
// blocked asks nothing.
func (r record) wantHeld(t *testing.T, asked message) {
	t.Helper()
	allowed, blocked, outcomes := r.split()
	switch {
	case len(allowed)+len(blocked) == 0, len(allowed) > 1, len(blocked) > 1, len(outcomes) != len(allowed), len(allowed)+len(blocked) > 1 && allowed[0].Request.Operation != "DeleteObjects":
		t.Fatalf("%q has the events %+v", asked, r.events)
	case len(allowed) == 0 && len(r.asked) > 0:
		t.Fatalf("%q was blocked, and the upstream was asked %q", asked, r.asked)
	case len(allowed) == 0 && len(r.answer.Result().Header["X-Gimme-Reason"]) == 0 && r.answer.Code != 200:
		t.Fatalf("%q was blocked and answered %d without a reason", asked, r.answer.Code)
	}
	for _, q := range r.asked {
		e := allowed[0].Request
		if q.operation != e.Operation || q.bucket != e.Bucket || q.key != e.Key || q.version != e.VersionID || q.method != asked.method || q.source != e.Source && (q.source != e.Bucket+"/"+e.Key || e.Source != "") {
			t.Errorf("%q\nwas decided on as %+v\nand asked as %+v", asked, e, q)
		}
		if q.operation == "DeleteObjects" && !sameSet(q.keys, e.Keys) {
			t.Errorf("%q\nwas decided on as %q\nand asked as %q", asked, e.Keys, q.keys)
		}
		if authorization, _ := q.line("Authorization"); !strings.HasSuffix(authorization, q.resigned()) {
			t.Errorf("the upstream would not accept %q", q.message)
		}
		for _, line := range q.lines {
			name, value, _ := strings.Cut(line, ": ")
			if have, ok := asked.line(name); strings.HasPrefix(name, "X-Amz-") && !slices.Contains(signers, name) && (!ok || have != value && name != "X-Amz-Copy-Source") {
				t.Errorf("%q became, with %s, %q", asked, line, q.message)
			}
		}
	}
}

func (r record) split() (allowed, blocked, outcomes []audit.Event) {
	for _, e := range r.events {
		switch {
		case e.Kind == audit.KindOutcome:
			outcomes = append(outcomes, e)
		case e.Decision == audit.Allowed:
			allowed = append(allowed, e)
		default:
			blocked = append(blocked, e)
		}
	}
	return allowed, blocked, outcomes
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
