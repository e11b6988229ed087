package s3api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// found are the headers with which the upstream answers what an object is.
func found(etag, modified string) http.Header {
	return http.Header{"Etag": {etag}, "Last-Modified": {modified}}
}

const lastModified = "Mon, 02 Mar 2026 09:00:00 GMT"

func parsed(t *testing.T, line string, headers ...string) *s3api.Call {
	t.Helper()
	c, err := s3api.Parse(request(line, headers...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reading(t *testing.T, c *s3api.Call) s3api.Target {
	t.Helper()
	for _, target := range c.Targets {
		if target.Access == reads {
			return target
		}
	}
	t.Fatalf("nothing is read: %v", c.Targets)
	return s3api.Target{}
}

func TestLookUps(t *testing.T) {
	const (
		key       = "X-Amz-Server-Side-Encryption-Customer-Key"
		sourceKey = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key"
	)
	type params = []s3api.Param
	get := parsed(t, "GET /bucket/a/k?versionId=v", key+": secret", "X-Amz-Request-Payer: requester", "X-Amz-Expected-Bucket-Owner: 1", "Range: bytes=0-1", "If-Match: x")
	copied := parsed(t, "PUT /bucket/k", copyOf, key+": new", sourceKey+": old", "X-Amz-Source-Expected-Bucket-Owner: 2", "X-Amz-Expected-Bucket-Owner: 1")
	for name, c := range map[string]struct {
		got    *s3api.Call
		path   string
		query  params
		header http.Header
	}{
		"tags": {get.TagsOf(reading(t, get)), "/bucket/a/k", params{{Name: "tagging"}, {Name: "versionId", Value: "v"}},
			http.Header{"X-Amz-Request-Payer": {"requester"}, "X-Amz-Expected-Bucket-Owner": {"1"}}},
		"head": {get.HeadOf(reading(t, get)), "/bucket/a/k", params{{Name: "versionId", Value: "v"}},
			http.Header{"X-Amz-Request-Payer": {"requester"}, "X-Amz-Expected-Bucket-Owner": {"1"}, key: {"secret"}}},
		"tags of a source":        {copied.TagsOf(reading(t, copied)), "/source/k", params{{Name: "tagging"}}, http.Header{"X-Amz-Expected-Bucket-Owner": {"2"}}},
		"head of a source":        {copied.HeadOf(reading(t, copied)), "/source/k", nil, http.Header{"X-Amz-Expected-Bucket-Owner": {"2"}, key: {"old"}}},
		"tags of what is written": {copied.TagsOf(copied.Targets[0]), "/bucket/k", params{{Name: "tagging"}}, http.Header{"X-Amz-Expected-Bucket-Owner": {"1"}}},
	} {
		if c.got.Path() != c.path || !cmp.Equal(c.got.Query, c.query) || !cmp.Equal(c.got.Header, c.header) || c.got.Body != s3api.NoBody {
			t.Errorf("%s: %s %v %v", name, c.got.Path(), c.got.Query, c.got.Header)
		}
	}
}

func TestPinVersion(t *testing.T) {
	for line, want := range map[string]string{
		"GET /bucket/k": "v2", "HEAD /bucket/k": "v2", "GET /bucket/k?versionId=null": "v2", "GET /bucket/k?attributes": "v2", "GET /bucket/k?tagging": "v2",
		"PUT /bucket/k": "", "DELETE /bucket/k": "", "GET /bucket/k?uploadId=u": "", "PUT /bucket/k?tagging": "",
	} {
		c := parsed(t, line)
		before := len(c.Query)
		pinned, ok := c.PinVersion(c.Targets[0], "v2")
		if ok != (want != "") {
			t.Errorf("%s: %v", line, ok)
		}
		if !ok {
			continue
		}
		var versions []string
		for _, p := range pinned.Query {
			if p.Name == "versionId" {
				versions = append(versions, p.Value)
			}
		}
		if pinned.VersionID != want || !cmp.Equal(versions, []string{want}) || len(c.Query) != before || c.VersionID == want {
			t.Errorf("%s became %+v, from %+v", line, pinned, c)
		}
	}
	for _, line := range []string{"PUT /bucket/k", "PUT /bucket/k?partNumber=1&uploadId=u"} {
		c := parsed(t, line, copyOf)
		pinned, ok := c.PinVersion(reading(t, c), "v2")
		if !ok || pinned.Header.Get("X-Amz-Copy-Source") != "source/k?versionId=v2" || c.Header.Get("X-Amz-Copy-Source") != "source/k" || pinned.VersionID != "" {
			t.Errorf("%s: %v %+v, from %+v", line, ok, pinned, c)
		}
		if _, ok := c.PinVersion(reading(t, c), "v\r\n2"); ok {
			t.Errorf("%s: a version that is none", line)
		}
	}
}

func TestPinETag(t *testing.T) {
	const etag = `"e1"`
	for name, c := range map[string]struct {
		line    string
		headers []string
		want    string // the condition that is sent; "": it cannot be pinned
		failed  bool
	}{
		"read":                             {"GET /bucket/k", nil, etag, false},
		"head":                             {"HEAD /bucket/k", []string{"Range: bytes=0-1"}, etag, false},
		"a condition that holds":           {"GET /bucket/k", []string{`If-Match: "e0", "e1"`}, etag, false},
		"without quotes":                   {"GET /bucket/k", []string{"If-Match: e1"}, etag, false},
		"any":                              {"GET /bucket/k", []string{"If-Match: *"}, etag, false},
		"a condition that does not":        {"GET /bucket/k", []string{`If-Match: "e2"`}, "", true},
		"not modified since":               {"GET /bucket/k", []string{"If-Unmodified-Since: " + lastModified}, etag, false},
		"modified since":                   {"GET /bucket/k", []string{"If-Unmodified-Since: Mon, 02 Mar 2026 08:59:59 GMT"}, "", true},
		"since no date":                    {"GET /bucket/k", []string{"If-Unmodified-Since: yesterday"}, etag, false},
		"the first condition counts":       {"GET /bucket/k", []string{"If-Match: e1", "If-Unmodified-Since: Mon, 02 Mar 2026 08:59:59 GMT"}, etag, false},
		"no condition is taken":            {"GET /bucket/k?tagging", nil, "", false},
		"written":                          {"PUT /bucket/k", nil, "", false},
		"copied":                           {"PUT /bucket/k", []string{copyOf}, etag, false},
		"copied as a part":                 {"PUT /bucket/k?partNumber=1&uploadId=u", []string{copyOf, "X-Amz-Copy-Source-If-Match: e1"}, etag, false},
		"copied if it is another":          {"PUT /bucket/k", []string{copyOf, "X-Amz-Copy-Source-If-Match: e2"}, "", true},
		"copied over what must be another": {"PUT /bucket/k", []string{copyOf, "If-Match: e2"}, etag, false},
	} {
		t.Run(name, func(t *testing.T) {
			call := parsed(t, c.line, c.headers...)
			target, condition := call.Targets[0], "If-Match"
			if strings.HasPrefix(name, "copied") {
				target, condition = reading(t, call), "X-Amz-Copy-Source-If-Match"
			}
			before := call.Header.Clone()
			pinned, ok, err := call.PinETag(target, found(etag, lastModified))
			if ok != (c.want != "") || (err != nil) != c.failed {
				t.Fatalf("got %v, %v", ok, err)
			}
			if c.failed {
				told(t, name, err, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
			}
			if !cmp.Equal(before, call.Header) {
				t.Errorf("the call has changed: %v", call.Header)
			}
			if ok && (pinned.Header.Get(condition) != c.want || pinned.Header.Get("If-Unmodified-Since") != "") {
				t.Errorf("sent with %v", pinned.Header)
			}
		})
	}
	c := parsed(t, "GET /bucket/k")
	for _, etag := range []string{"", `W/"e1"`} {
		if _, ok, err := c.PinETag(c.Targets[0], found(etag, lastModified)); ok || err != nil {
			t.Errorf("by %q: %v, %v", etag, ok, err)
		}
	}
}

func TestParseTagging(t *testing.T) {
	const tags = `<?xml version="1.0"?><Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>class</Key><Value>public</Value></Tag><Tag><Key>e</Key><Value/></Tag></TagSet></Tagging>`
	for document, want := range map[string]map[string]string{
		tags:                           {"class": "public", "e": ""},
		"<Tagging><TagSet/></Tagging>": {},
		"<Tagging></Tagging>":          nil,
		"<Other/>":                     nil,
		"":                             nil,
		tags[:len(tags)-12]:            nil,
		"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>": nil,
		"<Error><Code>NoSuchTagSet</Code></Error>": nil,
	} {
		got, err := s3api.ParseTagging([]byte(document))
		if !cmp.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%.200q: %v, %v", document, got, err)
		}
	}
}

func TestConditional(t *testing.T) {
	for line, conditions := range map[string]map[string]bool{
		"GET /bucket/k":  {"If-Match: e": true, "If-Unmodified-Since: " + lastModified: true, "If-None-Match: e": false, "If-Modified-Since: " + lastModified: false, "Range: bytes=0-1": false},
		"HEAD /bucket/k": {"If-Match: e": true, "If-None-Match: e": false},
		"PUT /bucket/k":  {"If-None-Match: *": true, "If-Match: e": true, "X-Amz-Storage-Class: STANDARD": false},
	} {
		for condition, want := range conditions {
			if got := parsed(t, line, condition).Conditional(); got != want {
				t.Errorf("%s %s: %v", line, condition, got)
			}
		}
	}
	for _, name := range []string{"If-Match", "If-None-Match", "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match", "X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since"} {
		if !parsed(t, "PUT /bucket/k", copyOf, name+": x").Conditional() {
			t.Errorf("a copy with %s", name)
		}
	}
}
