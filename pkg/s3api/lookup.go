package s3api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// TagsOf returns the call that looks the tags of an object up which c touches as
// t. It has of c what the upstream may want to know again: who pays, and whose
// bucket it is.
func (c *Call) TagsOf(t Target) *Call {
	return c.lookUp("GetObjectTagging", t, Param{Name: "tagging"})
}

// HeadOf returns the call that asks what an object is that c touches as t. A key
// that the client brings for it goes along.
func (c *Call) HeadOf(t Target) *Call {
	head := c.lookUp("HeadObject", t)
	for _, name := range customerKey {
		from := name
		if c.isSource(t) {
			from = strings.Replace(name, "X-Amz-", "X-Amz-Copy-Source-", 1)
		}
		if value := c.Header.Get(from); value != "" {
			head.Header.Set(name, value)
		}
	}
	return head
}

func (c *Call) lookUp(operation string, t Target, query ...Param) *Call {
	if t.VersionID != "" {
		query = append(query, Param{"versionId", t.VersionID})
	}
	call := &Call{Operation: operation, Bucket: t.Bucket, Key: t.Key, VersionID: t.VersionID, Query: query, Header: http.Header{}, keepDots: c.keepDots}
	owner := ownerHeader
	if c.isSource(t) {
		owner = "X-Amz-Source-Expected-Bucket-Owner"
	}
	if value := c.Header.Get(owner); value != "" {
		call.Header.Set(ownerHeader, value)
	}
	if value := c.Header.Get("X-Amz-Request-Payer"); value != "" {
		call.Header.Set("X-Amz-Request-Payer", value)
	}
	return call
}

// isSource says whether t is the source of the copy that c asks for.
func (c *Call) isSource(t Target) bool { return c.op.header == copySourceHeader && t.Access == Reads }

// PinVersion returns c as a call that reads t in that version alone. ok is false
// when there is no such call: t is not read, or the operation takes no version.
func (c *Call) PinVersion(t Target, versionID string) (pinned *Call, ok bool) {
	if t.Access != Reads || checkVersion(versionID) != nil {
		return nil, false
	}
	p := *c
	if c.isSource(t) {
		p.Header = c.Header.Clone()
		p.Header.Set(copySourceHeader, source{t.Bucket, t.Key, versionID}.String())
		return &p, true
	}
	if !slices.Contains(c.op.params, "versionId") {
		return nil, false
	}
	p.VersionID = versionID
	p.Query = slices.DeleteFunc(slices.Clone(c.Query), func(p Param) bool { return p.Name == "versionId" })
	p.Query = append(p.Query, Param{"versionId", versionID})
	return &p, true
}

// PinETag returns c as a call that reads t only while it is what HeadOf has
// found, whose answer's headers are found. ok is false when there is no such
// call: t is not read, or the operation takes no condition.
//
// The client's own conditions on the same are judged here, because one that is
// added would change their meaning. The error is an *Error with the code
// PreconditionFailed when they do not hold.
func (c *Call) PinETag(t Target, found http.Header) (pinned *Call, ok bool, err error) {
	match, since := "If-Match", "If-Unmodified-Since"
	if c.isSource(t) {
		match, since = "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-Unmodified-Since"
	}
	etag := found.Get("Etag")
	if t.Access != Reads || !c.op.takes(match) || etag == "" || strings.HasPrefix(etag, "W/") {
		return nil, false, nil
	}
	if err := holds(c.Header.Get(match), c.Header.Get(since), etag, found.Get("Last-Modified")); err != nil {
		return nil, false, err
	}
	p := *c
	p.Header = c.Header.Clone()
	p.Header.Del(since)
	p.Header.Set(match, etag)
	return &p, true, nil
}

// holds judges If-Match, or else If-Unmodified-Since, as S3 does (RFC 9110,
// section 13.2.2). A date that is none is passed over.
func holds(match, since, etag, modified string) error {
	failed := refuse("PreconditionFailed", "The object is not what the request's conditions say.").
		inWords("At least one of the pre-conditions you specified did not hold")
	if match != "" {
		for one := range strings.SplitSeq(match, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.Trim(one, `"`) == strings.Trim(etag, `"`) {
				return nil
			}
		}
		return failed
	}
	limit, err := http.ParseTime(since)
	last, bad := http.ParseTime(modified)
	if since != "" && err == nil && (bad != nil || last.After(limit)) {
		return failed
	}
	return nil
}

// ParseTagging reads the upstream's answer to GetObjectTagging. A document that
// names no tags, or one of them twice, is an error.
func ParseTagging(document []byte) (map[string]string, error) {
	var doc struct {
		TagSet *struct {
			Tag []struct{ Key, Value string }
		}
	}
	if err := readAnswer(document, "Tagging", &doc); err != nil {
		return nil, err
	}
	if doc.TagSet == nil {
		return nil, errors.New("the document has no TagSet")
	}
	tags := make(map[string]string, len(doc.TagSet.Tag))
	for _, t := range doc.TagSet.Tag {
		if _, twice := tags[t.Key]; twice {
			return nil, errors.New("a tag stands twice in the document")
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// Conditional says whether a condition of the client's may have the upstream
// answer PreconditionFailed to c.
func (c *Call) Conditional() bool {
	names := []string{"If-Match", "If-Unmodified-Since"}
	if c.op.method != http.MethodGet && c.op.method != http.MethodHead { // which answer NotModified to the others
		names = append(names, "If-None-Match", "If-Modified-Since", "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match",
			"X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since")
	}
	return slices.ContainsFunc(names, func(name string) bool { return c.Header.Get(name) != "" })
}
