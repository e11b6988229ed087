package proxy_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

func names(names ...string) []item {
	things := make([]item, len(names))
	for i, n := range names {
		things[i].key = n
	}
	return things
}

// numbered are n names that differ in a number.
func numbered(n int, format string) []item {
	things := make([]item, n)
	for i := range things {
		things[i].key = fmt.Sprintf(format, i)
	}
	return things
}

// What is hidden at each place of a page, alone and in a row, is counted for those
// who watch and for nobody else.
func TestAPageTellsNothingOfWhatIsHidden(t *testing.T) {
	s := &lister{}
	a := newListingArena(t, s)
	for name, row := range map[string]struct {
		things []item
		query  string
		keys   []string
		hidden int
		more   bool
	}{
		"first":              {names("a-canary", "b.txt", "c.txt"), "", []string{"b.txt", "c.txt"}, 1, false},
		"last":               {names("b.txt", "c.txt", "d-canary"), "", []string{"b.txt", "c.txt"}, 1, false},
		"all":                {names("a-canary", "b-canary", "c-canary"), "", nil, 3, false},
		"none":               {names("a.txt", "b.txt"), "", []string{"a.txt", "b.txt"}, 0, false},
		"behind a full page": {names("a.txt", "b.txt", "c-canary", "d-canary"), "max-keys=2", []string{"a.txt", "b.txt"}, 0, true},
		"at the end of one":  {names("a.txt", "b-canary", "c.txt", "d-canary"), "max-keys=2", []string{"a.txt", "c.txt"}, 1, false},
		"before the next":    {names("a.txt", "b-canary", "c.txt", "d-canary", "e.txt"), "max-keys=2", []string{"a.txt", "c.txt"}, 1, true},
		"pages of it":        {append(numbered(3000, "a%04d-canary"), item{key: "b.txt"}), "max-keys=1", []string{"b.txt"}, 1 + 1000 + 1000 + 999, false},
		"a folder of it":     {append(numbered(3000, "a-canary/%04d"), item{key: "b.txt"}), "max-keys=1", []string{"b.txt"}, 1, false},
		"no keys are wanted": {names("a.txt", "b.txt"), "max-keys=0", nil, 0, false},
	} {
		for _, operation := range listOperations {
			t.Run(name+" "+operation, func(t *testing.T) {
				*s = lister{things: row.things}
				query, limit := listingQuery(operation)
				for n, v := range must(url.ParseQuery(row.query)) {
					query[strings.Replace(n, "max-keys", limit, 1)] = v
				}
				page, r := a.sheet(t, "lake", query)
				var keys []string
				for _, e := range slices.Concat(page.Contents, page.Version, page.Upload) {
					keys = append(keys, e.Key)
				}
				if !slices.Equal(keys, row.keys) || page.IsTruncated != row.more {
					t.Errorf("%d: %q, more %v: %s", r.answer.Code, keys, page.IsTruncated, r.answer.Body)
				}
				outcome := r.events[1].Response
				if outcome.Objects != len(row.keys) || outcome.Hidden != row.hidden || outcome.Code != "" {
					t.Errorf("the outcome is %+v, want %d hidden", outcome, row.hidden)
				}
				if r.answer.Header().Get("X-Amz-Request-Charged") != "requester" {
					t.Error("a header of the upstream's is lost")
				}
			})
		}
	}
}

// What may be read whole is asked of the upstream once, and all that it says of
// an entry is passed on.
func TestAListingKeepsWhatTheUpstreamSays(t *testing.T) {
	s := &lister{things: []item{{key: "a&b", id: "i1"}, {key: "c", id: "i2"}}}
	a := newListingArena(t, s)
	for _, operation := range listOperations {
		query, _ := listingQuery(operation)
		s.things[1].deleted = operation == "ListObjectVersions"
		_, r := a.sheet(t, "whole", query)
		if n := strings.Count(r.answer.Body.String(), "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"+
			"<Owner><ID>owner</ID><DisplayName>of all</DisplayName></Owner></"); n != 2 || len(r.asked) != 1 || !strings.Contains(r.answer.Body.String(), "<Key>a&amp;b</Key>") {
			t.Errorf("%s: asked %d times, answered %s", operation, len(r.asked), r.answer.Body)
		}
	}
}

// Names that XML cannot hold are written as S3 writes them: encoded where that is
// wanted, and else so that no parser takes them for another name.
func TestNamesThatXMLCannotHold(t *testing.T) {
	s := &lister{things: names("open/\x01a", "open/b\r\n<&>\"", "open/é +%", "open/\uffff")}
	a := newListingArena(t, s)
	r, _ := a.ask(reading("/lake?list-type=2&prefix=open%2F").framed("h").sign(seal{keys: a.held["bob"]}).String())
	for _, key := range []string{"open/&#x1;a", "open/&#xFFFF;", "open/b&#xD;&#xA;&lt;&amp;&gt;&#34;", "open/é +%"} {
		if !strings.Contains(r.answer.Body.String(), "<Key>"+key+"</Key>") {
			t.Errorf("%q is not in %s", key, r.answer.Body)
		}
	}
	got := a.list(t, "lake", url.Values{"prefix": {"open/"}, "encoding-type": {"url"}, "max-keys": {"1"}})
	for i, item := range s.things {
		if i >= len(got.entries) || got.entries[i] != item.key+" " {
			t.Errorf("got %q, want %+v", got.entries, s.things)
		}
	}
}

// wantRefused sends a listing as bob, which is refused with a code before the
// upstream is asked.
func (a *arena) wantRefused(t *testing.T, target, code string) record {
	t.Helper()
	r, _ := a.ask(reading(target).framed("h").sign(seal{keys: a.held["bob"]}).String())
	if r.answer.Code < 400 || !strings.Contains(r.answer.Body.String(), "<Code>"+code+"</Code>") || len(r.asked) != 0 || len(r.events) != 1 || r.events[0].Decision != audit.Blocked {
		t.Errorf("%s: %d %s, asked %q, events %+v", target, r.answer.Code, r.answer.Body, r.asked, r.events)
	}
	return r
}

func TestListingsThatAreRefused(t *testing.T) {
	a := newListingArena(t, &lister{things: names("a.txt")})
	for target, code := range map[string]string{
		"/lake?encoding-type=base64":                "InvalidArgument",
		"/lake?continuation-token=&list-type=2":     "InvalidArgument",
		"/lake?continuation-token=t61&list-type=2":  "InvalidArgument",
		"/lake?list-type=2&prefix=a-canary":         "AccessDenied",
		"/lake?delimiter=%2F&prefix=nothing%2F":     "", // something in it could be readable
		"/secret-bucket?list-type=2&max-keys=x":     "AccessDenied",
		"/secret-bucket?prefix=open%2F&versions=":   "AccessDenied",
		"/secret-bucket?prefix=open%2F&uploads=":    "AccessDenied",
		"/nowhere?list-type=2&continuation-token=x": "AccessDenied",
	} {
		if code != "" {
			a.wantRefused(t, target, code)
		} else if r, _ := a.ask(reading(target).framed("h").sign(seal{keys: a.held["bob"]}).String()); r.answer.Code != 200 || len(r.asked) != 1 {
			t.Errorf("%s: %d %s", target, r.answer.Code, r.answer.Body)
		}
	}
}

// What is no number is for the upstream to refuse, in its own words.
func TestPageSizesThatAreNone(t *testing.T) {
	a := newListingArena(t, &lister{things: names("a.txt")})
	for _, target := range []string{"/lake?max-keys=-1", "/lake?list-type=2&max-keys=x", "/lake?max-keys=2147483648&versions=", "/lake?max-uploads=1.5&uploads="} {
		r, _ := a.ask(reading(target).framed("h").sign(seal{keys: a.held["bob"]}).String())
		if body := r.answer.Body.String(); r.answer.Code != 400 || !strings.Contains(body, "<Code>InvalidArgument</Code><Message>Bad max-") || !strings.Contains(body, "<ArgumentValue>") || len(r.asked) != 1 {
			t.Errorf("%s: %d %s", target, r.answer.Code, body)
		}
	}
}

// A store may say that there is more where nothing was asked for.
func TestNoKeysAreTheEnd(t *testing.T) {
	a := newListingArena(t, &lister{})
	a.answer = func(w http.ResponseWriter, _ question) {
		w.Write([]byte("<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>canary</NextMarker><Contents><Key>a.txt</Key></Contents></ListBucketResult>"))
	}
	for _, operation := range listOperations[:2] {
		query, _ := listingQuery(operation)
		query.Set("max-keys", "0")
		if page, r := a.sheet(t, "lake", query); page.IsTruncated || len(page.Contents) != 0 || r.answer.Code != 200 {
			t.Errorf("%d %s", r.answer.Code, r.answer.Body)
		}
	}
}

// A token is good for the person and the listing that it was given to, and goes
// on behind what may be hidden meanwhile.
func TestTokensOfListings(t *testing.T) {
	s := &lister{things: slices.Concat(names("a.txt"), numbered(5, "b%d-canary"), names("c.txt", "d.txt"))}
	var files *sidecar
	a := newArenaOf(t, func(c *sidecar) {
		files = c
		c.write("datamap.yaml", listingMap)
		c.write("policies/customers.yaml", "name: secret\ndata: [SECRET]\nrules:\n  - reads: [{data: any}]\n")
		c.write("policies/public.yaml", listingPolicy)
	})
	a.answer = s.answer
	first := func(who string, extra string) string {
		t.Helper()
		r, _ := a.ask(reading("/lake?" + extra + "list-type=2&max-keys=1").framed("h").sign(seal{keys: a.held[who]}).String())
		_, token, _ := strings.Cut(r.answer.Body.String(), "<NextContinuationToken>")
		token, _, _ = strings.Cut(token, "<")
		return token
	}
	token, other := first("bob", ""), first("bob", "delimiter=%2F&")
	if token == "" || other == "" || token == first("bob", "") {
		t.Fatalf("tokens %q, %q", token, other)
	}
	if plain, _ := base64.RawURLEncoding.DecodeString(token[3:]); strings.Contains(string(plain), "canary") || strings.Contains(string(plain), "txt") {
		t.Errorf("the token %q can be read", token)
	}
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	for name, target := range map[string]string{
		"another person's":       "/lake?continuation-token=" + first("alice", "") + "&list-type=2",
		"another delimiter's":    "/lake?continuation-token=" + other + "&list-type=2",
		"of another prefix":      "/lake?continuation-token=" + token + "&list-type=2&prefix=a",
		"of another bucket":      "/whole?continuation-token=" + token + "&list-type=2",
		"changed":                "/lake?continuation-token=" + string(changed) + "&list-type=2",
		"longer":                 "/lake?continuation-token=" + token + "A&list-type=2",
		"a session":              "/lake?continuation-token=" + a.held["bob"].SessionToken + "&list-type=2",
		"of the upstream itself": "/lake?continuation-token=t612e747874&list-type=2",
	} {
		t.Run(name, func(t *testing.T) { a.wantRefused(t, target, "InvalidArgument") })
	}
	// Alice and bob could read everything until now.
	files.write("policies/customers.yaml", "name: secret\ndata: [SECRET]\nrules:\n  - identities: {groups: [nobody]}\n    reads: [{data: any}]\n")
	if err := a.server.Reload(); err != nil {
		t.Fatal(err)
	}
	got := a.list(t, "lake", url.Values{"list-type": {"2"}, "max-keys": {"1"}, "continuation-token": {token}})
	if want := []string{"c.txt ", "d.txt "}; !slices.Equal(got.entries, want) {
		t.Errorf("behind the token: %q", got.entries)
	}
	files.write("policies/customers.yaml", "name: secret\ndata: [SECRET]\nrules:\n  - reads: [{data: any}]\n")
	between := first("bob", "")
	if err := a.server.Reload(); err != nil {
		t.Fatal(err)
	}
	r, _ := a.ask(reading("/lake?continuation-token=" + between + "&list-type=2").framed("h").sign(seal{keys: a.held["bob"]}).String())
	if n := strings.Count(r.answer.Body.String(), "<Key>"); n != 7 {
		t.Errorf("once everything may be read, %d entries come: %s", n, r.answer.Body)
	}
}

// Where too much in a row is hidden, the work for one request has an end. A
// sealed place goes on behind it; where only names could, there is no page.
func TestTheWorkForOnePageIsBounded(t *testing.T) {
	s := &lister{}
	a := newListingArena(t, s)
	long := slices.Concat(numbered(4000, "b%04d-canary"), names("z.txt"))
	for _, operation := range listOperations {
		t.Run(operation, func(t *testing.T) {
			query, _ := listingQuery(operation)
			*s = lister{things: long, most: 10}
			r, _ := a.ask(reading(target("lake", query)).framed("h").sign(seal{keys: a.held["bob"]}).String())
			if len(r.asked) != 250 || strings.Contains(r.answer.Body.String(), "canary") {
				t.Fatalf("asked %d times: %s", len(r.asked), r.answer.Body)
			}
			body := r.answer.Body.String()
			if operation != "ListObjectsV2" {
				if r.answer.Code != http.StatusServiceUnavailable || !strings.Contains(body, "<Code>SlowDown</Code>") {
					t.Errorf("%d %s", r.answer.Code, body)
				}
			} else if _, token, _ := strings.Cut(body, "<NextContinuationToken>"); r.answer.Code != 200 || !strings.Contains(body, "<IsTruncated>true") {
				t.Errorf("%d %s", r.answer.Code, body)
			} else {
				token, _, _ = strings.Cut(token, "<")
				query.Set("continuation-token", token)
				if got := a.list(t, "lake", query); !slices.Equal(got.entries, []string{"z.txt "}) {
					t.Errorf("behind it: %q", got.entries)
				}
			}
			*s = lister{things: append(names("a.txt"), long...), most: 10}
			query.Del("continuation-token")
			page, r := a.sheet(t, "lake", query)
			if len(r.asked) != 50 || !page.IsTruncated || len(page.Contents)+len(page.Version)+len(page.Upload) != 1 {
				t.Errorf("with something to show, asked %d times: %s", len(r.asked), r.answer.Body)
			}
		})
	}
	*s = lister{things: numbered(200, "d%03d-canary/x.txt")}
	if _, r := a.sheet(t, "lake", url.Values{"delimiter": {"/"}}); len(r.asked) != 1 || r.events[1].Response.Hidden != 200 {
		t.Errorf("folders in which nothing may be read are looked at: asked %d times", len(r.asked))
	}
	*s = lister{things: numbered(200, "d%03d/x.txt")}
	got := a.list(t, "lake", url.Values{"delimiter": {"/"}})
	if len(got.prefixes) != 200 || len(got.pages) != 5 || len(got.pages[0].CommonPrefixes) != 49 {
		t.Errorf("%d folders on %d pages, %d on the first", len(got.prefixes), len(got.pages), len(got.pages[0].CommonPrefixes))
	}
}

// What the upstream says of a place that the client does not know stays behind,
// and so does what makes no sense.
func TestFaultsOfTheUpstreamInListings(t *testing.T) {
	s := &lister{}
	a := newListingArena(t, s)
	for name, row := range map[string]struct {
		answer string
		code   string
		after  int // so many questions
	}{
		"an error":         {"<Error><Code>InvalidArgument</Code><Message>Bad canary</Message><ArgumentName>start-after</ArgumentName><ArgumentValue>canary</ArgumentValue></Error>", "InvalidArgument", 3},
		"an error bare":    {"<Error><Code>NoSuchBucket</Code><BucketName>canary</BucketName></Error>", "NoSuchBucket", 3},
		"no document":      {"canary", "InternalError", 3},
		"another document": {"<ListVersionsResult><Version><Key>canary</Key></Version></ListVersionsResult>", "InternalError", 3},
		"no name":          {"<ListBucketResult><Contents><ETag>canary</ETag></Contents></ListBucketResult>", "InternalError", 3},
		"two names":        {"<ListBucketResult><Contents><Key>a.txt</Key><Key>canary</Key></Contents></ListBucketResult>", "InternalError", 3},
		"names in a name":  {"<ListBucketResult><Contents><Key>a.txt<Key>canary</Key></Key></Contents></ListBucketResult>", "InternalError", 3},
		"bad encoding":     {"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zzcanary</Key></Contents></ListBucketResult>", "InternalError", 3},
		"no end":           {"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "InternalError", 3},
		"cut":              {"<ListBucketResult><Contents><Key>a.txt</Key></Contents><Contents><Key>canary", "InternalError", 3},
		"behind a token":   {"<Error><Code>InvalidArgument</Code><Message>Bad canary</Message><ArgumentName>start-after</ArgumentName><ArgumentValue>canary</ArgumentValue></Error>", "InvalidArgument", 2},
	} {
		t.Run(name, func(t *testing.T) {
			*s = lister{things: slices.Concat(names("a.txt"), numbered(30, "b%02d-canary"), names("z.txt")), most: 10}
			asked := 0
			a.answer = func(w http.ResponseWriter, q question) {
				if asked++; asked < row.after {
					s.answer(w, q)
					return
				}
				if strings.HasPrefix(row.answer, "<Error>") {
					w.WriteHeader(http.StatusBadRequest)
				}
				w.Write([]byte(row.answer))
			}
			page, _ := a.sheet(t, "lake", url.Values{"list-type": {"2"}, "max-keys": {"1"}})
			r, _ := a.ask(reading("/lake?continuation-token=" + page.NextContinuationToken + "&list-type=2").framed("h").sign(seal{keys: a.held["bob"]}).String())
			if body := r.answer.Body.String(); strings.Contains(body, "canary") || !strings.Contains(body, "<Code>"+row.code+"</Code>") || asked != row.after {
				t.Errorf("asked %d times: %s", asked, body)
			}
			if e := r.events[len(r.events)-1]; e.Kind != audit.KindOutcome || !strings.HasPrefix(e.Error, row.code) || strings.Contains(e.Error, "canary") {
				t.Errorf("the outcome is %+v", e)
			}
		})
	}
}
