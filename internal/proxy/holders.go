package proxy

import (
	"strings"
	"sync"
)

const (
	mostHolders     = 4096
	mostHolderBytes = 8 << 20

	// holderBytes is about what a holder takes beside its token: what the token
	// says, and the signing keys that are derived for it.
	holderBytes = 3 << 10
)

// A presented pair is what a request shows of who signs it.
type presented struct{ token, accessKeyID string }

// holders remembers who was admitted lately, by the whole of what they present,
// so that their sessions are not opened, nor their keys derived, anew for each
// request. What it gives has proven nothing: that the request is signed, and that
// the session has neither expired nor been revoked, is judged each time.
//
// It has two generations of bounded size: who is found in the older one is moved
// to the younger, and when that is full, the older is forgotten.
type holders struct {
	mu         sync.Mutex // guards what follows
	young, old map[presented]*holder
	bytes      int // of the young
}

// find gives the holder who presents p, or nil.
func (h *holders) find(p presented) *holder {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.young[p]
	if held == nil {
		if held = h.old[p]; held != nil {
			h.add(held)
		}
	}
	return held
}

// keep remembers held, who has proven to hold what p says and was admitted.
// Nothing of held may change from then on.
func (h *holders) keep(p presented, held *holder) {
	if held.kept {
		return
	}
	held.kept = true
	held.as = presented{strings.Clone(p.token), strings.Clone(p.accessKeyID)} // p is of a request, which may be large
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(held)
}

// add is called with mu held.
func (h *holders) add(held *holder) {
	size := holderBytes + 2*len(held.as.token)
	if h.young == nil || len(h.young) >= mostHolders/2 || h.bytes+size > mostHolderBytes/2 {
		h.old, h.young, h.bytes = h.young, make(map[presented]*holder), 0
	}
	if h.young[held.as] == nil {
		h.bytes += size
	}
	h.young[held.as] = held
}
