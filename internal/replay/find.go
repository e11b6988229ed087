package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
)

// A Logged is one decision of a log with all that it takes to decide it again.
type Logged struct {
	Event        string
	Time         time.Time
	Answer       rulebook.Answer // as it was recorded
	PolicyDigest string          // of what decided
	Principal    *policy.Principal
	Facts        *policy.Facts
	Request      *ruling.Matter
	// Tagged says that the request brings tags, which no log holds: they are not
	// among the facts.
	Tagged bool
}

// Find returns the decisions of the event of that id in a log, plain or compressed
// with gzip: none if there is no such event, and several of a batch. The error
// says, too, why a decision cannot be made again.
func Find(ctx context.Context, log io.Reader, id string) ([]Logged, error) {
	var all []Logged
	var wrong error
	err := eventlog.Each(ctx, log, func(lines []byte) (found []*event) {
		for line := range bytes.Lines(lines) {
			var e event
			if bytes.Contains(line, []byte(id)) && json.Unmarshal(line, &e) == nil && e.ID == id && e.Kind == audit.KindDecision {
				found = append(found, &e)
			}
		}
		return found
	}, func(found []*event) bool {
		for _, e := range found {
			var decisions []Logged
			if decisions, wrong = e.logged(); wrong != nil {
				return false
			}
			all = append(all, decisions...)
		}
		return true
	})
	if err == nil {
		err = wrong
	}
	return all, err
}

// logged are the decisions of an event.
func (e *event) logged() ([]Logged, error) {
	cause := e.unrepeatable()
	facts, bad := e.facts()
	if cause == "" {
		cause = bad
	}
	if cause != "" {
		return nil, fmt.Errorf("event %q cannot be decided again: it is %s", e.ID, cause)
	}
	var all []Logged
	for i, qs := range e.questions() {
		all = append(all, Logged{
			Event: e.ID, Time: e.Time, Answer: e.Decision, PolicyDigest: e.PolicyDigest, Principal: e.principal(), Facts: facts, Tagged: e.tagged(),
			Request: &ruling.Matter{Operation: e.Request.Operation, Resource: e.resource(i), Questions: qs},
		})
	}
	return all, nil
}
