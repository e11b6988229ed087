package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A shelf is an upstream that has one object, lake/customers/x, with tags, and
// may change it between two questions.
type shelf struct {
	t         *testing.T
	versioned bool
	suspended bool // versions are no longer made: the one there is is called null

	mu       sync.Mutex // guards what follows
	versions []thing    // from the oldest to the one that is there
	asked    []string
	first    time.Time // when it was asked first
	swapAt   int       // before that question another object takes the place; 0: never
	fail     string    // the status with which tags are answered; "": with tags
	copied   []string
}

type thing struct{ version, etag, class, text string }

func (s *shelf) put(class string) {
	n := len(s.versions) + 1
	v := thing{version: fmt.Sprintf("v%d", n), etag: fmt.Sprintf(`"e%d"`, n), class: class, text: "this is " + class}
	if !s.versioned {
		v.version = ""
		s.versions = nil
	}
	if s.suspended {
		v.version = "null"
		v.etag = fmt.Sprintf(`"null%d"`, len(s.asked))
	}
	s.versions = append(s.versions, v)
}

// answer is strict: it answers nothing that is not signed for it, and no version
// that it does not have.
func (s *shelf) answer(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	signature, err := sigv4.Parse(r)
	if err == nil {
		_, err = signature.Verify(upstreamSecret, signature.Time)
	}
	if err != nil || signature.AccessKeyID != upstreamKey {
		s.t.Errorf("%s %s is not signed: %v", r.Method, r.RequestURI, err)
	}
	if s.asked == nil {
		s.first = time.Now()
	}
	s.asked = append(s.asked, r.Method+" "+strings.TrimPrefix(r.RequestURI, "/lake/customers/"))
	if len(s.asked) == s.swapAt {
		s.put("secret")
	}
	query, match := r.URL.Query(), r.Header.Get("If-Match")
	version := query.Get("versionId")
	if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
		_, version, _ = strings.Cut(source, "?versionId=")
		match = r.Header.Get("X-Amz-Copy-Source-If-Match")
	} else if r.Method == http.MethodPut || r.Method == http.MethodDelete || r.Method == http.MethodPost {
		io.Copy(io.Discard, r.Body)
		return true
	}
	at := len(s.versions) - 1
	if version != "" {
		at = slices.IndexFunc(s.versions, func(v thing) bool { return v.version == version })
	}
	if at < 0 || s.fail != "" && query.Has("tagging") {
		w.WriteHeader(map[string]int{"": 404, "AccessDenied": 403, "InternalError": 500}[s.fail])
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", s.fail)
		return true
	}
	v := s.versions[at]
	if v.version != "" {
		w.Header().Set("X-Amz-Version-Id", v.version)
	}
	if match != "" && match != v.etag {
		w.WriteHeader(http.StatusPreconditionFailed)
		if r.Method != http.MethodHead {
			io.WriteString(w, "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>")
		}
		return true
	}
	w.Header().Set("ETag", v.etag)
	w.Header().Set("Last-Modified", "Mon, 02 Mar 2026 09:00:00 GMT")
	switch {
	case query.Has("tagging"):
		fmt.Fprintf(w, "<Tagging><TagSet><Tag><Key>class</Key><Value>%s</Value></Tag></TagSet></Tagging>", v.class)
	case r.Method == http.MethodPut:
		s.copied = append(s.copied, v.text)
		io.WriteString(w, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
	case r.Method == http.MethodGet:
		io.WriteString(w, v.text)
	}
	return true
}

func (s *shelf) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ruleOfTags lets everyone read what is public, and change what is a draft.
const ruleOfTags = `
name: customer-data
data: [SENSITIVE]
rules:
  - when: {object_tags: {class: [public]}}
    reads: [{data: any}]
  - when: {object_tags: {class: [draft]}}
    updates: [{data: any}]
    deletes: [{data: any}]
`

// withShelf puts an object of a class behind a sidecar whose policy goes by tags.
func withShelf(t *testing.T, class string, edit func(*shelf)) (*sidecar, *shelf) {
	t.Helper()
	c := start(t, nil)
	c.policies(ruleOfTags)
	return c, c.shelve(t, class, edit)
}

// shelve puts another one there.
func (c *sidecar) shelve(t *testing.T, class string, edit func(*shelf)) *shelf {
	s := &shelf{t: t}
	if edit != nil {
		edit(s)
	}
	s.put(class)
	c.store.answerWith(s.answer)
	return s
}

func versioned(s *shelf) { s.versioned = true }

// What is read is the object whose tags were seen: by its version, or by its
// ETag, which is then asked for before the tags.
func TestObjectTagsLetRead(t *testing.T) {
	c, _ := withShelf(t, "public", nil)
	keys := c.login(bob)
	suspended := func(s *shelf) { s.versioned, s.suspended = true, true }
	for name, test := range map[string]struct {
		edit    func(*shelf)
		request []string
		asked   []string
	}{
		"versions":            {versioned, []string{"GET", "x"}, []string{"GET x?tagging=", "GET x?versionId=v1"}},
		"head":                {versioned, []string{"HEAD", "x"}, []string{"GET x?tagging=", "HEAD x?versionId=v1"}},
		"a version":           {versioned, []string{"GET", "x?versionId=v1"}, []string{"GET x?tagging=&versionId=v1", "GET x?versionId=v1"}},
		"the tags themselves": {versioned, []string{"GET", "x?tagging="}, []string{"GET x?tagging=", "GET x?tagging=&versionId=v1"}},
		"no versions":         {nil, []string{"GET", "x"}, []string{"GET x?tagging=", "HEAD x", "GET x?tagging=", "GET x"}},
		"head without":        {nil, []string{"HEAD", "x"}, []string{"GET x?tagging=", "HEAD x", "GET x?tagging=", "HEAD x"}},
		"no more versions":    {suspended, []string{"GET", "x"}, []string{"GET x?tagging=", "HEAD x", "GET x?tagging=", "GET x"}},
		"version null":        {suspended, []string{"GET", "x?versionId=null"}, []string{"GET x?tagging=&versionId=null", "HEAD x?versionId=null", "GET x?tagging=&versionId=null", "GET x?versionId=null"}},
		"a condition":         {nil, []string{"GET", "x", "If-Match", `"e1"`}, []string{"GET x?tagging=", "HEAD x", "GET x?tagging=", "GET x"}},
	} {
		t.Run(name, func(t *testing.T) {
			shelf := c.shelve(t, "public", test.edit)
			response, body := c.raw(keys, test.request[0], "/lake/customers/"+test.request[1], sigv4.UnsignedPayload, nil, test.request[2:]...)
			e := c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
			if test.request[0] == "GET" && body != "this is public" && !strings.Contains(body, "TagSet") {
				t.Errorf("got %q", body)
			}
			if seen := shelf.seen(); !slices.Equal(seen, test.asked) {
				t.Errorf("asked %q, want %q", seen, test.asked)
			}
			if !e.Time.Before(shelf.first) {
				t.Errorf("judged by %v, though the tags were asked for at %v", e.Time, shelf.first)
			}
			if len(e.Reasons) != 1 || e.Reasons[0].Rule != "rule 1" || e.Upstream == nil || strings.Contains(c.rawEvents(), "class=") {
				t.Errorf("decision: %+v %+v", e.Reasons, e.Upstream)
			}
		})
	}
}

// What the tags do not let through, and what has none that can be seen, is
// answered alike.
func TestObjectTagsBlock(t *testing.T) {
	c, _ := withShelf(t, "public", nil)
	keys, said := c.login(bob), 0
	answers := map[string]bool{}
	for name, test := range map[string]struct {
		edit func(*shelf)
		log  string
	}{
		"of another class": {versioned, ""},
		"not there":        {func(s *shelf) { s.versioned, s.swapAt = true, -1 }, "404"},
		"tags denied":      {func(s *shelf) { s.versioned, s.fail = true, "AccessDenied" }, "403 AccessDenied"},
		"upstream ill":     {func(s *shelf) { s.versioned, s.fail = true, "InternalError" }, "500 InternalError"},
	} {
		t.Run(name, func(t *testing.T) {
			shelf := c.shelve(t, "canary", test.edit)
			if name == "not there" {
				shelf.versions = nil
			}
			response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
			if response.StatusCode != 403 || !strings.Contains(body, "but its tags are not known; needed: for objects tagged class=public.") {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			if seen := shelf.seen(); !slices.Equal(seen, []string{"GET x?tagging="}) {
				t.Errorf("asked %q", seen)
			}
			e := c.wantOneRefusal("AccessDenied", "bob@example.com may not GetObject")
			answers[strings.ReplaceAll(body, e.ID, "ID")] = true
			log := c.log.String()[said:]
			said += len(log)
			if !strings.Contains(log, test.log) || (test.log != "") != strings.Contains(log, "tags could not be looked up") {
				t.Errorf("log: %s", log)
			}
			if strings.Contains(c.rawEvents()+body, "canary") {
				t.Errorf("the tag is told: %s", body)
			}
		})
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
}

// The client's own condition is judged by what was found, once the policy has let
// the person know of it. Then nothing is read, and nothing counts.
func TestAConditionThatFailsBeforeTheRead(t *testing.T) {
	c, _ := withShelf(t, "public", nil)
	c.policies(strings.Replace(ruleOfTags, "    reads: [{data: any}]", "    reads: [{data: any, rateLimit: 1/1h}]", 1))
	keys := c.login(bob)
	for class, want := range map[string]int{"public": 412, "secret": 403} {
		shelf := c.shelve(t, class, nil)
		response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil, "If-Match", `"other"`)
		if seen := shelf.seen(); response.StatusCode != want || !slices.Equal(seen, []string{"GET x?tagging=", "HEAD x", "GET x?tagging="}) {
			t.Errorf("%s: %d %s, asked %q", class, response.StatusCode, body, seen)
		}
		if want == 412 {
			if events := c.ended(2); len(events) != 2 || events[0].Decision != audit.Allowed || events[1].Response.Code != "PreconditionFailed" {
				t.Errorf("events: %+v", events)
			}
		} else {
			c.wantOneRefusal("AccessDenied", "bob@example.com")
		}
	}
	c.shelve(t, "public", nil)
	for i, want := range []int{200, 503} {
		if response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil); response.StatusCode != want {
			t.Errorf("read %d: %d %s", i, response.StatusCode, body)
		}
	}
}

// Nobody is asked of the upstream where no tag could change the answer.
func TestTagsAreLookedUpWhereTheyMatter(t *testing.T) {
	c, shelf := withShelf(t, "public", versioned)
	keys := c.login(nil)
	c.policies(strings.Replace(ruleOfTags, "rules:\n", "rules:\n  - identities: {users: [alice-1]}\n    reads: [{data: any}]\n", 1))
	response, body := c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	if seen := shelf.seen(); !slices.Equal(seen, []string{"GET x"}) {
		t.Errorf("asked %q", seen)
	}
	c.policies(strings.Replace(ruleOfTags, "  - when:", "  - hosts: [10.0.0.0/8]\n    when:", 1))
	response, body = c.raw(keys, http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.wantBlocked(t, response.StatusCode, body, "the request comes from 127.0.0.1")
	response, body = c.raw(keys, http.MethodGet, "/lake?list-type=2&prefix=customers%2F", sigv4.UnsignedPayload, nil)
	c.wantBlocked(t, response.StatusCode, body, "may not ListObjectsV2")
}

// What is changed or deleted goes by the tags of what is there, key by key.
func TestObjectTagsOfWrites(t *testing.T) {
	c, shelf := withShelf(t, "draft", versioned)
	keys := c.login(nil)
	response, body := c.raw(keys, http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader("y"))
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	response, body = c.raw(keys, http.MethodDelete, "/lake/customers/x", sigv4.UnsignedPayload, nil)
	c.wantLetThrough(t, response.StatusCode, body, audit.Allowed)
	if seen := shelf.seen(); !slices.Equal(seen, []string{"GET x?tagging=", "PUT x", "GET x?tagging=", "DELETE x"}) {
		t.Errorf("asked %q", seen)
	}
	a := c.attacked(t)
	shelf.mu.Lock()
	shelf.versions = append([]thing{{version: "old", etag: `"o"`, class: "final"}}, shelf.versions...)
	shelf.mu.Unlock()
	document := "<Delete><Object><Key>customers/x</Key></Object><Object><Key>customers/x</Key><VersionId>old</VersionId></Object></Delete>"
	var sent string
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return shelf.answer(w, r)
		}
		data, _ := io.ReadAll(r.Body)
		sent = string(data)
		io.WriteString(w, "<DeleteResult><Deleted><Key>customers/x</Key></Deleted></DeleteResult>")
		return true
	})
	r := exchangeRaw(t, a.host, nil, a.signed(batch(document), a.by("alice")), false)[0]
	events := a.newEvents()
	if r.status != 200 || strings.Count(r.body, "<Error>") != 1 || !strings.Contains(r.body, "<VersionId>old</VersionId><Code>AccessDenied</Code>") || strings.Contains(sent, "old") || !strings.Contains(sent, "customers/x") {
		t.Errorf("sent %s, got %d %s", sent, r.status, r.body)
	}
	if len(events) != 3 || events[0].Decision != audit.Blocked || events[1].Decision != audit.Allowed {
		t.Errorf("events: %+v", events)
	}
}

// A copy of an old version onto its own key has two objects of one name, and
// which tags are meant is not known.
func TestTwoVersionsOfOneName(t *testing.T) {
	c, shelf := withShelf(t, "draft", versioned)
	c.policies(strings.ReplaceAll(ruleOfTags, "[draft]", "[draft, public]"))
	shelf.mu.Lock()
	shelf.put("public")
	shelf.mu.Unlock()
	response, body := c.raw(c.login(nil), http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, nil, "X-Amz-Copy-Source", "lake/customers/x?versionId=v1")
	if response.StatusCode != 403 || len(shelf.copied) > 0 {
		t.Errorf("got %d %s, copied %q", response.StatusCode, body, shelf.copied)
	}
	c.wantOneRefusal("AccessDenied", "its tags are not known")
}

// T57: another object takes the place of the one whose tags were seen, before
// each of the questions that the upstream is asked. Nobody gets it, and no answer
// says that it is there.
func TestRacingTags(t *testing.T) {
	c, _ := withShelf(t, "public", nil)
	keys := c.login(nil)
	for name, edit := range map[string]func(*shelf){
		"versions": versioned, "no versions": nil, "no more versions": func(s *shelf) { s.versioned, s.suspended = true, true },
	} {
		for _, request := range [][]string{{"GET", "/lake/customers/x"}, {"HEAD", "/lake/customers/x"}, {"PUT", "/lake/public/y", "X-Amz-Copy-Source", "lake/customers/x"}, {"GET", "/lake/customers/x", "Range", "bytes=0-100"}} {
			for at := 1; at <= 5; at++ {
				t.Run(fmt.Sprintf("%s/%s/%d", name, request[0], at), func(t *testing.T) {
					shelf := c.shelve(t, "public", edit)
					shelf.swapAt = at
					response, body := c.raw(keys, request[0], request[1], sigv4.UnsignedPayload, nil, request[2:]...)
					if strings.Contains(body, "this is secret") || slices.Contains(shelf.copied, "this is secret") {
						t.Fatalf("the other object was served: %q", shelf.seen())
					}
					if etag := response.Header.Get("Etag"); request[0] == "HEAD" && response.StatusCode == 200 && etag != shelf.oldest() {
						t.Errorf("the other object was told of: %s", etag)
					}
					switch response.StatusCode {
					case 200:
						if at == 1 {
							t.Errorf("served, though its tags say no: %q", shelf.seen())
						}
					case 403:
					case 503:
						if code := response.Header.Get("X-Gimme-Reason"); !strings.HasPrefix(code, "SlowDown: ") || response.Header.Get("Retry-After") != "1" {
							t.Errorf("told %q", code)
						}
					default:
						t.Errorf("got %d %s", response.StatusCode, body)
					}
				})
			}
		}
	}
}

// oldest is the ETag of the object that was there first.
func (s *shelf) oldest() string {
	if s.suspended {
		return `"null0"`
	}
	return `"e1"`
}
