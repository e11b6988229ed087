package replay_test

import (
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/replay"
	"github.com/gimme-broker/gimme/pkg/audit"
)

func TestFind(t *testing.T) {
	batch := func(e *audit.Event) {
		e.Request = &audit.Request{Operation: "DeleteObjects", Access: []string{"deletes"}, Bucket: "finance", Keys: []string{"reports/a", "reports/b"}}
	}
	text := log(t, event(id("A")), event(id("B"), blocked), event(id("B"), func(e *audit.Event) { e.Kind = audit.KindOutcome }), event(id("C"), batch), event(id("C"), batch, blocked), event(id("D"), func(e *audit.Event) { e.Principal = nil }))
	s := set(t, policies, site)
	for _, c := range []struct {
		id, resources string
	}{{"A", "s3://finance/reports/a allowed"}, {"B", "s3://finance/reports/a blocked"}, {"none", ""},
		{"C", "s3://finance/reports/a allowed s3://finance/reports/b allowed s3://finance/reports/a blocked s3://finance/reports/b blocked"}} {
		all, err := replay.Find(t.Context(), strings.NewReader(text), c.id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range all {
			got = append(got, l.Request.Resource, string(l.Answer))
			if d := l.Request.Decide(s, l.Principal, l.Facts); !d.Allowed || l.Event != c.id || l.Time != noon {
				t.Errorf("%+v: %v", l, d.Reasons())
			}
		}
		if strings.Join(got, " ") != c.resources {
			t.Errorf("%s: %v", c.id, got)
		}
	}
	if _, err := replay.Find(t.Context(), strings.NewReader(text), "D"); err == nil || !strings.Contains(err.Error(), `event "D" cannot be decided again: it is refused before the policy was asked`) {
		t.Error(err)
	}
	if _, err := replay.Find(t.Context(), strings.NewReader("\x1f\x8b no gzip"), "A"); err == nil {
		t.Error("what is no gzip is read")
	}
}
