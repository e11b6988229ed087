package cli_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// logged are the events of requests for objects, each "ID WHO GROUP KEY DECISION",
// a minute apart.
func logged(t *testing.T, start time.Time, requests ...string) string {
	t.Helper()
	var b bytes.Buffer
	l := audit.NewLog(&b)
	for i, request := range requests {
		f := strings.Fields(request)
		bucket, key, _ := strings.Cut(f[3], "/")
		e := audit.Event{
			ID: f[0], Time: start.Add(time.Duration(i) * time.Minute), Kind: audit.KindDecision, Decision: audit.Decision(f[4]),
			Principal: &audit.Principal{Issuer: "i", Subject: f[1], Users: []string{f[1]}, Groups: []string{f[2]}}, Client: &audit.Client{IP: "10.0.0.1"},
			Request: &audit.Request{Operation: "GetObject", Bucket: bucket, Key: key, Targets: []audit.Target{{Access: "reads", Path: f[3], Scope: "exact"}}},
		}
		if e.Decision != audit.Allowed {
			e.Reasons = []audit.Reason{{Policy: "customers", Text: "policy customers has no rule"}}
		}
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestPolicyReplay(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, nil)
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	w.write(t, "a.jsonl", logged(t, start, "A alice ops finance/reports/a allowed", "B bob engineers finance/reports/a allowed", "C alice ops finance/reports/b allowed")+"{torn\n")
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	z.Write([]byte(logged(t, start.Add(time.Hour), "D bob engineers website/x blocked", "E eve ops finance/x blocked")))
	z.Close()
	w.write(t, "b.jsonl.gz", packed.String())
	args := []string{"policy", "replay", dir, "--log", w.home + "/a.jsonl", "--log", w.home + "/b.jsonl.gz"}
	const flips = `2 × allowed → blocked: alice GetObject, SENSITIVE, by customers
    policy customers has no rule that lets you read SENSITIVE data; needed: membership of engineers
    such as s3://finance/reports/a in event A of 2026-03-02T09:00:00Z
1 × blocked → allowed: bob GetObject, PUBLIC, by site
    policy site lets you read PUBLIC data
    such as s3://website/x in event D of 2026-03-02T10:00:00Z
`
	r := w.does(t, args...)
	if diff := cmp.Diff(flips, r.stdout); diff != "" {
		t.Error(diff)
	}
	says(t, r.stderr, "5 decisions: 5 decided again, 3 would come out differently, 0 could not be repeated.", "from 2026-03-02T09:00:00Z to 2026-03-02T10:01:00Z. 0 of them were decided by these very policies (sha256:",
		"1 line could not be read, of 6.")
	r = w.gimme(t, t.Context(), append(args, "--fail-on-flips")...)
	says(t, r.stderr, "gimme: error: 3 decisions would come out differently")
	if r.stdout != flips || r.code != 1 {
		t.Errorf("code %d, %s", r.code, r.stdout)
	}

	var report struct {
		Decided    int `json:"decided_again"`
		Flipped    int
		Unreadable int `json:"unreadable_lines"`
		Flips      []struct {
			From, To, Who, Operation, Labels, Policies string
			Count                                      int
			Example                                    struct{ Event, Resource, Text, Need string }
		}
		NotRepeated []struct {
			Cause string
			Count int
		} `json:"not_repeated"`
	}
	w.stdin = logged(t, start, "A alice ops finance/reports/a allowed") + strings.Replace(logged(t, start, "B bob engineers finance/reports/a allowed"), `,"users":["bob"]`, "", 1)
	r = w.does(t, "policy", "replay", dir, "--log", "-", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if f := report.Flips; report.Decided != 1 || report.Flipped != 1 || len(f) != 1 || f[0].From != "allowed" || f[0].To != "blocked" || f[0].Who != "alice" || f[0].Count != 1 || f[0].Example.Event != "A" || f[0].Example.Need == "" ||
		len(report.NotRepeated) != 1 || report.NotRepeated[0].Count != 1 {
		t.Errorf("%+v", report)
	}
	says(t, r.stderr, "Not repeated: 1 recorded by an older sidecar")

	// Compared with what another set says, the log's word does not count.
	w.write(t, "old/map.yaml", "SENSITIVE: [{repo: S3, attributes: [finance]}]\n")
	w.write(t, "old/p.yaml", "name: old\ndata: [SENSITIVE]\nrules: [{identities: {groups: [ops]}, reads: [{data: any}]}]\n")
	r = w.does(t, "policy", "replay", dir, "--log", w.home+"/a.jsonl", "--old", w.home+"/old")
	says(t, r.stdout, "2 × allowed → blocked: alice", "1 × blocked → allowed: bob")

	// What is older does not count.
	w.write(t, "new.jsonl", logged(t, time.Now().Add(-time.Minute), "A alice ops finance/reports/a allowed"))
	says(t, w.does(t, append(args, "--since", "24h", "--log", w.home+"/new.jsonl")...).stderr, "1 decision: 1 decided again")
	says(t, w.does(t, append(args, "--since", "2026-03-02T10:00:00Z")...).stderr, "2 decisions: 2 decided again")
}

func TestPolicyReplayDoesNotRun(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, nil)
	w.write(t, "a.jsonl", logged(t, time.Now().Add(-48*time.Hour), "A alice ops finance/reports/a allowed"))
	log := w.home + "/a.jsonl"
	w.fails(t, t.Context(), 2, []string{"--log is missing"}, "policy", "replay", dir)
	w.fails(t, t.Context(), 2, []string{"no PATH is named"}, "policy", "replay", "--log", log)
	w.fails(t, t.Context(), 2, []string{`--since "yesterday": hours or days are wanted`}, "policy", "replay", dir, "--log", log, "--since", "yesterday")
	w.fails(t, t.Context(), 1, []string{"nothing.jsonl", "hint: name the file"}, "policy", "replay", dir, "--log", w.home+"/nothing.jsonl")
	w.fails(t, t.Context(), 1, []string{"no decision could be repeated", "hint: name a log"}, "policy", "replay", dir, "--log", log, "--since", "1d")
	w.fails(t, t.Context(), 1, []string{"no decision could be repeated"}, "policy", "replay", dir, "--log", "-")
	w.fails(t, t.Context(), 1, []string{"old: no such file"}, "policy", "replay", dir, "--log", log, "--old", w.home+"/old")
	w.write(t, "cut.gz", "\x1f\x8b\x08")
	w.fails(t, t.Context(), 1, []string{"read audit log", "cut.gz"}, "policy", "replay", dir, "--log", w.home+"/cut.gz")
}

// A person who was blocked tells an id; that is enough to see why.
func TestPolicyExplainEvent(t *testing.T) {
	w := newWorld(t)
	dir := w.policies(t, nil)
	w.write(t, "a.jsonl", logged(t, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), "A alice ops finance/reports/a blocked", "B bob engineers finance/reports/a blocked"))
	args := []string{"policy", "explain", "--log", w.home + "/a.jsonl", "--event"}
	says(t, w.does(t, append(args, "A", dir)...).stdout, "Event A of 2026-03-02T09:00:00Z was decided by other policies: blocked.\n", "blocked: alice may not GetObject s3://finance/reports/a", "rule 1 grants it, and is not for you")
	says(t, w.does(t, append(args, "B", dir)...).stdout, "Event B", "was decided by other policies: blocked.\n", "allowed: bob may GetObject")
	var found []struct {
		Event, Decision, Recorded string
		SamePolicies              bool `json:"same_policies"`
	}
	if err := json.Unmarshal([]byte(w.does(t, append(args, "B", dir, "--json")...).stdout), &found); err != nil || len(found) != 1 || found[0].Event != "B" || found[0].Decision != "allowed" || found[0].Recorded != "blocked" {
		t.Errorf("%v, %+v", err, found)
	}
	w.fails(t, t.Context(), 1, []string{`no decision with the id "C"`, "hint"}, append(args, "C", dir)...)
	w.fails(t, t.Context(), 2, []string{"--event and --log go together"}, "policy", "explain", "--event", "A", dir)
	w.fails(t, t.Context(), 2, []string{"so does s3://finance/x"}, append(args, "A", dir, "s3://finance/x")...)
	w.fails(t, t.Context(), 2, []string{"leave out --user"}, append(args, "A", dir, "--user", "x")...)
	w.fails(t, t.Context(), 1, []string{"nothing.jsonl", "hint: name the file"}, "policy", "explain", dir, "--log", w.home+"/nothing.jsonl", "--event", "A")
}
