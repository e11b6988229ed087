package s3api

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxListed is how many entries a page has at most. S3 takes more for as many.
const maxListed = 1000

// A Listing is what a call that lists a bucket asks for. It makes the calls
// that are sent upstream for it, of which there may be several for one page,
// and writes the page.
//
// The upstream is always asked for encoded names, so that every name can be
// read.
type Listing struct {
	Bucket    string
	Prefix    string
	Delimiter string
	Max       int    // entries of a page, 0 to 1000
	Token     string // that the client brought, nothing of which is understood here; "" without
	From      Place  // where the client wants to begin, in its own words

	call    *Call
	form    listingForm
	encoded bool   // the client wants names in URL encoding
	odd     string // what stands for Max and is no number: the upstream is to say so
}

// A Place is where a listing goes on: behind the entry Key, and where a key has
// several, behind that of the id. Token is the upstream's own word for it, and
// comes before the others.
type Place struct{ Token, Key, ID string }

// A listingForm is how one of the operations speaks.
type listingForm struct {
	root      string // of its document
	max       string // the parameters
	key, id   string
	token     string   // "" without
	entries   []string // elements
	entryID   string
	maxKeys   string
	marker    string // element of Place.Key as the client gave it, and with Next before it where to go on
	idMarker  string
	container string
}

var listingForms = map[string]listingForm{
	"ListObjects": {
		root: "ListBucketResult", max: "max-keys", key: "marker",
		entries: []string{"Contents"}, maxKeys: "MaxKeys", marker: "Marker", container: "Name",
	},
	"ListObjectsV2": {
		root: "ListBucketResult", max: "max-keys", key: "start-after", token: "continuation-token",
		entries: []string{"Contents"}, maxKeys: "MaxKeys", marker: "StartAfter", container: "Name",
	},
	"ListObjectVersions": {
		root: "ListVersionsResult", max: "max-keys", key: "key-marker", id: "version-id-marker",
		entries: []string{"Version", "DeleteMarker"}, entryID: "VersionId", maxKeys: "MaxKeys", marker: "KeyMarker", idMarker: "VersionIdMarker", container: "Name",
	},
	"ListMultipartUploads": {
		root: "ListMultipartUploadsResult", max: "max-uploads", key: "key-marker", id: "upload-id-marker",
		entries: []string{"Upload"}, entryID: "UploadId", maxKeys: "MaxUploads", marker: "KeyMarker", idMarker: "UploadIdMarker", container: "Bucket",
	},
}

// Lists says whether c lists what is in a bucket.
func (c *Call) Lists() bool { return listingForms[c.Operation].root != "" }

// Listing returns what c asks for if it lists what is in a bucket, and nil
// otherwise. Errors are *Error.
func (c *Call) Listing() (*Listing, error) {
	if !c.Lists() {
		return nil, nil
	}
	form := listingForms[c.Operation]
	l := &Listing{Bucket: c.Bucket, Max: maxListed, call: c, form: form}
	for _, p := range c.Query {
		switch p.Name {
		case "prefix":
			l.Prefix = p.Value
		case "delimiter":
			l.Delimiter = p.Value
		case form.key:
			l.From.Key = p.Value
		case form.id:
			l.From.ID = p.Value
		case form.token:
			if p.Value == "" {
				return nil, c.named(l.BadToken())
			}
			l.Token = p.Value
		case form.max:
			if n, err := strconv.ParseInt(p.Value, 10, 32); err == nil && n >= 0 {
				l.Max = int(min(n, maxListed))
			} else {
				l.odd = p.Value
			}
		case "encoding-type":
			if p.Value != "url" && p.Value != "" {
				return nil, c.named(refuse("InvalidArgument", "The encoding type %s is none; url is.", quoted(p.Value)).about(p.Name, p.Value, badEncoding))
			}
			l.encoded = p.Value != ""
		}
	}
	return l, nil
}

// HasTokens says whether a page ends with a token, which is for its issuer
// alone to read, and not with a name.
func (l *Listing) HasTokens() bool { return l.form.token != "" }

// BadToken is the refusal of a token that is not good for this listing.
func (l *Listing) BadToken() error {
	return refuse("InvalidArgument", "The continuation token is not one that was given to you for this listing. Begin the listing again.").
		inWords(badToken, Detail{"ArgumentName", l.form.token})
}

// Start is where the listing begins: From, or, where a common prefix is named as
// the last that was seen, behind all that it stands for.
func (l *Listing) Start() Place {
	rest, within := strings.CutPrefix(l.From.Key, l.Prefix)
	if _, after, found := strings.Cut(rest, l.Delimiter); within && found && after == "" && l.Delimiter != "" && !l.HasTokens() {
		return Beyond(l.From.Key)
	}
	return l.From
}

// Beyond is the place behind everything that begins with prefix: behind the last
// character that there is. Of a prefix with which no further character fits into
// a key it is the prefix itself.
func Beyond(prefix string) Place {
	if len(prefix)+utf8.UTFMax <= maxKey {
		prefix += string(utf8.MaxRune)
	}
	return Place{Key: prefix}
}

// Page is the call upstream for a page of at most max entries from that place
// on: From, or one that an earlier page gave.
func (l *Listing) Page(at Place, max int) *Call {
	if at == l.From { // in the client's own words, also where they are odd
		return l.ask(max)
	}
	c := l.ask(max, l.form.key, l.form.id)
	c.Query = l.form.place(c.Query, at)
	return c
}

// Below is the call upstream for at most max entries whose names begin with
// prefix, none folded into common prefixes, from that place on.
func (l *Listing) Below(prefix string, at Place, max int) *Call {
	c := l.ask(max, "prefix", "delimiter", l.form.key, l.form.id)
	c.Query = l.form.place(append(c.Query, Param{"prefix", prefix}), at)
	return c
}

// ask is the listing's call with max, and without the parameters of those names.
func (l *Listing) ask(max int, without ...string) *Call {
	c := *l.call
	c.Query = nil
	without = append(without, l.form.max, l.form.token, "encoding-type")
	for _, p := range l.call.Query {
		if !slices.Contains(without, p.Name) {
			c.Query = append(c.Query, p)
		}
	}
	c.Query = append(c.Query, Param{"encoding-type", "url"}, Param{l.form.max, cmp.Or(l.odd, strconv.Itoa(max))})
	return &c
}

// place adds the parameters that say where to begin.
func (f listingForm) place(query []Param, at Place) []Param {
	if at.Token != "" {
		return append(query, Param{f.token, at.Token})
	}
	if at.Key != "" {
		query = append(query, Param{f.key, at.Key})
	}
	if at.ID != "" {
		query = append(query, Param{f.id, at.ID})
	}
	return query
}

// isEntry says whether an element of that name is an entry.
func (f listingForm) isEntry(name string) bool { return slices.Contains(f.entries, name) }
