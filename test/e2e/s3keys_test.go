package e2e_test

import (
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oddNames are keys that are also names of files.
func oddNames() []string {
	return []string{
		"two  words", "a+b", "a%2Fb", "a%252Fb", "%", "nfc-\u00e9", "nfd-e\u0301", "a=b&c", "~tilde", "par(en)s", "it's!*",
		"semi;colon,comma:", "question?hash#", "brackets[1]{2}", "at@dollar$", `quote"`, "日本-🙂", "caret^tick`pipe|<>", "x-id=PutObject", "acl",
	}
}

// oddPaths are keys that are not.
func oddPaths() []string {
	return []string{"double//slash", "/leading", "trailing/", longKey}
}

// longKey has the 1,024 bytes that a key may have. No part of it is longer than
// the name of a file may be, which is where versitygw keeps it.
var longKey = strings.Repeat("long-é/", 127) + strings.Repeat("x", 8)

// oddKeys puts and gets keys of every kind. Each holds something of its own, so
// that no two can stand for the same.
func (s *stage) oddKeys(t *testing.T) {
	if len(longKey) != 1024 {
		t.Fatalf("the long key has %d bytes", len(longKey))
	}
	s.oddFolder(t)
	for _, name := range oddNames() {
		s.onTheWire(t, "odd/"+name)
	}
	if s.folders && !s.secure {
		return // a program a key takes its time, and keys are the same over TLS
	}
	for _, key := range oddPaths() {
		if why := s.cannot[key]; why != "" {
			t.Logf("%q: %s %s", key, s.name, why)
			continue
		}
		f := newFile(t, 333)
		if strings.HasSuffix(key, "/") {
			f = newFile(t, 0) // versitygw keeps it as a folder, which holds nothing
		}
		s.do(t, s3Call{Do: doPut, Key: key, File: f.path})
		s.has(t, key, f)
		s.onTheWire(t, key)
		s.comesBack(t, doGet, key, f)
	}
}

// onTheWire fails the test unless key went upstream byte for byte: versitygw takes
// some keys for others that are the same path.
func (s *stage) onTheWire(t *testing.T, key string) {
	t.Helper()
	for _, r := range s.upstream.requests() {
		path, _, _ := strings.Cut(strings.TrimPrefix(r.line, "PUT "), "?")
		if got, err := url.PathUnescape(path); err == nil && got == "/"+s.bucket+"/"+key {
			return
		}
	}
	t.Errorf("no object went upstream as %q", key)
}

// oddFolder is for names of files: programs move the whole folder at once.
func (s *stage) oddFolder(t *testing.T) {
	from, back := t.TempDir(), t.TempDir()
	want := map[string]string{}
	for i, name := range oddNames() {
		f := newFileIn(t, from, name, int64(100+i))
		want["odd/"+name] = f.digest
	}
	if s.folders {
		s.do(t, s3Call{Do: doUpFolder, Key: "odd/", File: from})
	} else {
		for _, name := range oddNames() {
			s.do(t, s3Call{Do: doPut, Key: "odd/" + name, File: filepath.Join(from, name)})
		}
	}
	if got := s.below(t, "odd/"); !maps.Equal(got, want) {
		t.Errorf("upstream are %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if s.folders {
		s.do(t, s3Call{Do: doDownFolder, Key: "odd/", File: back})
	} else {
		for _, name := range oddNames() {
			s.do(t, s3Call{Do: doGet, Key: "odd/" + name, File: filepath.Join(back, name)})
		}
	}
	for _, name := range oddNames() {
		if _, got := digestFile(t, filepath.Join(back, name)); got != want["odd/"+name] {
			t.Errorf("%q came back otherwise", name)
		}
	}
	got := s.do(t, s3Call{Do: doList, Key: "odd/"}).Keys
	if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("listed %q", got)
	}
}
