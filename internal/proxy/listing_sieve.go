package proxy

import (
	"slices"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// How long and how often the upstream is asked for one page. A page that has
// something ends when the first bounds are reached, an empty one only at the
// second: some clients take an empty page for the end.
const (
	softAsks, hardAsks = 50, 250
	softTime, hardTime = 5 * time.Second, 30 * time.Second
)

// lookSizes are the pages in which a look at what lies below a common prefix
// seeks an entry that may be shown.
var lookSizes = [...]int{100, 1000, 1000}

// pageSize is how many entries the upstream is asked for once it has turned out
// that some are hidden.
const pageSize = 1000

// A sieve fills one page with what may be shown.
type sieve struct {
	s *Server
	x *exchange
	e *errand
	l *listing

	whole bool  // everything below the prefix may be read, and nothing limits how much
	count *page // of the entries that are shown

	began time.Time
	asked int // how often the upstream was

	at      s3api.Place // the last entry that was dealt with, or the upstream's word for it
	common  bool        // that entry is a common prefix
	passed  bool        // that entry was hidden
	done    string      // the name of which all was dealt with: stores differ in whether they give it again
	granted int         // of the entries called next so many are counted already
	next    string
	shown   s3api.Page
	hidden  int
}

func (s *Server) newSieve(x *exchange, e *errand) *sieve {
	f := &sieve{s: s, x: x, e: e, l: e.listing, at: e.listing.from, began: time.Now(), count: s.newPage(x, e.call, e.principal)}
	if (!f.l.own || !f.l.HasTokens()) && f.at.ID == "" { // of start-after a common prefix may begin with it
		f.done = f.at.Key
	}
	under := f.decide(f.l.Prefix, policy.Under)
	f.whole = under.Allowed && !under.WouldBlock && len(under.Limits()) == 0
	return f
}

func (f *sieve) decide(name string, scope policy.Scope) policy.Decision {
	return f.x.reading(f.e.principal, f.l.Bucket, name, scope)
}

func (f *sieve) may(name string, scope policy.Scope) bool { return f.decide(name, scope).Allowed }

// fill asks the upstream until the page is full, the listing is at its end, or a
// bound is reached.
func (f *sieve) fill() error {
	for size := f.l.Max; ; {
		from := f.at
		page, err := f.ask(f.l.Page(from, size), f.l.own && from == f.l.from)
		if err != nil {
			return err
		}
		cut, err := f.take(page, from)
		switch {
		case err != nil:
			return err
		case cut == 0:
			return f.end()
		case cut > 0 && cut < size:
			size = cut
			continue
		case cut > 0:
			return &refusal{Code: "InternalError", Message: "The real S3 lists more than it was asked for."}
		case !page.Truncated:
			return nil
		}
		f.goOn(page)
		switch {
		case f.full(), f.over(softAsks, softTime) && len(f.shown.Entries) > 0, f.over(hardAsks, hardTime):
			return f.end()
		case f.at == from && size == pageSize:
			return &refusal{Code: "InternalError", Message: "The real S3 does not go on with the listing."}
		}
		size = pageSize
	}
}

func (f *sieve) full() bool { return len(f.shown.Entries) >= f.l.Max }

func (f *sieve) over(asks int, d time.Duration) bool {
	return f.asked >= asks || time.Since(f.began) >= d
}

// take deals with the entries of a page, name by name. It is -1 when it has dealt
// with all, and 0 when the page for the client ends before one of them. It is
// more when the client's page has room only for so many of the next ones, all of
// one name: only the store knows in which order it goes on within a name, and so
// is to be asked for exactly those.
func (f *sieve) take(page s3api.Page, from s3api.Place) (cut int, err error) {
	f.common, f.passed = false, false
	for rest := page.Entries; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Key == rest[0].Key && !rest[0].Common {
			n++
		}
		group := slices.DeleteFunc(slices.Clone(rest[:n]), func(e s3api.Entry) bool {
			return f.done != "" && e.Key == f.done || from.ID != "" && from == s3api.Place{Key: e.Key, ID: e.ID}
		})
		again := rest[n-1]
		rest = rest[n:]
		if len(group) == 0 {
			if again.ID != "" {
				f.at = s3api.Place{Key: again.Key, ID: again.ID}
			}
			continue
		}
		visible, room, err := f.judge(group)
		if err != nil || visible && room < len(group) {
			f.granted, f.next = room, group[0].Key
			return room, err
		}
		last := s3api.Place{Key: group[0].Key}
		f.done = last.Key
		if id := group[len(group)-1].ID; len(rest) == 0 && id != "" { // there may be more of it
			last.ID, f.done = id, ""
		}
		f.at, f.common, f.passed = last, group[0].Common, !visible
		if f.common {
			f.at = s3api.Beyond(last.Key)
		}
		switch {
		case visible:
			f.shown.Entries = append(f.shown.Entries, group...)
			f.shown.Next = last
		case !f.full(): // behind a full page it is met again
			f.hidden += len(group)
		}
	}
	return -1, nil
}

// judge decides on entries of one name, and says for how many the page has room.
func (f *sieve) judge(group []s3api.Entry) (visible bool, room int, err error) {
	if group[0].Common {
		return f.judgePrefix(group[0].Key)
	}
	d := policy.Decision{Allowed: f.whole}
	if !f.whole {
		d = f.decide(group[0].Key, policy.Exact)
	}
	if !d.Allowed {
		return false, 0, nil
	}
	for room = range group {
		switch {
		case f.granted > 0 && f.next == group[0].Key:
			f.granted--
		case len(f.shown.Entries)+room >= f.l.Max, !f.whole && !f.count.takes(d):
			return true, room, nil
		}
	}
	if d.WouldBlock {
		f.x.noteLate(d.Reasons())
	}
	return true, len(group), nil
}

// judgePrefix decides on a common prefix.
func (f *sieve) judgePrefix(prefix string) (visible bool, room int, err error) {
	room = min(1, f.l.Max-len(f.shown.Entries))
	switch {
	case f.whole || f.may(prefix, policy.Under):
		return true, room, nil
	case !f.may(prefix, policy.Some):
		return false, 0, nil
	case f.may(prefix, policy.Mapped):
		return true, room, nil
	case f.full(), f.over(softAsks, softTime) && len(f.shown.Entries) > 0, f.over(hardAsks, hardTime):
		return true, 0, nil // as far as can be said here; the next page begins with it
	}
	visible, err = f.look(prefix)
	return visible, room, err
}

// goOn is called behind a page of which all was dealt with.
func (f *sieve) goOn(page s3api.Page) {
	if f.shown.Next.Key != "" && page.Next.Key == f.shown.Next.Key {
		f.shown.Next = page.Next // of one name the upstream knows best
	}
	f.at = f.behind(page, f.at, f.common, f.passed)
}

// behind is where the listing goes on upstream behind a page that has ended with
// last: far behind it, if it is hidden and nothing near it may be read, or where the
// upstream says.
func (f *sieve) behind(page s3api.Page, last s3api.Place, common, hidden bool) s3api.Place {
	if hidden && !f.whole {
		if name, ok := f.beyond(last.Key); ok {
			if far := s3api.Beyond(name); far.Key > last.Key {
				return far
			}
		}
	}
	switch {
	case page.Next == (s3api.Place{}), common: // stores differ in what is behind a common prefix
		return last
	case f.l.HasTokens():
		return s3api.Place{Token: page.Next.Token, Key: last.Key}
	}
	return page.Next
}

// end ends a page that is not the last.
func (f *sieve) end() error {
	f.shown.Truncated = f.l.Max > 0
	if err := f.count.refusal(); err != nil && len(f.shown.Entries) == 0 {
		return err
	}
	switch {
	case f.l.HasTokens():
		f.shown.Next = f.at
	case len(f.shown.Entries) == 0 && f.shown.Truncated:
		return &refusal{
			Code:    "SlowDown",
			Message: "So much in a row may not be shown to you that no page could be filled. List a longer prefix, or with ListObjectsV2.",
		}
	}
	return nil
}

// beyond is the shortest beginning of name of which nothing may be read.
func (f *sieve) beyond(name string) (string, bool) {
	first := len(f.l.Prefix)
	n := first + sort.Search(len(name)-first, func(i int) bool { return !f.may(name[:first+i+1], policy.Some) }) + 1
	if n > len(name) {
		return "", false
	}
	for n < len(name) && !utf8.RuneStart(name[n]) {
		n++
	}
	return name[:n], true
}

func (f *sieve) objects() int {
	n := 0
	for _, entry := range f.shown.Entries {
		if !entry.Common {
			n++
		}
	}
	return n
}

// look finds out whether something below a common prefix may be shown.
func (f *sieve) look(prefix string) (visible bool, err error) {
	at := s3api.Place{}
	for _, size := range lookSizes {
		page, err := f.ask(f.l.Below(prefix, at, size), false)
		if err != nil {
			return false, err
		}
		for _, entry := range page.Entries {
			if f.may(entry.Key, policy.Exact) {
				return true, nil
			}
			at = s3api.Place{Key: entry.Key, ID: entry.ID}
		}
		if !page.Truncated {
			break
		}
		at = f.behind(page, at, false, true)
	}
	return false, nil
}
