package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// An entry is what the story must have left in the audit log, in its order.
type entry struct {
	kind      audit.Kind
	email     string
	operation string
	object    string // bucket/key; empty when the operation has none
	decision  audit.Decision
}

func (t *story) entries() []entry {
	const customers, history = lake + "/" + customersKey, lake + "/" + historyKey
	alice, bob := t.alice.Email, t.bob.Email
	part := entry{audit.KindDecision, alice, "UploadPart", history, audit.Allowed}
	parts := (t.recipe.history + partSize - 1) / partSize
	return slices.Concat([]entry{
		{audit.KindSession, alice, "AssumeRoleWithWebIdentity", "", audit.Allowed},
		{audit.KindDecision, alice, "PutObject", customers, audit.Allowed},
		{audit.KindDecision, alice, "CreateMultipartUpload", history, audit.Allowed},
	}, slices.Repeat([]entry{part}, parts), []entry{
		{audit.KindDecision, alice, "CompleteMultipartUpload", history, audit.Allowed},
		{audit.KindDecision, alice, "ListObjectsV2", lake, audit.Allowed},
		{audit.KindDecision, alice, "HeadObject", customers, audit.Allowed},
		{audit.KindDecision, alice, "GetObject", customers, audit.Allowed},
		{audit.KindDecision, alice, "DeleteObject", customers, audit.Blocked},
		{audit.KindSession, bob, "AssumeRoleWithWebIdentity", "", audit.Allowed},
		{audit.KindDecision, bob, "GetObject", lake + "/public/holidays.csv", audit.Allowed},
		{audit.KindDecision, bob, "GetObject", customers, audit.Blocked},
	})
}

// record reads the audit log, shows it, and compares it with the story.
func (t *story) record(ctx context.Context) (string, error) {
	answers, err := t.answers(ctx)
	if err != nil {
		return "", err
	}
	rows := make([][]string, len(answers))
	for i, e := range answers {
		rows[i] = row(e)
	}
	t.table(rows, func(column int, cell string) string {
		switch {
		case column != decisionColumn:
			return cell
		case cell == string(audit.Allowed):
			return t.paint(green, cell)
		}
		return t.paint(red, cell)
	})
	if err := compare(answers, t.entries()); err != nil {
		return "", err
	}
	for _, e := range answers {
		if e.Decision == audit.Blocked && !explained(e) {
			return "", fmt.Errorf("%s is not on record as blocked by policy customer-data over label SENSITIVE", summary(e).operation)
		}
	}
	return fmt.Sprintf("%d answers are on record: who asked, for what, what was decided and why", len(answers)), nil
}

// compare names the first event that is not as the story has it.
func compare(answers []audit.Event, want []entry) error {
	for i, e := range answers {
		if i == len(want) {
			return fmt.Errorf("the audit log holds more than the story: %v", summary(e))
		}
		if got := summary(e); got != want[i] {
			return fmt.Errorf("event %d on record is %v, want %v", i+1, got, want[i])
		}
	}
	if len(answers) < len(want) {
		return fmt.Errorf("the audit log does not hold %v", want[len(answers)])
	}
	return nil
}

// explained says whether a refusal is on record with what the person was told.
func explained(e audit.Event) bool {
	byPolicy := func(r audit.Reason) bool { return r.Policy == "customer-data" && r.Text != "" }
	return slices.Contains(e.Labels, "SENSITIVE") && slices.ContainsFunc(e.Reasons, byPolicy)
}

// answers returns the events of the story that answer a person. It waits a
// little for the outcomes, which follow the bytes that they are about.
func (t *story) answers(ctx context.Context) ([]audit.Event, error) {
	for deadline := time.Now().Add(3 * time.Second); ; {
		events, err := readEvents(t.path(auditFile))
		if err != nil {
			return nil, err
		}
		missing := withoutOutcome(events)
		if len(missing) == 0 {
			return slices.DeleteFunc(events, aside), nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("no outcome is on record for %s", strings.Join(missing, ", "))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// aside says whether e is none of the story's answers: an outcome, a policy that
// came into force, or what gimme asks before anyone has logged in.
func aside(e audit.Event) bool {
	switch e.Kind {
	case audit.KindSession:
		return false
	case audit.KindDecision:
		return e.Decision == audit.Allowed && e.Request != nil && e.Request.Bucket == ""
	}
	return true
}

func readEvents(path string) ([]audit.Event, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var events []audit.Event
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, "\n") {
			return nil, errors.New("the audit log ends in the middle of a line")
		}
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("audit log: line %q: %w", line, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// withoutOutcome are the operations that were allowed and of which nothing
// more is known.
func withoutOutcome(events []audit.Event) []string {
	ended := map[string]bool{}
	for _, e := range events {
		if e.Kind == audit.KindOutcome {
			ended[e.ID] = true
		}
	}
	var missing []string
	for _, e := range events {
		if e.Kind == audit.KindDecision && e.Decision == audit.Allowed && !ended[e.ID] {
			missing = append(missing, summary(e).operation)
		}
	}
	return missing
}

func summary(e audit.Event) entry {
	s := entry{kind: e.Kind, decision: e.Decision}
	if e.Principal != nil {
		s.email = e.Principal.Email
	}
	if q := e.Request; q != nil {
		s.operation, s.object = q.Operation, strings.TrimSuffix(q.Bucket+"/"+q.Key, "/")
	}
	return s
}

const decisionColumn = 4

// row is an event for people to read.
func row(e audit.Event) []string {
	s := summary(e)
	name, _, _ := strings.Cut(s.email, "@")
	var why []string
	for _, r := range e.Reasons {
		if !slices.Contains(why, r.Text) {
			why = append(why, r.Text)
		}
	}
	about := s.object
	if e.Kind == audit.KindSession {
		about = e.Role[strings.LastIndex(e.Role, ":")+1:]
	}
	return []string{e.Time.Local().Format("15:04:05.000"), name, s.operation, about, string(s.decision), strings.Join(why, "; ")}
}
