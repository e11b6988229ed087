package ruling

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A Request is a request in the words of people, as they stand in tests and on
// command lines.
type Request struct {
	// Operation is an operation of S3 by its AWS name, or one of the kinds of
	// access: reads, updates, deletes, manages.
	Operation string
	// On is s3://bucket/key. Of a listing what follows the bucket is the prefix; of
	// a kind of access a "/" at the end means all that is below.
	On     string
	Source string      // of a copy, likewise
	Header http.Header // of the request; nil: none
	Body   string      // the document of the request; "": none is looked at
	// Strict says that listings are not filtered: everything that they could
	// show must then be allowed.
	Strict bool
}

// A Matter is what a request puts to the policy.
type Matter struct {
	Operation string
	Resource  string      // s3://bucket/key
	Call      *s3api.Call // nil when it is a kind of access
	Questions []policy.Question
	// AnyOf says that one of the questions is enough: whether ListBuckets shows a
	// bucket.
	AnyOf bool
}

// Accesses are the kinds of access, in the order in which people name them.
func Accesses() []string {
	return []string{string(policy.Reads), string(policy.Updates), string(policy.Deletes), string(policy.Manages)}
}

// Matter reads the request as the sidecar would read it from the wire. The error
// says what to write instead; a request that the sidecar would refuse, whoever
// sends it, is one.
func (r Request) Matter() (*Matter, error) {
	bucket, key, err := location(r.On)
	if err != nil {
		return nil, err
	}
	m := &Matter{Operation: r.Operation, Resource: r.On}
	switch {
	case slices.Contains(Accesses(), r.Operation):
		return r.access(bucket, key)
	case r.Operation == "ListBuckets":
		if key != "" || r.plain() != nil {
			return nil, errors.New("ListBuckets shows buckets; name one alone, such as s3://finance")
		}
		m.Questions, m.AnyOf = Shown(bucket), true
		return m, nil
	}
	header, err := r.header()
	if err != nil {
		return nil, err
	}
	body := r.Body
	if r.Operation == "DeleteObjects" { // it is answered key by key
		if key == "" || body != "" {
			return nil, errors.New("DeleteObjects is answered key by key; name one key, such as s3://finance/reports/q1.csv, and no body")
		}
		key, body = "", batch(key)
	}
	known, err := s3api.Compose(r.Operation, bucket, key, header)
	if err != nil {
		return nil, r.unknown(err)
	}
	if m.Call, err = s3api.Parse(known); err != nil {
		return nil, sentence(err)
	}
	if body != "" {
		if err := m.Call.SetBody([]byte(body)); err != nil {
			return nil, sentence(err)
		}
	}
	m.Questions = Asked(m.Call, r.Strict)
	return m, nil
}

// Asked puts a call to the policy. A listing shows only what may be read, so that
// something of what it could show is enough; a strict one shows everything, and
// needs it all.
func Asked(call *s3api.Call, strict bool) []policy.Question {
	targets := call.Targets
	if !strict && slices.ContainsFunc(targets, isListing) {
		targets = slices.Clone(targets)
		for i, t := range targets {
			if isListing(t) {
				targets[i].Scope = s3api.Some
			}
		}
	}
	return Questions(targets)
}

// isListing says whether t is what a listing could show: nothing else reads so.
func isListing(t s3api.Target) bool { return t.Access == s3api.Reads && t.Scope == s3api.Under }

// access asks about a kind of access alone.
func (r Request) access(bucket, key string) (*Matter, error) {
	if err := r.plain(); err != nil {
		return nil, err
	}
	// Whatever is no name of a bucket or a key is found by an operation on it.
	if _, err := s3api.Parse(s3api.Request{Method: http.MethodGet, Path: "/" + bucket + "/" + key}); err != nil {
		return nil, sentence(err)
	}
	t := s3api.Target{Access: s3api.Access(r.Operation), Bucket: bucket, Key: key, Scope: s3api.Exact}
	if strings.HasSuffix(r.On, "/") {
		t.Scope = s3api.Under
	}
	return &Matter{Operation: r.Operation, Resource: r.On, Questions: Questions([]s3api.Target{t})}, nil
}

// plain says that a request has more than belongs to what it does.
func (r Request) plain() error {
	if r.Source != "" || len(r.Header) > 0 || r.Body != "" {
		return fmt.Errorf("%s takes no source, header or body; name an operation, such as PutObject", r.Operation)
	}
	return nil
}

// header has the source of a copy in it.
func (r Request) header() (http.Header, error) {
	header := http.Header{}
	for name, values := range r.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	const copySource = "X-Amz-Copy-Source"
	copies := r.Operation == "CopyObject" || r.Operation == "UploadPartCopy"
	switch {
	case r.Source == "" && copies && header.Get(copySource) == "":
		return nil, fmt.Errorf("%s needs a source, such as s3://finance/reports/q1.csv", r.Operation)
	case r.Source == "":
		return header, nil
	case !copies:
		return nil, fmt.Errorf("%s has no source", r.Operation)
	}
	bucket, key, err := location(r.Source)
	if err != nil {
		return nil, err
	}
	header.Set(copySource, strings.ReplaceAll(url.QueryEscape(bucket+"/"+key), "+", "%20"))
	return header, nil
}

// unknown adds to err what operation may be meant.
func (r Request) unknown(err error) error {
	names := Accesses()
	for op := range s3api.Operations() {
		if op.Name == r.Operation {
			return sentence(err)
		}
		names = append(names, op.Name)
	}
	return fmt.Errorf("%q is no operation of S3, and none of %s%s", r.Operation, strings.Join(Accesses(), ", "), strictyaml.Meant(r.Operation, names))
}

// sentence is what an error of s3api says, without its code.
func sentence(err error) error {
	if e, ok := errors.AsType[*s3api.Error](err); ok {
		return errors.New(strings.TrimSuffix(e.Message, "."))
	}
	return err
}

// location reads s3://bucket/key. A location without bucket is a fault; key may be
// empty.
func location(s string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(s, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("%q: a bucket, or a bucket and a key, is wanted, such as s3://finance/reports/q1.csv", s)
	}
	return bucket, key, nil
}

// batch is the document of a DeleteObjects of one key.
func batch(key string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(key)) // a buffer takes all
	return "<Delete><Object><Key>" + b.String() + "</Key></Object></Delete>"
}

// Shown asks what it takes that ListBuckets shows a bucket: that something may be
// done in it. One allowed question is enough.
func Shown(bucket string) []policy.Question {
	var qs []policy.Question
	for _, access := range Accesses() {
		qs = append(qs, policy.Question{Access: policy.Access(access), Path: bucket, Scope: policy.Some})
	}
	return qs
}

// Upload is what the request says of an object that it brings; nil if it brings
// none, or is a kind of access alone.
func (m *Matter) Upload() *policy.Upload {
	if m.Call == nil {
		return nil
	}
	u := m.Call.Upload()
	if u == nil {
		return nil
	}
	return new(policy.Upload(*u))
}

// Decide answers the matter for p by s.
func (m *Matter) Decide(s *policy.Set, p *policy.Principal, f *policy.Facts) policy.Decision {
	if !m.AnyOf {
		return s.Decide(p, f, m.Questions...)
	}
	for _, q := range m.Questions {
		if d := s.Decide(p, f, q); d.Allowed {
			return d
		}
	}
	return s.Decide(p, f, m.Questions...)
}
