package revocation

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// seed is a file with one of everything.
func seed(t testing.TB) []byte {
	t.Helper()
	at := time.Unix(1772442847, 0)
	one := New(Order{Scope: User, User: "alice", Reason: "r", By: "b"}, at)
	two := New(Order{Scope: Login, IdPSession: "s", Subject: "bob", Issuer: "https://idp.example", Token: "j", Event: "e", Reason: "r", By: "b"}, at)
	three := New(Order{Scope: Key, Key: "00c0ffee", Reason: "r", By: "b"}, at)
	one.ID, two.ID, three.ID = "A", "B", "C"
	var file []byte
	for _, v := range []any{
		header{Version: 1}, record{Seq: 1, Order: &one}, record{Seq: 2, Order: &two}, record{Seq: 3, Recorded: 2},
		record{Seq: 4, Clear: &Clearing{ID: "A", By: "b", At: at.UTC()}}, record{Seq: 5, Order: &three},
	} {
		line, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, line...)
	}
	return file
}

func ids(s *state) []string {
	var list []string
	for _, o := range s.inOrder() {
		list = append(list, o.ID)
	}
	return list
}

// Whatever is taken means the same when it is read piece by piece, and after it
// has been written anew.
func FuzzRead(f *testing.F) {
	file := seed(f)
	if s := newState(); s.read(file) != nil || !slices.Equal(ids(s), []string{"B", "C"}) || len(s.pending) != 2 || s.seq() != 5 {
		f.Fatalf("the seed is not taken: %+v", s)
	}
	f.Add(file, 100)
	f.Add(file[:len(file)-3], 300)
	f.Add([]byte(`{"version":1,"seq":7,"recorded":7}`+"\n"), 1)
	f.Fuzz(func(t *testing.T, file []byte, at int) {
		whole := newState()
		if whole.read(file) != nil {
			return
		}
		if at < 0 || at > len(file) {
			at = len(file)
		}
		parts := newState()
		if bytes.IndexByte(file[:at], '\n') >= 0 {
			if err := parts.read(file[:at]); err != nil {
				t.Fatalf("the beginning is refused: %v", err)
			}
			if !parts.begins(file) {
				t.Fatal("the beginning is not known again")
			}
		}
		if err := parts.read(file); err != nil {
			t.Fatalf("in two parts it is refused: %v", err)
		}
		text, err := whole.anew(time.Unix(0, 0)) // when everything is alive
		if err != nil {
			t.Fatal(err)
		}
		anew := newState()
		if err := anew.read(text); err != nil {
			t.Fatalf("written anew it is refused: %v\n%s", err, text)
		}
		for _, s := range []*state{parts, anew} {
			if !slices.Equal(ids(s), ids(whole)) || s.seq() != whole.seq() {
				t.Errorf("%v up to %d, want %v up to %d", ids(s), s.seq(), ids(whole), whole.seq())
			}
		}
	})
}
