package proxy_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What nobody may read has the word canary in its name.
const listingMap = `
PUBLIC:
  - repo: S3
    attributes: [lake/open/, "lake/*.txt", lake/known/free/, whole]
SECRET:
  - repo: S3
    attributes: ["lake/*canary*", secret-bucket]
`

const listingPolicy = `
name: public-data
data: [PUBLIC]
rules:
  - reads: [{data: any}]
`

func newListingArena(t testing.TB, s *lister) *arena {
	t.Helper()
	a := newArenaOf(t, func(c *sidecar) {
		c.write("datamap.yaml", listingMap)
		c.write("policies/public.yaml", listingPolicy)
		c.write("policies/customers.yaml", "name: secret\ndata: [SECRET]\nrules:\n  - identities: {groups: [nobody]}\n    reads: [{data: any}]\n")
	})
	a.answer = s.answer
	return a
}

// readable is what the files above say, in other words.
func readable(key string) bool {
	return !strings.Contains(key, "canary") && (strings.HasPrefix(key, "open/") || strings.HasPrefix(key, "known/free/") || strings.HasSuffix(key, ".txt"))
}

// named says whether a prefix stands in the location of something readable.
func named(prefix string) bool {
	return strings.HasPrefix("open/", prefix) || strings.HasPrefix("known/free/", prefix)
}

// A sheet is a page as a client reads it.
type sheet struct {
	Contents, Version, DeleteMarker, Upload []struct{ Key, VersionId, UploadId, ETag string }
	CommonPrefixes                          []struct{ Prefix string }
	EncodingType, Name, Bucket, Prefix      string
	IsTruncated                             bool
	MaxKeys, MaxUploads, KeyCount           int
	NextContinuationToken, NextMarker       string
	NextKeyMarker, NextVersionIdMarker      string
	NextUploadIdMarker                      string
	Code                                    string
}

// listed is what one person is shown of a listing, page by page.
type listed struct {
	entries, prefixes []string
	deleted           []string
	pages             []sheet
	objects, hidden   int // as the events say
}

func target(bucket string, query url.Values) string {
	return "/" + bucket + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// sheet asks for one page.
func (a *arena) sheet(t *testing.T, bucket string, query url.Values) (sheet, record) {
	t.Helper()
	r, served := a.ask(reading(target(bucket, query)).framed("h").sign(seal{keys: a.held["bob"]}).String())
	if !served {
		t.Fatal("not served")
	}
	var page sheet
	if err := xml.Unmarshal(r.answer.Body.Bytes(), &page); err != nil {
		t.Fatalf("%v: %s", err, r.answer.Body)
	}
	if answer := fmt.Sprint(r.answer.Header(), r.answer.Body); strings.Contains(answer, "canary") {
		t.Fatalf("%v: a hidden name is in %s", query, answer)
	}
	for _, e := range r.events {
		if e.Response != nil && e.Response.Bytes > 0 && e.Response.Status != r.answer.Code {
			t.Errorf("event %+v", e)
		}
	}
	return page, r
}

// list asks as the SDKs' paginators do.
func (a *arena) list(t *testing.T, bucket string, query url.Values) listed {
	t.Helper()
	var l listed
	decode := func(s string) string { return s }
	if query.Get("encoding-type") == "url" {
		decode = func(s string) string { return must(url.QueryUnescape(s)) }
	}
	query = must(url.ParseQuery(query.Encode()))
	for range 5000 {
		page, r := a.sheet(t, bucket, query)
		if r.answer.Code != 200 {
			t.Fatalf("%v: %d %s", query, r.answer.Code, r.answer.Body)
		}
		l.pages = append(l.pages, page)
		outcome := r.events[len(r.events)-1].Response
		l.objects, l.hidden = l.objects+outcome.Objects, l.hidden+outcome.Hidden
		var last, id string
		for _, e := range slices.Concat(page.Contents, page.Version, page.Upload) {
			l.entries = append(l.entries, decode(e.Key)+" "+e.VersionId+e.UploadId)
			last = decode(e.Key)
		}
		for _, e := range page.DeleteMarker {
			l.deleted = append(l.deleted, decode(e.Key)+" "+e.VersionId)
		}
		for _, p := range page.CommonPrefixes {
			l.prefixes = append(l.prefixes, decode(p.Prefix))
		}
		n := len(page.Contents) + len(page.Version) + len(page.DeleteMarker) + len(page.Upload) + len(page.CommonPrefixes)
		if limit := page.MaxKeys + page.MaxUploads; n > limit || n == 0 && page.IsTruncated || page.KeyCount != 0 && page.KeyCount != n {
			t.Fatalf("%v: %d entries of %d, KeyCount %d, truncated %v", query, n, limit, page.KeyCount, page.IsTruncated)
		}
		if !page.IsTruncated {
			return l
		}
		key := page.NextKeyMarker
		if page.NextMarker != "" {
			key = page.NextMarker
		}
		if key = decode(key); key != "" {
			last, id = key, page.NextVersionIdMarker+page.NextUploadIdMarker
		}
		switch {
		case query.Has("versions"):
			query.Set("key-marker", last)
			query.Del("version-id-marker")
			if id != "" {
				query.Set("version-id-marker", id)
			}
		case query.Has("uploads"):
			query.Set("key-marker", last)
			query.Set("upload-id-marker", id)
		case query.Has("list-type"):
			query.Set("continuation-token", page.NextContinuationToken)
		default:
			query.Set("marker", last)
		}
	}
	t.Fatalf("%v: the listing has no end", query)
	return l
}

// want is what the person is to be shown of things.
func (s *lister) want(query url.Values) (entries, deleted, prefixes []string) {
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	for _, t := range s.things {
		if !strings.HasPrefix(t.key, prefix) || t.key <= query.Get("start-after") {
			continue
		}
		before, _, found := strings.Cut(t.key[len(prefix):], delimiter)
		if p := prefix + before + delimiter; found && delimiter != "" {
			shows := func(t item) bool { return strings.HasPrefix(t.key, p) && readable(t.key) }
			if !slices.Contains(prefixes, p) && (named(p) || slices.ContainsFunc(s.things, shows)) {
				prefixes = append(prefixes, p)
			}
		} else if readable(t.key) && t.deleted {
			deleted = append(deleted, t.key+" "+t.id)
		} else if readable(t.key) {
			entries = append(entries, t.key+" "+t.id)
		}
	}
	return entries, deleted, prefixes
}

// fillAt random: what is hidden is at every place, also in a row, first, last, all.
func randomThings(d draw, operation string) []item {
	keys := map[string]bool{}
	for range d.IntN(60) {
		var key strings.Builder
		for range d.IntN(3) {
			key.WriteString(d.of("open/", "a b/", "a+b/", "é/", "known/", "x//", "n&/", "canary/", "canary-dir/", "canary%2F/", "zz/canary/"))
		}
		key.WriteString(d.of("a", "b", "c", "m", "z", "~") + strconv.Itoa(d.IntN(20)) + d.of(".txt", ".txt", "canary", ".canary"))
		keys[key.String()] = true
	}
	var things []item
	for key := range keys {
		things = append(things, item{key: key})
	}
	slices.SortFunc(things, func(a, b item) int { return strings.Compare(a.key, b.key) })
	if strings.HasPrefix(operation, "ListObjects") {
		return things
	}
	var many []item
	for i, t := range things {
		for j := range 1 + d.IntN(3) {
			many = append(many, item{t.key, fmt.Sprintf("id-%d-%d", i, j), operation == "ListObjectVersions" && d.IntN(4) == 0})
		}
	}
	return many
}

func listingQuery(operation string) (query url.Values, max string) {
	switch operation {
	case "ListObjectVersions":
		return url.Values{"versions": {""}}, "max-keys"
	case "ListMultipartUploads":
		return url.Values{"uploads": {""}}, "max-uploads"
	case "ListObjectsV2":
		return url.Values{"list-type": {"2"}}, "max-keys"
	}
	return url.Values{}, "max-keys"
}

var listOperations = []string{"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}

// Whatever a bucket holds, however the store lists it and however a client asks,
// it is shown what it may read, each once and in order, and no name of anything
// else.
func TestListingsShowWhatMayBeRead(t *testing.T) {
	s := &lister{}
	a := newListingArena(t, s)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := draw{rand.New(rand.NewPCG(seed, 0))}
	shown, folded := 0, 0
	for range draws / 2 {
		operation := d.of(listOperations...)
		*s = lister{
			things: randomThings(d, operation),
			plain:  d.IntN(2) == 0, repeats: d.IntN(2) == 0, most: d.IntN(2) * (2 + d.IntN(9)), vague: d.IntN(2) == 0, meets: d.IntN(2) == 0, apart: d.IntN(2) == 0,
		}
		query, max := listingQuery(operation)
		for name, values := range map[string][]string{
			"prefix": {"", "", "open/", "a", "é/", "x//", "known/"}, "delimiter": {"", "", "/", "/", "a"}, "encoding-type": {"", "url"}, max: {"", "1", "2", "3", "7", "1000", "5000"},
		} {
			if v := d.of(values...); v != "" {
				query.Set(name, v)
			}
		}
		if operation == "ListObjectsV2" && d.IntN(3) == 0 {
			query.Set("start-after", d.of("a1", "open/b", "zzz", "é/b"))
		}
		s.vague = s.vague && (operation != "ListObjectVersions" || !s.apart)
		if s.most > 0 && query.Has("delimiter") {
			s.most = 100 // or a look would not be long enough
		}
		entries, deleted, prefixes := s.want(query)
		got := a.list(t, "lake", query)
		if diff := cmp.Diff([][]string{entries, deleted, prefixes}, [][]string{got.entries, got.deleted, got.prefixes}); diff != "" {
			var asked []string
			for _, q := range s.asked {
				asked = append(asked, q.target)
			}
			s.asked = nil
			t.Fatalf("%s %v of %+v (-want +got):\n%s\nasked %q", operation, query, s, diff, asked)
		}
		if got.objects != len(entries)+len(deleted) {
			t.Errorf("%s: the events tell of %d objects, %d were shown", operation, got.objects, len(entries))
		}
		shown, folded = shown+len(entries), folded+len(prefixes)
	}
	if shown < draws/2 || folded < draws/10 {
		t.Errorf("too little was tried: %d entries, %d common prefixes", shown, folded)
	}
}
