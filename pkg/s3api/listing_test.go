package s3api_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// listing parses a request for a listing.
func listing(t testing.TB, query ...s3api.Param) (*s3api.Listing, error) {
	t.Helper()
	call, err := s3api.Parse(s3api.Request{Method: http.MethodGet, Path: "/lake", Query: query})
	if err != nil {
		t.Fatal(err)
	}
	return call.Listing()
}

func mustList(t testing.TB, query ...s3api.Param) *s3api.Listing {
	t.Helper()
	l, err := listing(t, query...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func param(name, value string) s3api.Param { return s3api.Param{Name: name, Value: value} }

// marks make a request one of the four.
var listingMarks = map[string][]s3api.Param{
	"ListObjects": nil, "ListObjectsV2": {param("list-type", "2")}, "ListObjectVersions": {param("versions", "")}, "ListMultipartUploads": {param("uploads", "")},
}

func TestWhatTheUpstreamIsAskedForAListing(t *testing.T) {
	type place = s3api.Place
	for name, row := range map[string]struct {
		query []s3api.Param
		ask   func(l *s3api.Listing) *s3api.Call
		want  []s3api.Param
	}{
		"in the client's words": {
			[]s3api.Param{param("marker", ""), param("prefix", "p/"), param("delimiter", "/"), param("max-keys", "7")},
			func(l *s3api.Listing) *s3api.Call { return l.Page(l.From, l.Max) },
			[]s3api.Param{param("marker", ""), param("prefix", "p/"), param("delimiter", "/"), param("encoding-type", "url"), param("max-keys", "7")},
		},
		"further on": {
			[]s3api.Param{param("marker", "a"), param("encoding-type", "url"), param("max-keys", "5000")},
			func(l *s3api.Listing) *s3api.Call { return l.Page(place{Key: "b"}, l.Max) },
			[]s3api.Param{param("encoding-type", "url"), param("max-keys", "1000"), param("marker", "b")},
		},
		"with the upstream's token": {
			[]s3api.Param{param("list-type", "2"), param("continuation-token", "sealed"), param("start-after", "a"), param("fetch-owner", "true")},
			func(l *s3api.Listing) *s3api.Call { return l.Page(place{Token: "upstream", Key: "b"}, 1) },
			[]s3api.Param{param("list-type", "2"), param("fetch-owner", "true"), param("encoding-type", "url"), param("max-keys", "1"), param("continuation-token", "upstream")},
		},
		"versions": {
			[]s3api.Param{param("versions", ""), param("key-marker", "a"), param("version-id-marker", "v")},
			func(l *s3api.Listing) *s3api.Call { return l.Page(place{Key: "b"}, 1) },
			[]s3api.Param{param("versions", ""), param("encoding-type", "url"), param("max-keys", "1"), param("key-marker", "b")},
		},
		"no number": {
			[]s3api.Param{param("max-keys", "-5"), param("prefix", "p/")},
			func(l *s3api.Listing) *s3api.Call { return l.Page(l.From, l.Max) },
			[]s3api.Param{param("prefix", "p/"), param("encoding-type", "url"), param("max-keys", "-5")},
		},
		"below": {
			[]s3api.Param{param("uploads", ""), param("key-marker", "a"), param("prefix", "p"), param("delimiter", "/"), param("upload-id-marker", "u")},
			func(l *s3api.Listing) *s3api.Call { return l.Below("p/", place{Key: "b", ID: "w"}, 3) },
			[]s3api.Param{param("uploads", ""), param("encoding-type", "url"), param("max-uploads", "3"), param("prefix", "p/"), param("key-marker", "b"), param("upload-id-marker", "w")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, row.ask(mustList(t, row.query...)).Query); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhereListingsStart(t *testing.T) {
	last := string(rune(0x10ffff))
	for _, row := range []struct {
		query []s3api.Param
		want  string
	}{
		{[]s3api.Param{param("marker", "a/")}, "a/"},
		{[]s3api.Param{param("marker", "a/"), param("delimiter", "/")}, "a/" + last},
		{[]s3api.Param{param("marker", "a/b"), param("delimiter", "/")}, "a/b"},
		{[]s3api.Param{param("marker", "a/b/"), param("delimiter", "/")}, "a/b/"},
		{[]s3api.Param{param("marker", "a/b/"), param("delimiter", "/"), param("prefix", "a/")}, "a/b/" + last},
		{[]s3api.Param{param("marker", "b/"), param("delimiter", "/"), param("prefix", "a/")}, "b/"},
		{[]s3api.Param{param("versions", ""), param("key-marker", "/"), param("delimiter", "/")}, "/" + last},
		{[]s3api.Param{param("list-type", "2"), param("start-after", "a/"), param("delimiter", "/")}, "a/"},
	} {
		if got := mustList(t, row.query...).Start().Key; got != row.want {
			t.Errorf("%v starts at %q, want %q", row.query, got, row.want)
		}
	}
	for length, want := range map[int]int{1020: 1024, 1021: 1021, 1024: 1024} {
		if got := len(s3api.Beyond(strings.Repeat("k", length)).Key); got != want {
			t.Errorf("beyond a prefix of %d bytes is one of %d, want %d", length, got, want)
		}
	}
}

func TestListingsThatAskForNonsense(t *testing.T) {
	for _, query := range [][]s3api.Param{
		{param("encoding-type", "base64")}, {param("versions", ""), param("encoding-type", "URL")}, {param("list-type", "2"), param("continuation-token", "")},
	} {
		l, err := listing(t, query...)
		if e, ok := err.(*s3api.Error); !ok || e.Code != "InvalidArgument" || e.Standard == "" || e.Operation == "" || l != nil {
			t.Errorf("%v: %v", query, err)
		}
	}
	call, err := s3api.Parse(s3api.Request{Method: http.MethodGet, Path: "/lake/key"})
	if l, none := call.Listing(); err != nil || l != nil || none != nil || call.Lists() {
		t.Errorf("GetObject is a listing: %v", l)
	}
}

// members are the elements of the SDK's output, with those of its lists.
func members(v reflect.Type, at string, into map[string]bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.PkgPath() == "time" {
		into[at] = true
		return
	}
	for f := range v.Fields() {
		if f.IsExported() && f.Name != "ResultMetadata" {
			members(f.Type, strings.TrimPrefix(at+"."+f.Name, "."), into)
		}
	}
}

// singular are the elements of lists, where they are not called as the member.
var singular = map[string]string{"Versions": "Version", "DeleteMarkers": "DeleteMarker", "Uploads": "Upload"}

// Whatever the SDK can read of an answer, it reads of the one that is written
// anew.
func TestNothingOfAListingIsLost(t *testing.T) {
	for operation, output := range map[string]any{
		"ListObjects": s3.ListObjectsOutput{}, "ListObjectsV2": s3.ListObjectsV2Output{}, "ListObjectVersions": s3.ListObjectVersionsOutput{}, "ListMultipartUploads": s3.ListMultipartUploadsOutput{},
	} {
		query := slices.Concat(listingMarks[operation], []s3api.Param{param("prefix", "p"), param("delimiter", "/"), param("encoding-type", "url")})
		switch operation {
		case "ListObjects":
			query = append(query, param("marker", "m"))
		case "ListObjectsV2":
			query = append(query, param("start-after", "m"), param("continuation-token", "t"))
		case "ListObjectVersions":
			query = append(query, param("key-marker", "m"), param("version-id-marker", "v"))
		default:
			query = append(query, param("key-marker", "m"), param("upload-id-marker", "u"))
		}
		l := mustList(t, query...)
		all := map[string]bool{}
		members(reflect.TypeOf(output), "", all)
		document, root := answerOf(all), map[string]string{"ListObjectVersions": "ListVersionsResult", "ListMultipartUploads": "ListMultipartUploadsResult"}[operation]
		if root == "" {
			root = "ListBucketResult"
		}
		page, err := l.ParsePage([]byte("<" + root + ">" + document + "</" + root + ">"))
		if err != nil {
			t.Fatalf("%s: %v in %s", operation, err, document)
		}
		page.Truncated, page.Next = true, s3api.Place{Token: "t", Key: "k", ID: "i"}
		written := string(l.XML(page))
		for member := range all {
			if member == "RequestCharged" { // a header
				continue
			}
			inside := written
			for name := range strings.SplitSeq(member, ".") {
				if s, ok := singular[name]; ok {
					name = s
				}
				_, after, found := strings.Cut(inside, "<"+name+">")
				inside, _, _ = strings.Cut(after, "</"+name+">")
				if !found || inside == "" {
					t.Errorf("%s: %s is lost in %s", operation, member, written)
				}
			}
		}
	}
}

// answerOf is the inside of a document with all those members.
func answerOf(all map[string]bool) string {
	parts := map[string][]string{}
	for member := range all {
		name, rest, nested := strings.Cut(member, ".")
		if s, ok := singular[name]; ok {
			name = s
		}
		if !nested {
			rest = ""
		}
		parts[name] = append(parts[name], rest)
	}
	var b strings.Builder
	for name, inside := range parts {
		text := "text"
		if inside[0] != "" {
			below := map[string]bool{}
			for _, m := range inside {
				below[m] = true
			}
			text = answerOf(below)
		}
		b.WriteString("<" + name + ">" + text + "</" + name + ">")
	}
	return b.String()
}
