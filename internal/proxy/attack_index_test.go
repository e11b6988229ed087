package proxy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rows are the rows of the list of published advisories on S3 servers, proxies
// and what they are built of, and of the list of threats. "" says that TestAttack
// has subtests of that row. Anything else says where the row is held to a test
// instead, or why it does not apply.
func rows() map[string]string {
	all := map[string]string{
		"advisory 5":  "nobody logs in with a name and a password here; that logins are limited is held to a test beside the limit",
		"advisory 17": "minio-go is one of the clients that test/e2e runs",
		"advisory 45": "the source of a copy is decided on as a read of its own, with all conditions on reads, as advisory 44",
		"advisory 48": "no mode turns the absence of a denial into a permission; data without a label is denied, as advisory 29",
		"advisory 50": "there are no default keys: a key is read, or made at random, as internal/session tests",
		"advisory 60": "trust in an issuer is that in its certificate, as internal/idtoken tests",
		"advisory 61": "no session policy is made from what people name, so there is nothing to inject into",
		"advisory 62": "no session policy is made from what people name, so there is nothing to inject into",
		"advisory 72": "the STS is the one that is configured; which session gets which credentials is held to a test in internal/upstream",
		"T47":         "",
		"T57":         "an upstream whose objects are replaced between the questions it is asked has a test of its own, TestRacingTags",
	}
	for i := 7; i <= 32; i++ {
		if name := fmt.Sprintf("T%d", i); all[name] == "" {
			all[name] = ""
		}
	}
	for i := 1; i <= 76; i++ {
		if name := fmt.Sprintf("advisory %d", i); all[name] == "" {
			all[name] = ""
		}
	}
	return all
}

// wantEveryRow fails when a row that applies has no subtest, or a subtest no
// row.
func (a *attack) wantEveryRow() {
	have := map[string]int{}
	for _, name := range a.names {
		row, _, _ := strings.Cut(name, "/")
		have[row]++
	}
	all := rows()
	for row, elsewhere := range all {
		if (have[row] > 0) == (elsewhere != "") {
			a.t.Errorf("%s has %d subtests, and its reason to have none is %q", row, have[row], elsewhere)
		}
	}
	form := regexp.MustCompile(`^(advisory [1-9][0-9]*|T[1-9][0-9]*)/.`)
	for _, name := range a.names {
		row, _, _ := strings.Cut(name, "/")
		if _, known := all[row]; !known || !form.MatchString(name) {
			a.t.Errorf("the subtest %q is of no row", name)
		}
	}
	slices.Sort(a.names)
	if len(slices.Compact(slices.Clone(a.names))) != len(a.names) {
		for i := 1; i < len(a.names); i++ {
			if a.names[i] == a.names[i-1] {
				a.t.Errorf("two subtests are called %q", a.names[i])
			}
		}
	}
}
