package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A condition is one thing that must hold for a rule or a grant to count. tags
// are those of the existing object, nil when they are not known. A condition is
// immutable.
type condition interface {
	// holds judges. What is not known does not hold.
	holds(p *Principal, f *Facts, tags map[string]string) bool
	// want goes on from "only": what must be, for people.
	want() string
	// seen goes on from "but": what is instead, for people. It is asked only
	// where the condition does not hold.
	seen(p *Principal, f *Facts, tags map[string]string) string
}

// A validity is the time from which and until which something is in force;
// zero is no bound.
type validity struct{ from, until time.Time }

func (v validity) bounded() bool { return !v.from.IsZero() || !v.until.IsZero() }

func (v validity) at(now time.Time) bool {
	if !v.bounded() {
		return true
	}
	return !now.IsZero() && !now.Before(v.from) && (v.until.IsZero() || now.Before(v.until))
}

func (v validity) holds(_ *Principal, f *Facts, _ map[string]string) bool { return v.at(f.Now) }

func (v validity) want() string {
	switch {
	case v.until.IsZero():
		return "from " + moment(v.from)
	case v.from.IsZero():
		return "until " + moment(v.until)
	}
	return "from " + moment(v.from) + " until " + moment(v.until)
}

func (v validity) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if f.Now.IsZero() {
		return "the time is not known"
	}
	return "it is " + moment(f.Now)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// A network is the addresses from which a request may come.
type network []netip.Prefix

func (n network) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	ip := f.SourceIP.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func (n network) want() string {
	texts := make([]string, len(n))
	for i, p := range n {
		texts[i] = p.String()
		if p.IsSingleIP() {
			texts[i] = p.Addr().String()
		}
	}
	return "from " + either(texts)
}

func (n network) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if !f.SourceIP.IsValid() {
		return "where the request comes from is not known"
	}
	return "the request comes from " + f.SourceIP.Unmap().WithZone("").String()
}

// A login is how recently, and by which methods, the person has proven who they
// are.
type login struct {
	maxAge time.Duration // 0: whenever
	amr    []string
}

// strongMethods are those that prove more than a password (RFC 8176, and the
// two of OpenID Connect EAP ACR Values).
var strongMethods = [...]string{"mfa", "hwk", "fido", "phr", "phrh"}

func (l login) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	return l.fresh(f) && l.strong(f)
}

func (l login) fresh(f *Facts) bool {
	return l.maxAge == 0 || !f.AuthTime.IsZero() && !f.Now.IsZero() && f.Now.Sub(f.AuthTime) <= l.maxAge
}

func (l login) strong(f *Facts) bool {
	for _, m := range f.AMR {
		if slices.Contains(l.amr, m) {
			return true
		}
	}
	return false
}

func (l login) want() string {
	text := "after a login with " + either(l.amr)
	if l.maxAge != 0 {
		text += " within the last " + duration(l.maxAge)
	}
	return text
}

func (l login) seen(_ *Principal, f *Facts, _ map[string]string) string {
	switch {
	case !l.strong(f) && len(f.AMR) == 0:
		return "how you logged in is not known"
	case !l.strong(f):
		return "you logged in with " + strings.Join(f.AMR, ", ")
	case f.AuthTime.IsZero() || f.Now.IsZero():
		return "when you logged in is not known"
	}
	return "you logged in " + duration(f.Now.Sub(f.AuthTime).Truncate(time.Second)) + " ago"
}

// A transport is the least version of TLS.
type transport uint16

func (t transport) holds(_ *Principal, f *Facts, _ map[string]string) bool { return f.TLS >= uint16(t) }
func (t transport) want() string                                           { return "with TLS " + tlsName(uint16(t)) }

func (t transport) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if f.TLS == 0 {
		return "the connection has none"
	}
	return "the connection has TLS " + tlsName(f.TLS)
}

// tlsName writes a version as in crypto/tls: 0x0303 is 1.2.
func tlsName(v uint16) string {
	if v>>8 == 3 && v&0xff > 0 {
		return fmt.Sprintf("1.%d", v&0xff-1)
	}
	return fmt.Sprintf("0x%04x", v)
}

// An origin is how the credentials were obtained.
type origin []string

func (o origin) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	return f.AuthMethod != "" && slices.Contains(o, f.AuthMethod)
}

func (o origin) want() string { return "with credentials from " + either(o) }

func (o origin) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if f.AuthMethod == "" {
		return "where yours are from is not known"
	}
	return "yours are from " + f.AuthMethod
}

// A presigning is how long ago a presigned request may have been signed.
type presigning struct {
	never  bool
	maxAge time.Duration
}

func (c presigning) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	return f.Signed.IsZero() || !c.never && !f.Now.IsZero() && f.Now.Sub(f.Signed) <= c.maxAge
}

func (c presigning) want() string {
	if c.never {
		return "without presigned URLs"
	}
	return "with presigned URLs of the last " + duration(c.maxAge)
}

func (c presigning) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if c.never || f.Now.IsZero() {
		return "this is one"
	}
	return "this one is of " + duration(f.Now.Sub(f.Signed).Truncate(time.Second)) + " ago"
}

// A tagged is a tag and the values that it may have.
type tagged struct {
	key    string
	values []string
}

// matches reports whether value is one of t's, in which ${subject}, ${email} and
// ${service} stand for what policies know p by. Who has no such name matches no
// value that asks for one.
func (t tagged) matches(p *Principal, value string) bool {
	for _, v := range t.values {
		if spells(p, v, value) {
			return true
		}
	}
	return false
}

// spells reports whether pattern is value once the names of p are in it.
func spells(p *Principal, pattern, value string) bool {
	before, rest, found := strings.Cut(pattern, "${")
	if !found {
		return pattern == value
	}
	value, ok := strings.CutPrefix(value, before)
	if !ok {
		return false
	}
	word, after, _ := strings.Cut(rest, "}")
	is := func(name string) bool {
		tail, ok := strings.CutPrefix(value, name)
		return ok && name != "" && spells(p, after, tail)
	}
	if word == "service" {
		return is(p.Service)
	}
	for _, u := range p.Users {
		if strings.Contains(u, "@") == (word == "email") && is(u) {
			return true
		}
	}
	return false
}

func wantTags(tags []tagged) string {
	texts := make([]string, len(tags))
	for i, t := range tags {
		texts[i] = t.key + "=" + strings.Join(t.values, "|")
	}
	return strings.Join(texts, ", ")
}

// firstMissing is the first tag that is not as it must be, for people.
func firstMissing(tags []tagged, p *Principal, have map[string]string) string {
	for _, t := range tags {
		value, ok := have[t.key]
		switch {
		case !ok:
			return "no tag " + t.key
		case !t.matches(p, value):
			return t.key + "=" + value
		}
	}
	return ""
}

func tagsHold(tags []tagged, p *Principal, have map[string]string) bool {
	for _, t := range tags {
		if value, ok := have[t.key]; !ok || !t.matches(p, value) {
			return false
		}
	}
	return true
}

// objectTags are the tags of the object that is there.
type objectTags []tagged

func (c objectTags) holds(p *Principal, _ *Facts, tags map[string]string) bool {
	return tags != nil && tagsHold(c, p, tags)
}

func (c objectTags) want() string { return "for objects tagged " + wantTags(c) }

func (c objectTags) seen(p *Principal, _ *Facts, tags map[string]string) string {
	if tags == nil {
		return "its tags are not known"
	}
	return "it has " + firstMissing(c, p, tags)
}

// requestTags are the tags that an object is brought with.
type requestTags []tagged

func (c requestTags) holds(p *Principal, f *Facts, _ map[string]string) bool {
	return f.Upload == nil || tagsHold(c, p, f.Upload.Tags)
}

func (c requestTags) want() string { return "with the tags " + wantTags(c) }

func (c requestTags) seen(p *Principal, f *Facts, _ map[string]string) string {
	return "the upload has " + firstMissing(c, p, f.Upload.Tags)
}

// encryption is what an upload asks to be encrypted with.
type encryption []string

func (c encryption) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	return f.Upload == nil || f.Upload.TagsAlone || slices.Contains(c, f.Upload.Encryption)
}

func (c encryption) want() string { return "with encryption " + either(c) }

func (c encryption) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if f.Upload.Encryption == "" {
		return "the upload asks for none"
	}
	return "the upload asks for " + f.Upload.Encryption
}

// kmsKeys are patterns of the key that an upload names.
type kmsKeys []string

func (c kmsKeys) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	if f.Upload == nil || f.Upload.TagsAlone {
		return true
	}
	return f.Upload.KMSKey != "" && slices.ContainsFunc(c, func(pattern string) bool { return match(pattern, f.Upload.KMSKey) })
}

func (c kmsKeys) want() string { return "with the key " + either(c) }

func (c kmsKeys) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if f.Upload.KMSKey == "" {
		return "the upload names none"
	}
	return "the upload names " + f.Upload.KMSKey
}

// either writes a list of which one is enough.
func either(texts []string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " or " + texts[len(texts)-1]
}

// duration writes d without the zeroes that time.Duration ends in.
func duration(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
