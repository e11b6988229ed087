package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// Read takes in one log, plain or compressed with gzip. It returns when all of it
// is decided on, or when ctx ends.
//
// Blocks are decided on side by side, and added up in their order, so that the
// same log always gives the same examples.
func (r *Replay) Read(ctx context.Context, log io.Reader) error {
	return eventlog.Each(ctx, log, r.block, func(t *tally) bool {
		r.add(t)
		return true
	})
}

// block decides on whole lines.
func (r *Replay) block(lines []byte) *tally {
	t := &tally{}
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		t.Lines++
		// Quotes are escaped inside of texts, so this is the key. An outcome has all
		// that its decision has, and takes as long to decode.
		if bytes.Contains(line, []byte(`"kind":"outcome"`)) {
			t.Others++
			continue
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil || e.Version != audit.Version {
			t.Torn++
			continue
		}
		r.take(&e, t)
	}
	return t
}
