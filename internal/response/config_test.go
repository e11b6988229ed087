package response_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/response"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// Every fault is said, at its place, with what was meant.
func TestFaults(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"unknown keys": {`
responses:
  - {nmae: a, when: {violatoins: 3, within: 10m}, do: [alert]}
`, `f:3:6: unknown key "nmae", did you mean "name"?
f:3:21: responses: name is missing: what events and orders call the rule
f:3:21: responses: when has to have exactly one of violations, reads and deletes
f:3:22: unknown key "violatoins", did you mean "violations"?`},
		"missing": {`
responses:
  - name: a
  - when: {within: 10m}
    mode: monitor
`, `f:3:11: responses: do is missing: alert, suspend, or both
f:3:11: responses: when is missing: violations, reads or deletes, and within
f:4:11: responses: name is missing: what events and orders call the rule
f:4:11: responses: do is missing: alert, suspend, or both
f:4:11: responses: when has to have exactly one of violations, reads and deletes`},
		"words": {`
responses:
  - name: Many Things
    when: {violations: 3, severity: meduim, within: 10m}
    do: [alret, suspend, suspend]
    mode: enforced
`, `f:3:11: responses: name "Many Things": at most 64 lower-case letters, digits, hyphens, dots and underscores are wanted
f:4:37: responses: severity is "meduim"; write low or medium or high, did you mean "medium"?
f:5:10: responses: do is "alret"; write alert or suspend, did you mean "alert"?
f:5:26: responses: do has suspend twice
f:6:11: responses: mode is "enforced"; write monitor or enforce, did you mean "enforce"?`},
		"numbers": {`
responses:
  - {name: a, when: {violations: 0, within: 1s}, do: [alert]}
  - {name: a, when: {deletes: -1, within: soon}, do: [alert]}
  - {name: b, when: {deletes: many, within: 48h}, do: [alert]}
`, `f:3:34: responses: violations is 0; at least 1 is wanted
f:3:45: responses: within "1s": a duration from 10s to 24h is wanted, such as 10m
f:4:12: responses: name "a" stands twice
f:4:31: responses: deletes is -1; at least 1 is wanted
f:4:43: responses: within "soon": a duration from 10s to 24h is wanted, such as 10m
f:5:31: a whole number is wanted here, not "many"
f:5:31: responses: deletes is 0; at least 1 is wanted
f:5:45: responses: within "48h": a duration from 10s to 24h is wanted, such as 10m`},
		"reads": {`
responses:
  - {name: a, when: {reads: {label: SENSITVE, times: 1}, within: 1h}, do: [alert]}
  - {name: b, when: {reads: {history: 0, least_objects: 0, least_bytes: -5}, within: 1h}, do: [alert]}
`, `f:3:37: responses: the data map has no label "SENSITVE", did you mean "SENSITIVE"?
f:3:54: responses: times is 1; a number above 1 is wanted, such as 5
f:4:29: responses: label is missing: that of the data whose reads are counted
f:4:29: responses: times is missing: how many times what is usual
f:4:39: responses: history is 0; at least 1 is wanted
f:4:57: responses: least_objects is 0; at least 1 is wanted
f:4:73: responses: least_bytes is -5; at least 1 is wanted`},
		"not one thing": {`
responses:
  - {name: a, when: {violations: 3, deletes: 3, within: 10m}, do: [alert]}
  - {name: b, when: {deletes: 3, severity: low, within: 10m}, do: []}
`, `f:3:21: responses: when has to have exactly one of violations, reads and deletes
f:4:12: responses: do is missing: alert, suspend, or both
f:4:44: responses: severity goes with violations`},
		"too many": {"responses:\n" + strings.Repeat("  - {name: a, when: {deletes: 3, within: 10m}, do: [alert]}\n", 65), ""},
		"all is well": {`
responses:
  - {name: a, when: {violations: 3, severity: high, within: 10m}, do: [alert], mode: monitor}
  - {name: b, when: {reads: {label: SENSITIVE, times: 1.5, history: 3, least_objects: 5, least_bytes: 5}, within: 24h}, do: [suspend], mode: enforce}
`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var file struct {
				Responses []response.Config `yaml:"responses"`
			}
			var faults strictyaml.Faults
			if err := strictyaml.Decode("f", []byte(row.in), &file); err != nil {
				faults = err.(strictyaml.Faults)
			}
			_, found := response.Rules("f", file.Responses, []string{"PUBLIC", "SENSITIVE"})
			faults = append(faults, found...)
			if name == "too many" {
				if err := faults.Err(); err == nil || !strings.Contains(err.Error(), "f:66:12: responses: 65 rules are too many") {
					t.Errorf("%v", err)
				}
				return
			}
			got := ""
			if err := faults.Err(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is left out has its default.
func TestDefaults(t *testing.T) {
	r := rules(t, "responses:\n  - {name: a, when: {violations: 1, within: 10m}, do: [alert]}\n")[0]
	if r.Mode != response.Monitor || r.Enforced() || r.Severity != "low" {
		t.Errorf("%+v", r)
	}
}
