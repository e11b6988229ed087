package devstack

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoginsEnd(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newLogins(func() time.Time { return now })
	l, err := s.begin(login{Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keepCode(l.ID, "early"); !errors.Is(err, errNotLoggedIn) {
		t.Errorf("a code before the password: %v", err)
	}
	now = now.Add(loginLife - 1)
	if err := s.pass(l.ID, Person{Subject: "u"}); err != nil {
		t.Fatal(err)
	}
	if err := s.pass(l.ID, Person{Subject: "v"}); !errors.Is(err, errNoLogin) {
		t.Errorf("a second password: %v", err)
	}
	if err := s.keepCode(l.ID, "code"); err != nil {
		t.Fatal(err)
	}
	if err := s.keepCode(l.ID, "other"); !errors.Is(err, errCodeAgain) {
		t.Errorf("a second code: %v", err)
	}
	for _, wrong := range []string{"", "early", "other"} {
		if _, err := s.takeCode(wrong); !errors.Is(err, errNoLogin) {
			t.Errorf("code %q: %v", wrong, err)
		}
	}
	now = now.Add(codeLife)
	if _, err := s.takeCode("code"); !errors.Is(err, errNoLogin) {
		t.Errorf("a code after its time: %v", err)
	}
	if l, err = s.begin(login{}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(loginLife)
	if _, err := s.find(l.ID); !errors.Is(err, errNoLogin) {
		t.Errorf("a login after its time: %v", err)
	}
	if err := s.pass(l.ID, Person{}); !errors.Is(err, errNoLogin) {
		t.Errorf("a password after its time: %v", err)
	}
}

func TestLoginsAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newLogins(func() time.Time { return now })
	for range maxLogins {
		if _, err := s.begin(login{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.begin(login{}); !errors.Is(err, errTooMany) {
		t.Errorf("one too many: %v", err)
	}
	now = now.Add(loginLife)
	if _, err := s.begin(login{}); err != nil {
		t.Errorf("after the others have expired: %v", err)
	}
}

func TestIsCallback(t *testing.T) {
	for uri, want := range map[string]bool{
		"http://127.0.0.1:8250/callback":       true,
		"http://127.0.0.1/callback":            false,
		"http://localhost:8250/callback":       false,
		"https://127.0.0.1:8250/callback":      false,
		"http://127.0.0.1:8250/callback#x":     false,
		"http://127.0.0.1:8250/callback?":      false,
		"http://u@127.0.0.1:8250/callback":     false,
		"http://127.0.0.1:8250/callback/..":    false,
		"http://127.0.0.1:8250;x/callback":     false,
		"HTTP://127.0.0.1:8250/callback":       false,
		"http://127.0.0.1.example:80/callback": false,
		"http://[::1]:8250/callback":           false,
		"":                                     false,
	} {
		if got := isCallback(uri); got != want {
			t.Errorf("%q: %v", uri, got)
		}
	}
}

func TestPasswordsAreNew(t *testing.T) {
	a, b := people()
	again, _ := people()
	if a.Password.Equal(b.Password) || a.Password.Equal(again.Password) || len(a.Password.Reveal()) != 19 {
		t.Errorf("passwords %q, %q, %q", a.Password.Reveal(), b.Password.Reveal(), again.Password.Reveal())
	}
}

func TestFindForm(t *testing.T) {
	f, err := findForm(`<!doctype html><meta charset="utf-8"><input name="before"><p>a &amp; b<form action="/x?a=1&amp;b=2">
		<input type="hidden" name="id" value="&#34;&lt;"><input name="username" required autofocus></form><input name="after">`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"id": {`"<`}, "username": {""}}, map[string][]string(f.fields)); diff != "" || f.action != "/x?a=1&b=2" {
		t.Errorf("action %q, fields %s", f.action, diff)
	}
	for _, page := range []string{"", "<p>no form</p>", "<form action=x>", "plain"} {
		if _, err := findForm(page); err == nil {
			t.Errorf("%q has a form", page)
		}
	}
}

func TestTeller(t *testing.T) {
	var out bytes.Buffer
	plain := newTeller(&out)
	plain.heading("Head")
	plain.command("ls")
	m := &margin{to: plain}
	for _, p := range []string{"o", "ne\ntwo\nth", "ree"} {
		if n, err := m.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	plain.table([][]string{{"ä", "b", ""}, {"longer", "c"}}, nil)
	plain.right("good")
	plain.wrong("bad")
	want := "\nHead\n\n  $ ls\n    one\n    two\n    three\n  ä       b\n  longer  c\n  ✓ good\n  ✗ bad\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	(&teller{out: &out, colour: true}).table([][]string{{"a", "b"}, {"aa", "b"}}, func(_ int, cell string) string { return "\x1b[1m" + cell + "\x1b[0m" })
	if want := "  \x1b[1ma\x1b[0m   \x1b[1mb\x1b[0m\n  \x1b[1maa\x1b[0m  \x1b[1mb\x1b[0m\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestQuoted(t *testing.T) {
	for path, want := range map[string]string{"/tmp/a-1/b.csv": "/tmp/a-1/b.csv", "/tmp/a b": "'/tmp/a b'", "/tmp/it's $(x)": `'/tmp/it'\''s $(x)'`} {
		if got := quoted(path); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func TestSize(t *testing.T) {
	var got []string
	for _, n := range []int{0, 150, 1536, 12 << 20} {
		got = append(got, size(n))
	}
	if s := strings.Join(got, ", "); s != "0 Bytes, 150 Bytes, 1.5 KiB, 12.0 MiB" {
		t.Error(s)
	}
}
