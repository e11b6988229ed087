package revocation

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A Change is an order that was given or taken back.
type Change struct {
	Seq     uint64
	Order   Order
	Cleared *Clearing // nil: it was given
}

// A state is what the lines of the file amount to.
type state struct {
	offset   int64             // of the end of the last whole line
	sum      [sha256.Size]byte // of what is before it
	base     uint64            // number of the last record when the file was written anew
	previous uint64            // number of the last record here
	recorded uint64
	lines    int
	orders   map[string]*Order // in force, by id
	numbers  map[string]uint64 // of the records that gave them
	tokens   map[token]*Order  // those that logout tokens gave
	index    map[place][]*Order
	pending  []Change // whose event is not written
}

// A token is a logout token.
type token struct{ issuer, id string }

// A place is where an order is looked for.
type place struct {
	scope    Scope
	one, two string
}

// Orders about logins have two places.
const (
	loginByID      = Login + " sid"
	loginBySubject = Login + " sub"
)

func newState() *state {
	return &state{orders: map[string]*Order{}, numbers: map[string]uint64{}, tokens: map[token]*Order{}, index: map[place][]*Order{}}
}

// seq is the number of the last record that was ever written.
func (s *state) seq() uint64 { return max(s.base, s.previous) }

// begins says whether data begins with what the state was read from.
func (s *state) begins(data []byte) bool {
	return int64(len(data)) >= s.offset && sha256.Sum256(data[:s.offset]) == s.sum
}

// read takes the whole lines of a file from the state's offset on. What follows
// the last line end is a line that somebody has begun to write: it was
// acknowledged to nobody. After an error the state is good for nothing.
func (s *state) read(file []byte) error {
	for data := file[s.offset:]; ; {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			if s.offset == 0 {
				return errors.New("it has no first line")
			}
			s.sum = sha256.Sum256(file[:s.offset])
			return nil
		}
		s.lines++
		if err := s.line(data[:end]); err != nil {
			return fmt.Errorf("line at byte %d: %w", s.offset, err)
		}
		s.offset += int64(end)
		data = data[end:]
	}
}

func (s *state) line(line []byte) error {
	if s.offset == 0 {
		var h header
		if err := strict(line, &h); err != nil {
			return err
		}
		if h.Version != formatVersion || h.Recorded > h.Seq {
			return fmt.Errorf("version %d is not one that is known here", h.Version)
		}
		s.base, s.recorded = h.Seq, h.Recorded
		return nil
	}
	var r record
	if err := strict(line, &r); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	if r.Seq <= s.previous || r.Seq > s.base && r.Seq != s.seq()+1 {
		return fmt.Errorf("number %d comes after %d", r.Seq, s.seq())
	}
	s.previous = r.Seq
	switch {
	case r.Order != nil:
		return s.give(r.Seq, r.Order)
	case r.Clear != nil:
		return s.clear(r.Seq, r.Clear)
	}
	return s.record(r.Recorded)
}

func (s *state) give(seq uint64, o *Order) error {
	if s.orders[o.ID] != nil {
		return fmt.Errorf("order %s is given twice", o.ID)
	}
	s.orders[o.ID], s.numbers[o.ID] = o, seq
	if o.Token != "" {
		s.tokens[token{o.Issuer, o.Token}] = o
	}
	for _, p := range o.places() {
		s.index[p] = append(s.index[p], o)
	}
	if o.Event == "" && seq > s.recorded {
		s.pending = append(s.pending, Change{Seq: seq, Order: *o})
	}
	return nil
}

func (s *state) clear(seq uint64, c *Clearing) error {
	o := s.orders[c.ID]
	if o == nil {
		return fmt.Errorf("order %s is cleared and was not given", c.ID)
	}
	delete(s.orders, c.ID)
	delete(s.numbers, c.ID)
	for _, p := range o.places() {
		var rest []*Order // a new one: nobody's list changes under their eyes
		for _, other := range s.index[p] {
			if other != o {
				rest = append(rest, other)
			}
		}
		if s.index[p] = rest; len(rest) == 0 {
			delete(s.index, p)
		}
	}
	if seq > s.recorded {
		s.pending = append(s.pending, Change{Seq: seq, Order: *o, Cleared: c})
	}
	return nil
}

func (s *state) record(upTo uint64) error {
	if upTo <= s.recorded || upTo >= s.previous {
		return fmt.Errorf("events up to %d cannot be written after %d", upTo, s.recorded)
	}
	s.recorded = upTo
	var rest []Change
	for _, c := range s.pending {
		if c.Seq > upTo {
			rest = append(rest, c)
		}
	}
	s.pending = rest
	return nil
}

// places are where the order is found.
func (o *Order) places() []place {
	switch o.Scope {
	case Session:
		return []place{{Session, o.Session, ""}}
	case Login:
		list := []place{{loginByID, o.Issuer, o.IdPSession}}
		if o.Subject != "" {
			list = append(list, place{loginBySubject, o.Issuer, o.Subject})
		}
		return list
	case User:
		list := []place{{User, o.User, ""}}
		if folded := fold(o.User); folded != o.User {
			list = append(list, place{User, folded, ""})
		}
		return list
	case Role:
		return []place{{Role, o.Role, ""}}
	case Service:
		return []place{{Service, o.Service, ""}}
	case Key:
		return []place{{Key, o.Key, ""}}
	case Issuer:
		return []place{{Issuer, o.Issuer, ""}}
	}
	return []place{{All, "", ""}}
}

// fold gives texts that strings.EqualFold takes for equal the same form, as far
// as addresses go.
func fold(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return c > unicode.MaxASCII }) {
		s = strings.ToUpper(s) // some letters have several small forms
	}
	return strings.ToLower(s)
}

// find gives the first order that is at one of the places and matches.
func (s *state) find(matches func(*Order) bool, places ...place) *Order {
	for _, p := range places {
		for _, o := range s.index[p] {
			if matches(o) {
				return o
			}
		}
	}
	return nil
}

func (s *state) hitting(h *Holder) *Order {
	if len(s.orders) == 0 {
		return nil
	}
	hits := func(o *Order) bool { return o.hits(h) }
	who := about(h.Issuer, h.Subject, h.Email, h.IdPSession, h.Role)
	if o := s.find(hits, who[:]...); o != nil {
		return o
	}
	return s.find(hits, place{Session, h.ID, ""}, place{Key, h.Key, ""}, place{Service, h.Service, ""})
}

func (s *state) barring(c *Claim) *Order {
	if len(s.orders) == 0 {
		return nil
	}
	bars := func(o *Order) bool { return o.bars(c) }
	who := about(c.Issuer, c.Subject, c.Email, c.IdPSession, c.Role)
	if o := s.find(bars, who[:]...); o != nil {
		return o
	}
	return s.find(bars, place{Key, c.Key, ""})
}

// about are the places of orders that concern a person or a role.
func about(issuer, subject, email, idpSession, role string) [7]place {
	return [...]place{
		{loginByID, issuer, idpSession}, {loginBySubject, issuer, subject},
		{User, subject, ""}, {User, fold(email), ""},
		{Role, role, ""}, {Issuer, issuer, ""}, {All, "", ""},
	}
}
