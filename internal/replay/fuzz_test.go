package replay_test

import (
	"testing"

	"github.com/gimme-broker/gimme/internal/replay"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// Whatever stands in a log, each line is counted once.
func FuzzRead(f *testing.F) {
	batch := func(e *audit.Event) {
		e.Request.Operation, e.Request.Keys = "DeleteObjects", []string{"a", "b//c"}
	}
	f.Add(log(f, event(), event(blocked), event(batch)))
	f.Add("{}\n{\"version\":1}\nx\n" + `{"version":1,"kind":"outcome"}`)
	s := set(f, policies, site)
	f.Fuzz(func(t *testing.T, text string) {
		r := &replay.Replay{New: s}
		r.ReadBlock([]byte(text))
		if r.Lines != r.Torn+r.Others+r.Before+r.Events || r.Decided+r.NotRepeated() < r.Events || r.Flipped > r.Decided {
			t.Errorf("%+v", r)
		}
	})
}
