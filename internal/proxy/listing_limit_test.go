package proxy_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// newLimitedArena has a policy of its own over what is readable.
func newLimitedArena(t *testing.T, s *lister, grant string) *arena {
	t.Helper()
	a := newArenaOf(t, func(c *sidecar) {
		c.write("datamap.yaml", listingMap)
		c.write("policies/public.yaml", "name: public-data\ndata: [PUBLIC]\n"+grant)
		c.write("policies/customers.yaml", "name: secret\ndata: [SECRET]\nrules:\n  - identities: {groups: [nobody]}\n    reads: [{data: any}]\n")
	})
	a.answer = s.answer
	return a
}

// A page ends where the policy has no more rows, and the next one goes on: also
// among versions of one object, and where everything may be read.
func TestRowsEndThePagesOfListings(t *testing.T) {
	s := &lister{}
	a := newLimitedArena(t, s, "rules: [{reads: [{data: any, rows: 3}]}]\n")
	for _, operation := range listOperations {
		for _, bucket := range []string{"lake", "whole"} {
			*s = lister{}
			for _, key := range []string{"a.txt", "b-canary", "c.txt", "c1-canary", "d.txt"} {
				if bucket == "whole" {
					key = strings.ReplaceAll(key, "canary", "plain")
				}
				versions := []string{""}
				if !strings.HasPrefix(operation, "ListObjects") {
					versions = []string{key + "1", key + "2"}
				}
				for _, id := range versions {
					s.things = append(s.things, item{key: key, id: id})
				}
			}
			query, _ := listingQuery(operation)
			got := a.list(t, bucket, query)
			want, _, _ := s.want(query)
			if bucket == "whole" {
				want = nil
				for _, i := range s.things {
					want = append(want, i.key+" "+i.id)
				}
			}
			for i, page := range got.pages {
				n := len(page.Contents) + len(page.Version) + len(page.Upload)
				if n > 3 || n < 3 && i < len(got.pages)-1 || page.MaxKeys+page.MaxUploads != 1000 {
					t.Errorf("%s of %s: a page has %d entries", operation, bucket, n)
				}
			}
			if !slices.Equal(got.entries, want) || got.objects != len(want) {
				t.Errorf("%s of %s: %q in %d pages, want %q", operation, bucket, got.entries, len(got.pages), want)
			}
		}
	}
}

// A budget counts what is shown, once, and is told of when it is used up.
func TestBudgetsEndListings(t *testing.T) {
	s := &lister{things: slices.Concat(names("a-canary"), numbered(5, "b%d.txt"), names("c-canary"), numbered(5, "d%d.txt"))}
	a := newLimitedArena(t, s, "rules: [{reads: [{data: any, rateLimit: 7/1h}]}]\n")
	page, r := a.sheet(t, "lake", url.Values{"list-type": {"2"}})
	if len(page.Contents) != 7 || !page.IsTruncated {
		t.Fatalf("%d %s", r.answer.Code, r.answer.Body)
	}
	page, r = a.sheet(t, "lake", url.Values{"list-type": {"2"}, "continuation-token": {page.NextContinuationToken}})
	if page.Code != "SlowDown" || r.answer.Header().Get("Retry-After") == "" || !strings.Contains(r.answer.Body.String(), "7 objects in 1h of PUBLIC data") {
		t.Errorf("%d %v %s", r.answer.Code, r.answer.Header(), r.answer.Body)
	}
	if e := r.events[len(r.events)-1]; e.Kind != audit.KindOutcome || e.Decision != audit.Blocked {
		t.Errorf("the outcome is %+v", e)
	}
}

// In monitor mode what would be hidden is shown, and the outcome says so. What the
// circumstances of a request permit is listed under them alone.
func TestListingsGoByModeAndCircumstances(t *testing.T) {
	s := &lister{things: names("a.txt", "b.txt")}
	query := url.Values{"list-type": {"2"}}
	for name, row := range map[string]struct {
		grant   string
		entries int
		noted   bool
	}{
		"monitored":      {"mode: monitor\nrules: [{identities: {groups: [nobody]}, reads: [{data: any}]}]\n", 2, true},
		"from elsewhere": {"rules: [{hosts: [198.51.100.0/24], reads: [{data: any}]}]\n", -1, false},
		"from here":      {"rules: [{hosts: [192.0.2.0/24], reads: [{data: any}]}]\n", 2, false},
		"by its tags":    {"rules: [{when: {object_tags: {class: [public]}}, reads: [{data: any}]}]\n", -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newLimitedArena(t, s, row.grant)
			if row.entries < 0 {
				a.wantRefused(t, target("lake", query), "AccessDenied")
				return
			}
			page, r := a.sheet(t, "lake", query)
			outcome := r.events[len(r.events)-1]
			if len(page.Contents) != row.entries || (outcome.Decision == audit.WouldBlock) != row.noted {
				t.Errorf("%s, the outcome %+v", r.answer.Body, outcome)
			}
		})
	}
}
