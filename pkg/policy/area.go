package policy

import (
	"maps"
	"slices"
	"strings"
)

// An area is what the data map says of the containers that one pattern
// matches. Its names stand as heads, a head being a name pattern up to its
// first '*', in the order of their bytes. Of a name, the heads that are its
// prefixes are its predecessor in that order and the predecessor's parents;
// what begins with a prefix is one run of heads.
//
// In a large area a search waits for memory and for little else. So heads are
// small, and what they have stands together with what other heads have.
type area struct {
	container string // pattern
	whole     labels // of the container itself and everything in it
	anywhere  labels // of the container or anything in it
	names     sorted
	heads     []head   // beside names
	words     uint32   // of each set of labels
	sets      labels   // of heads, all in one; the first is empty
	globs     []glob   // of heads, all in one
	placed    []uint32 // of heads, all in one: numbers of places
	places    []place
}

// A head is what name patterns that are equal up to their first '*' say.
type head struct {
	parent int32  // the longest other head that is a prefix of this one; -1 for none
	end    int32  // the first head after this one that does not begin with it
	only   uint32 // in sets: of the object of this name alone; 0 for none, as of the next
	under  uint32 // in sets: of everything that begins with it
	below  uint32 // in sets: of this head and every head that begins with it, whatever their kind
	globs  part   // in globs: of some of what begins with it
	places part   // in placed: ascending
}

// A part is of a slice: from the one to before the other.
type part struct{ from, to uint32 }

// sorted are texts in the order of their bytes, in one string.
type sorted struct {
	joined string
	starts []uint32 // of the texts, and the end of the last
}

func newSorted(texts []string) sorted {
	s := sorted{strings.Join(texts, ""), make([]uint32, 1, len(texts)+1)}
	for _, text := range texts {
		s.starts = append(s.starts, s.starts[len(s.starts)-1]+uint32(len(text)))
	}
	return s
}

func (s sorted) len() int { return len(s.starts) - 1 }

func (s sorted) at(i int) string { return s.joined[s.starts[i]:s.starts[i+1]] }

// search finds the first text that is not less, and says whether it is equal.
func (s sorted) search(text string) (int, bool) {
	from, to := 0, s.len()
	for from < to {
		if middle := (from + to) / 2; s.at(middle) < text {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, from < s.len() && s.at(from) == text
}

// set is the one that a head has in sets.
func (a *area) set(at uint32) labels { return a.sets[at : at+a.words] }

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

// A draft is a head while it is built.
type draft struct {
	only, under, below labels
	globs              []glob
	places             []uint32
}

// newArea builds the index over entries, all of them of one container pattern
// and of a map of count labels.
func newArea(container string, entries []entry, count int) *area {
	a := &area{container: container, anywhere: make(labels, words(count)), whole: make(labels, words(count)), words: uint32(words(count))}
	drafts := map[string]*draft{}
	add := func(set *labels, label int) {
		if *set == nil {
			*set = make(labels, words(count))
		}
		set.add(label)
	}
	for _, e := range entries { // in the order of the data map
		a.anywhere.add(e.label)
		if e.whole {
			a.whole.add(e.label)
			continue
		}
		text, rest := e.name, ""
		if star := strings.IndexByte(text, '*'); star >= 0 {
			text, rest = text[:star], text[star:]
		}
		d := drafts[text]
		if d == nil {
			d = &draft{}
			drafts[text] = d
		}
		d.places = append(d.places, uint32(len(a.places)))
		a.places = append(a.places, place{e.order, e.label, e.name, strings.ReplaceAll(e.name, "*", anyByte)})
		add(&d.below, e.label)
		switch rest {
		case "":
			add(&d.only, e.label)
		case "*":
			add(&d.under, e.label)
		default:
			d.globs = append(d.globs, glob{rest, e.label})
		}
	}
	a.gather(drafts)
	a.nest()
	return a
}

// gather makes heads of drafts.
func (a *area) gather(drafts map[string]*draft) {
	texts := slices.Sorted(maps.Keys(drafts))
	a.names = newSorted(texts)
	a.sets = make(labels, a.words)
	keep := func(set labels) uint32 {
		if set == nil {
			return 0
		}
		a.sets = append(a.sets, set...)
		return uint32(len(a.sets)) - a.words
	}
	for _, text := range texts {
		d := drafts[text]
		h := head{only: keep(d.only), under: keep(d.under), below: keep(d.below)}
		h.globs.from, h.places.from = uint32(len(a.globs)), uint32(len(a.placed))
		a.globs, a.placed = append(a.globs, d.globs...), append(a.placed, d.places...)
		h.globs.to, h.places.to = uint32(len(a.globs)), uint32(len(a.placed))
		a.heads = append(a.heads, h)
	}
}

// nest finds the parent of each head and the end of its run.
func (a *area) nest() {
	last := int32(-1) // the innermost head that is still open
	closed := func(i, end int32) {
		h := &a.heads[i]
		h.end = end
		if h.parent >= 0 {
			a.set(a.heads[h.parent].below).merge(a.set(h.below))
		}
	}
	for i := range int32(len(a.heads)) {
		text := a.names.at(int(i))
		for last >= 0 && !strings.HasPrefix(text, a.names.at(int(last))) {
			closed(last, i)
			last = a.heads[last].parent
		}
		a.heads[i].parent = last
		last = i
	}
	for ; last >= 0; last = a.heads[last].parent {
		closed(last, int32(len(a.heads)))
	}
}

// around yields the heads that are prefixes of name, the longest first, and how
// long each is. Handing down the rest of the name would let it outlive the call.
func (a *area) around(name string, yield func(h *head, length int) (more bool)) {
	i, found := a.names.search(name)
	if !found {
		i--
	}
	for ; i >= 0; i = int(a.heads[i].parent) {
		if text := a.names.at(i); strings.HasPrefix(name, text) && !yield(&a.heads[i], len(text)) {
			return
		}
	}
}

// exact adds to set the labels of the object name, or of the container itself
// when name is empty.
func (a *area) exact(name string, set labels) {
	set.merge(a.whole)
	if name == "" {
		return
	}
	a.around(name, func(h *head, length int) bool {
		set.merge(a.set(h.under))
		if length == len(name) {
			set.merge(a.set(h.only))
		}
		for _, g := range a.globs[h.globs.from:h.globs.to] {
			if match(g.rest, name[length:]) {
				set.add(g.label)
			}
		}
		return true
	})
}

// tryBehind hands to try the places of patterns that can match a name which begins
// with prefix: those that begin with it, and those with which it begins. Of each
// head they are in order, and no further ones are tried once try is done.
func (a *area) tryBehind(prefix string, try func(*place) (done bool)) {
	if prefix == "" { // all of them, which are in order as they stand
		for i := range a.places {
			if try(&a.places[i]) {
				return
			}
		}
		return
	}
	of := func(h *head) {
		for _, i := range a.placed[h.places.from:h.places.to] {
			if try(&a.places[i]) {
				return
			}
		}
	}
	at, _ := a.names.search(prefix)
	for i := at; i < a.names.len() && strings.HasPrefix(a.names.at(i), prefix); i++ {
		of(&a.heads[i])
	}
	a.around(prefix, func(h *head, length int) bool {
		if length < len(prefix) { // otherwise it begins with the prefix, too
			of(h)
		}
		return true
	})
}

// under adds to set every label that an object can carry whose name begins
// with prefix.
func (a *area) under(prefix string, set labels) {
	set.merge(a.whole)
	at, _ := a.names.search(prefix)
	for i := at; i < a.names.len() && strings.HasPrefix(a.names.at(i), prefix); i = int(a.heads[i].end) {
		set.merge(a.set(a.heads[i].below))
	}
	a.around(prefix, func(h *head, _ int) bool {
		set.merge(a.set(h.under))
		for _, g := range a.globs[h.globs.from:h.globs.to] { // its '*' takes the rest of any prefix
			set.add(g.label)
		}
		return true
	})
}

// covers reports whether every object whose name begins with prefix carries a
// label. That is so only if one entry alone covers them all: a name that goes
// on with anyByte is in no other.
func (a *area) covers(prefix string) bool {
	covered := !a.whole.empty()
	if covered {
		return true
	}
	a.around(prefix, func(h *head, length int) bool {
		covered = h.under != 0
		for _, g := range a.globs[h.globs.from:h.globs.to] {
			covered = covered || strings.HasSuffix(g.rest, "*") && match(g.rest, prefix[length:])
		}
		return !covered
	})
	return covered
}
