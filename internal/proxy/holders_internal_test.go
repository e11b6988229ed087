package proxy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/gimme-broker/gimme/internal/session"
)

func shown(n, size int) presented {
	return presented{fmt.Sprintf("g1.%0*d", size, n), fmt.Sprintf("GM%028d", n)}
}

// Whoever presents anything else than what was admitted is not found.
func TestHoldersAreFoundByAllOfWhatTheyPresent(t *testing.T) {
	var h holders
	s := &Server{}
	one, other := shown(1, 600), shown(2, 600)
	held := s.newHolder(session.Session{}, nil)
	if h.find(one) != nil {
		t.Error("found before anybody was admitted")
	}
	h.keep(one, held)
	h.keep(other, s.newHolder(session.Session{}, nil))
	if h.find(one) != held || h.find(other) == held {
		t.Error("not found as who it is")
	}
	for name, p := range map[string]presented{
		"another's id":    {one.token, other.accessKeyID},
		"another's token": {other.token, one.accessKeyID},
		"no token":        {"", one.accessKeyID},
		"shorter":         {one.token[:len(one.token)-1], one.accessKeyID},
		"longer":          {one.token + "A", one.accessKeyID},
		"one character":   {"g1.1" + one.token[4:], one.accessKeyID},
	} {
		if h.find(p) != nil {
			t.Errorf("%s: found", name)
		}
	}
}

// Memory is bounded, whatever the size of tokens; who is seen all the time is
// never forgotten, and who was seen long ago is.
func TestHoldersAreBounded(t *testing.T) {
	for _, size := range []int{300, session.MaxToken} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var h holders
			s := &Server{}
			regular := s.newHolder(session.Session{}, nil)
			h.keep(shown(0, size), regular)
			for n := range 3 * mostHolders {
				h.keep(shown(n+1, size), s.newHolder(session.Session{}, nil))
				if n%100 == 0 && h.find(shown(0, size)) != regular {
					t.Fatalf("who is seen all the time is forgotten after %d others", n)
				}
			}
			kept, bytes := len(h.young)+len(h.old), 0
			for _, generation := range []map[presented]*holder{h.young, h.old} {
				for _, held := range generation {
					bytes += holderBytes + 2*len(held.as.token)
				}
			}
			if kept > mostHolders || bytes > mostHolderBytes || kept < mostHolders/16 {
				t.Errorf("%d holders of %d bytes are kept", kept, bytes)
			}
			if h.find(shown(1, size)) != nil {
				t.Error("who was seen long ago is not forgotten")
			}
		})
	}
}

// What is kept does not keep the request alive, which may be large.
func TestHoldersKeepNothingOfTheRequest(t *testing.T) {
	var h holders
	target := strings.Repeat("x", 4096)
	held := (&Server{}).newHolder(session.Session{}, nil)
	h.keep(presented{target[:600], target[600:630]}, held)
	if unsafe.StringData(held.as.token) == unsafe.StringData(target) || unsafe.StringData(held.as.accessKeyID) == unsafe.StringData(target[600:]) {
		t.Error("token and id are parts of the request")
	}
}

func TestHoldersAreSafeForConcurrentUse(t *testing.T) {
	var h holders
	s := &Server{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 2 * mostHolders {
				p := shown(n, 300)
				if h.find(p) == nil {
					h.keep(p, s.newHolder(session.Session{}, nil))
				}
			}
		})
	}
	all.Wait()
	if h.find(shown(2*mostHolders-1, 300)) == nil {
		t.Error("the last one is not found")
	}
}

// BenchmarkHolders finds who was seen before among as many as there is room for.
func BenchmarkHolders(b *testing.B) {
	var h holders
	s := &Server{}
	seen := make([]presented, 500)
	for n := range seen {
		seen[n] = shown(n, 600)
		h.keep(seen[n], s.newHolder(session.Session{}, nil))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if h.find(seen[n%len(seen)]) == nil {
			b.Fatal("not found")
		}
		n++
	}
}
