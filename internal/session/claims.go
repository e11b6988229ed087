package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gimme-broker/gimme/internal/secret"
)

// The first byte of the plaintext. Version 2 goes on after what version 1 has,
// and is used when there is anything to go on with.
const (
	plainVersion  = 1
	plainVersion2 = 2
)

// emailDecides is the one bit of the flags that has a meaning.
const emailDecides = 1

// lastSecond is the end of the year 9999, in seconds of Unix time.
const lastSecond = 253402300799

// groupsThatFit is how much of a token all groups together may take, in bytes
// of the plaintext.
const groupsThatFit = 1024

var errPlain = errors.New("not the plaintext of a session")

// FitGroups returns the groups that a session carries: all of them while they
// take no more than 1 KiB, otherwise those that named holds, in their order.
// Named are the groups that the role map and the policies speak of.
func FitGroups(groups, named []string) []string {
	if sizeOf(groups) <= groupsThatFit {
		return groups
	}
	wanted := make(map[string]bool, len(named))
	for _, g := range named {
		wanted[g] = true
	}
	return slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return !wanted[g] })
}

// sizeOf is what list takes in the plaintext, its count left out.
func sizeOf(list []string) int {
	n := 0
	for _, s := range list {
		n += 2 + len(s)
	}
	return n
}

// check says what keeps c from being a session.
func (c *Claims) check() error {
	switch {
	case c.ID == [16]byte{}:
		return errors.New("the session has no id")
	case c.Principal.Issuer == "" || c.Principal.Subject == "":
		return errors.New("the session has no issuer or no subject")
	case c.Role == "":
		return errors.New("the session has no role")
	case c.Issued.Unix() < 1 || c.Expires.Unix() > lastSecond:
		return errors.New("the session is not within the years 1970 to 9999")
	case c.Expires.Unix() <= c.Issued.Unix():
		return errors.New("the session expires before it has lasted a second")
	case !c.AuthTime.IsZero() && (c.AuthTime.Unix() < 1 || c.AuthTime.Unix() > lastSecond):
		return errors.New("the time of authentication is not within the years 1970 to 9999")
	}
	for _, list := range [][]string{c.texts(), c.Groups, c.AMR} {
		for _, s := range list {
			if !utf8.ValidString(s) {
				return fmt.Errorf("text %q is not UTF-8", s)
			}
		}
	}
	if !utf8.ValidString(c.Name) {
		return fmt.Errorf("text %q is not UTF-8", c.Name)
	}
	for _, s := range c.upstream() { // never quoted: two of them are secrets
		if c.Upstream != nil && (s == "" || !utf8.ValidString(s)) {
			return errors.New("the upstream's credentials are not three texts")
		}
	}
	return nil
}

// version is that of the plaintext of c.
func (c *Claims) version() byte {
	if c.Name == "" && c.Upstream == nil {
		return plainVersion
	}
	return plainVersion2
}

// upstream are the texts of the upstream's credentials in the order of the
// plaintext.
func (c *Claims) upstream() []string {
	u := c.Upstream
	if u == nil {
		return []string{"", "", ""}
	}
	return []string{u.AccessKeyID, u.SecretAccessKey.Reveal(), u.SessionToken.Reveal()}
}

// texts are the single texts in the order of the plaintext.
func (c *Claims) texts() []string {
	p := &c.Principal
	return []string{p.Issuer, p.Subject, p.Email, p.Name, c.Role, c.ACR, c.Method, c.IdPSession}
}

// encode gives the plaintext of c (docs/session.md, "Plaintext"). A text or a
// list that is too long for its length field is too long for a token as well.
func (c *Claims) encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b := append([]byte{c.version()}, c.ID[:]...)
	b = append(b, c.flags())
	for _, t := range []time.Time{c.Issued, c.Expires, c.AuthTime} {
		b = binary.BigEndian.AppendUint64(b, seconds(t))
	}
	b, err := appendTexts(b, c.texts())
	if err != nil {
		return nil, err
	}
	for _, list := range [][]string{c.Groups, c.AMR} {
		if n := sizeOf(list); n > MaxToken {
			return nil, fmt.Errorf("%d groups or methods take %d bytes and do not fit into a session token of at most %d characters", len(list), n, MaxToken)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
		for _, s := range list {
			b = appendText(b, s)
		}
	}
	if c.version() == plainVersion {
		return b, nil
	}
	return appendTexts(b, append([]string{c.Name}, c.upstream()...))
}

func appendTexts(b []byte, texts []string) ([]byte, error) {
	for _, s := range texts {
		if len(s) > MaxToken {
			return nil, fmt.Errorf("a text of %d bytes does not fit into a session token of at most %d characters", len(s), MaxToken)
		}
		b = appendText(b, s)
	}
	return b, nil
}

func (c *Claims) flags() byte {
	if c.Principal.EmailDecides {
		return emailDecides
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.Unix())
}

// decode is the inverse of encode: it takes what encode gives, and nothing
// else.
func decode(plain []byte) (Claims, error) {
	if len(plain) > MaxToken {
		return Claims{}, errPlain
	}
	r := reader{rest: string(plain)} // of which all texts are parts
	var c Claims
	version := r.byte()
	copy(c.ID[:], r.take(len(c.ID)))
	flags := r.byte()
	c.Principal.EmailDecides = flags&emailDecides != 0
	for _, t := range []*time.Time{&c.Issued, &c.Expires, &c.AuthTime} {
		*t = r.time()
	}
	p := &c.Principal
	for _, s := range []*string{&p.Issuer, &p.Subject, &p.Email, &p.Name, &c.Role, &c.ACR, &c.Method, &c.IdPSession} {
		*s = r.text()
	}
	c.Groups, c.AMR = r.list(), r.list()
	if version == plainVersion2 {
		c.Name, c.Upstream = r.text(), r.upstream()
	}
	// The one spelling: version 2 says something that version 1 could not.
	if r.short || len(r.rest) != 0 || version != c.version() || flags&^emailDecides != 0 {
		return Claims{}, errPlain
	}
	if err := c.check(); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// A reader takes a plaintext apart. Once something is missing it gives zeroes
// and stays short.
type reader struct {
	rest  string
	short bool
}

func (r *reader) take(n int) string {
	if r.short || len(r.rest) < n {
		r.short = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) length() int {
	if s := r.take(2); s != "" {
		return int(binary.BigEndian.Uint16([]byte(s)))
	}
	return 0
}

func (r *reader) time() time.Time {
	s := r.take(8)
	if s == "" {
		return time.Time{}
	}
	switch n := binary.BigEndian.Uint64([]byte(s)); {
	case n == 0:
		return time.Time{}
	case n > lastSecond:
		r.short = true
		return time.Time{}
	default:
		return time.Unix(int64(n), 0).UTC()
	}
}

func (r *reader) text() string { return r.take(r.length()) }

func (r *reader) upstream() *UpstreamCredentials {
	id, key, token := r.text(), r.text(), r.text()
	if id == "" && key == "" && token == "" {
		return nil
	}
	return &UpstreamCredentials{AccessKeyID: id, SecretAccessKey: secret.New(key), SessionToken: secret.New(token)}
}

func (r *reader) list() []string {
	n := r.length()
	if n == 0 || n > len(r.rest)/2 { // a text takes two bytes at least
		r.short = r.short || n > 0
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.text()
	}
	return list
}
