package policy

import (
	"cmp"
	"slices"
	"strings"
)

// An area is what the data map says of the containers that one pattern
// matches. Its names stand as heads, a head being a name pattern up to its
// first '*', in the order of their bytes. Of a name, the heads that are its
// prefixes are its predecessor in that order and the predecessor's parents;
// what begins with a prefix is one run of heads.
type area struct {
	container string // pattern
	whole     labels // of the container itself and everything in it
	anywhere  labels // of the container or anything in it
	texts     []string
	heads     []head // beside texts
	places    []place
}

// A head is what name patterns that are equal up to their first '*' say.
type head struct {
	parent int    // the longest other head that is a prefix of this one; -1 for none
	end    int    // the first head after this one that does not begin with it
	only   labels // of the object of this name alone
	under  labels // of everything that begins with it
	globs  []glob // of some of what begins with it
	below  labels // of this head and every head that begins with it, whatever their kind
	places []int  // in the area's, ascending
}

// A glob is a name pattern with more after its first '*'.
type glob struct {
	rest  string // the pattern after the head, from the '*' on
	label int
}

// A place is one entry of the data map, with the path that stands for all
// that it covers: of what the entry covers, sample carries the fewest labels.
type place struct {
	order   int // in the data map
	label   int
	pattern string
	sample  string
}

// An entry is one attribute of a label.
type entry struct {
	location
	label int
	order int
}

// newArea builds the index over entries, all of them of one container pattern
// and of a map of count labels.
func newArea(container string, entries []entry, count int) *area {
	a := &area{container: container, anywhere: make(labels, words(count)), whole: make(labels, words(count))}
	heads := map[string]*head{}
	add := func(set *labels, label int) {
		if *set == nil {
			*set = make(labels, words(count))
		}
		set.add(label)
	}
	for _, e := range entries {
		a.anywhere.add(e.label)
		if e.whole {
			a.whole.add(e.label)
			continue
		}
		a.places = append(a.places, place{e.order, e.label, e.name, strings.ReplaceAll(e.name, "*", anyByte)})
		star := strings.IndexByte(e.name, '*')
		text := e.name
		if star >= 0 {
			text = e.name[:star]
		}
		h := heads[text]
		if h == nil {
			h = &head{}
			heads[text] = h
			a.texts = append(a.texts, text)
		}
		add(&h.below, e.label)
		switch {
		case star < 0:
			add(&h.only, e.label)
		case star == len(e.name)-1:
			add(&h.under, e.label)
		default:
			h.globs = append(h.globs, glob{e.name[star:], e.label})
		}
	}
	slices.Sort(a.texts)
	for _, text := range a.texts {
		a.heads = append(a.heads, *heads[text])
	}
	slices.SortFunc(a.places, func(a, b place) int { return cmp.Compare(a.order, b.order) })
	for i := range a.places {
		star := strings.IndexByte(a.places[i].pattern+"*", '*')
		at, _ := slices.BinarySearch(a.texts, a.places[i].pattern[:star])
		a.heads[at].places = append(a.heads[at].places, i)
	}
	a.nest()
	a.gather()
	return a
}

// gather puts the texts into one string, and the labels of the heads into one
// slice. A search then touches few lines of memory, which is what it takes its
// time for when there are many names.
func (a *area) gather() {
	joined := strings.Join(a.texts, "")
	for i, text := range a.texts {
		a.texts[i], joined = joined[:len(text)], joined[len(text):]
	}
	size := 0
	for i := range a.heads {
		h := &a.heads[i]
		size += len(h.only) + len(h.under) + len(h.below)
	}
	room := make(labels, 0, size)
	for i := range a.heads {
		h := &a.heads[i]
		for _, set := range []*labels{&h.only, &h.under, &h.below} {
			if start := len(room); *set != nil {
				room = append(room, *set...)
				*set = room[start:len(room):len(room)]
			}
		}
	}
}

// nest finds the parent of each head and the end of its run.
func (a *area) nest() {
	last := -1 // the innermost head that is still open
	closed := func(i, end int) {
		h := &a.heads[i]
		h.end = end
		if h.parent >= 0 {
			a.heads[h.parent].below.merge(h.below)
		}
	}
	for i, text := range a.texts {
		for last >= 0 && !strings.HasPrefix(text, a.texts[last]) {
			closed(last, i)
			last = a.heads[last].parent
		}
		a.heads[i].parent = last
		last = i
	}
	for ; last >= 0; last = a.heads[last].parent {
		closed(last, len(a.heads))
	}
}

// exact adds to set the labels of the object name, or of the container itself
// when name is empty.
func (a *area) exact(name string, set labels) {
	set.merge(a.whole)
	if name == "" {
		return
	}
	i, found := slices.BinarySearch(a.texts, name)
	if !found {
		i--
	}
	for ; i >= 0; i = a.heads[i].parent {
		h := &a.heads[i]
		if !strings.HasPrefix(name, a.texts[i]) {
			continue
		}
		set.merge(h.under)
		tail := name[len(a.texts[i]):]
		if tail == "" {
			set.merge(h.only)
		}
		for _, g := range h.globs {
			if match(g.rest, tail) {
				set.add(g.label)
			}
		}
	}
}

// tryBehind hands to try the places of patterns that can match a name which begins
// with prefix: those that begin with it, and those with which it begins. Of each
// head they are in order, and no further ones are tried once try is done.
func (a *area) tryBehind(prefix string, try func(*place) (done bool)) {
	of := func(places []int) {
		for _, i := range places {
			if try(&a.places[i]) {
				return
			}
		}
	}
	if prefix == "" { // all of them, which are in order as they stand
		for i := range a.places {
			if try(&a.places[i]) {
				return
			}
		}
		return
	}
	at, _ := slices.BinarySearch(a.texts, prefix)
	for i := at; i < len(a.texts) && strings.HasPrefix(a.texts[i], prefix); i++ {
		of(a.heads[i].places)
	}
	for i := at - 1; i >= 0; i = a.heads[i].parent {
		if strings.HasPrefix(prefix, a.texts[i]) {
			of(a.heads[i].places)
		}
	}
}

// under adds to set every label that an object can carry whose name begins
// with prefix.
func (a *area) under(prefix string, set labels) {
	set.merge(a.whole)
	at, _ := slices.BinarySearch(a.texts, prefix)
	for i := at; i < len(a.texts) && strings.HasPrefix(a.texts[i], prefix); i = a.heads[i].end {
		set.merge(a.heads[i].below)
	}
	for i := at - 1; i >= 0; i = a.heads[i].parent {
		if !strings.HasPrefix(prefix, a.texts[i]) {
			continue
		}
		h := &a.heads[i]
		set.merge(h.under)
		for _, g := range h.globs { // its '*' takes the rest of any prefix
			set.add(g.label)
		}
	}
}

// covers reports whether every object whose name begins with prefix carries a
// label. That is so only if one entry alone covers them all: a name that goes
// on with anyByte is in no other.
func (a *area) covers(prefix string) bool {
	if !a.whole.empty() {
		return true
	}
	i, found := slices.BinarySearch(a.texts, prefix)
	if !found {
		i--
	}
	for ; i >= 0; i = a.heads[i].parent {
		if !strings.HasPrefix(prefix, a.texts[i]) {
			continue
		}
		h := &a.heads[i]
		if h.under != nil {
			return true
		}
		for _, g := range h.globs {
			if strings.HasSuffix(g.rest, "*") && match(g.rest, prefix[len(a.texts[i]):]) {
				return true
			}
		}
	}
	return false
}
