package proxy_test

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The corpus is requests as texts. A file holds cases like this one:
//
//	=== T7/a dot segment
//	by bob
//	want 400 InvalidArgument bob
//	GET /lake/public/../customers/x HTTP/1.1
//	{sign}
//	x-not-signed: 1
//
//	a body
//
// by is who signs: alice, bob, or one of the thieves that attacked makes. want
// is status, code and who must stand in the event, "-" for nobody; a text after
// that must stand in the event's error. Lines "upstream METHOD TARGET" instead
// say that the request passes, and what the upstream must be asked.
//
// The request's lines follow. {sign} signs the lines before it; {presign} in the
// target signs what stands before it there, with the lines before {unsigned}, or
// all of them. {host} is the sidecar's host, {length} the length of the body. Host and
// Content-Length are added where they are missing, unless the line {bare} stands
// there. \r, \n, \t, \0 and \xff are the bytes, everywhere.
//
//go:embed testdata/attack/*.txt
var corpus embed.FS

type corpusCase struct {
	name, by string
	want     want
	upstream []string
	lines    []string // of the request's head
	body     string
}

// corpus runs every case of the files.
func (a *attack) corpus() {
	files, err := corpus.ReadDir("testdata/attack")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range files {
		text, err := corpus.ReadFile(path.Join("testdata/attack", f.Name()))
		if err != nil {
			a.t.Fatal(err)
		}
		for i, text := range strings.Split("\n"+string(text), "\n=== ") {
			if i == 0 {
				continue // what the file says of itself
			}
			c, err := readCase(text)
			if err != nil {
				a.t.Fatalf("%s: %v", f.Name(), err)
			}
			a.run(c.name, func(t *testing.T) { a.runCase(t, c) })
		}
	}
}

func readCase(text string) (corpusCase, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	c := corpusCase{name: lines[0], by: "alice"}
	for i, line := range lines[1:] {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "by":
			c.by = rest
		case "upstream":
			c.upstream = append(c.upstream, rest)
		case "want":
			parts := strings.SplitN(rest, " ", 4)
			if len(parts) < 3 {
				return c, fmt.Errorf("%s: want %s", c.name, rest)
			}
			status, err := strconv.Atoi(parts[0])
			if err != nil {
				return c, err
			}
			c.want = want{status: status, code: parts[1], who: strings.TrimPrefix(parts[2], "-")}
			if len(parts) == 4 {
				c.want.why = parts[3]
			}
		default:
			head, body, _ := strings.Cut(strings.Join(lines[i+1:], "\n"), "\n\n")
			c.lines, c.body = strings.Split(head, "\n"), unslash(body)
			if c.want.status == 0 && c.upstream == nil {
				return c, fmt.Errorf("%s: nothing is wanted", c.name)
			}
			return c, nil
		}
	}
	return c, fmt.Errorf("%s: no request", c.name)
}

func unslash(s string) string {
	return strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\0`, "\x00", `\xff`, "\xff", `\\`, `\`).Replace(s)
}

func (a *attack) runCase(t *testing.T, c corpusCase) {
	raw := a.build(t, c)
	if c.upstream == nil {
		a.wantRefused(t, raw, c.want)
		return
	}
	a.wantPassed(t, raw, c.by, c.upstream...)
}

// build makes the bytes of a case.
func (a *attack) build(t *testing.T, c corpusCase) string {
	keys, ok := a.held[c.by]
	if !ok {
		t.Fatalf("nobody is called %q", c.by)
	}
	start := c.lines[0]
	method, rest, _ := strings.Cut(start, " ")
	end := strings.LastIndex(rest, " ")
	target, protocol := rest[:end], rest[end+1:]
	target, tail, presigned := strings.Cut(target, "{presign}")
	m := message{method: method, target: unslash(target), body: c.body}
	sealed := false
	sign := func() {
		sealed = true
		if presigned {
			m = m.presign(seal{keys: keys})
			m.target += tail
		} else {
			m = m.sign(seal{keys: keys})
		}
	}
	given := message{lines: c.lines[1:], body: c.body}
	if !slices.Contains(c.lines, "{bare}") {
		for _, line := range given.framed(a.host).lines {
			if !slices.Contains(c.lines, line) {
				m = m.with(line)
			}
		}
	}
	for _, line := range c.lines[1:] {
		switch line = strings.NewReplacer("{host}", a.host, "{length}", strconv.Itoa(len(c.body))).Replace(unslash(line)); line {
		case "{bare}":
		case "{sign}", "{unsigned}":
			sign()
		default:
			m = m.with(line)
		}
	}
	if presigned && !sealed {
		sign()
	}
	return strings.Replace(m.String(), " HTTP/1.1\r\n", " "+protocol+"\r\n", 1)
}
