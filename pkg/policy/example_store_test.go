package policy_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// A wiki is another store with containers (spaces) and names in them (pages).
// It has its own repo in the data map, asks before it serves, and enforces the
// limits that come with the answer.
func Example_anotherStore() {
	dataMap := `
PERSONAL:
  - repo: wiki
    attributes: [people/, projects/*/salaries]
  - repo: S3                       # passed over: it is another store's
    attributes: [finance/payroll.csv]
`
	personal := `
name: personal-data
data: [PERSONAL]
rules:
  - identities: {groups: [hr]}
    hosts: [10.0.0.0/8]
    reads:
      - {data: [PERSONAL], rows: 20, rateLimit: 200/1h}
    updates:
      - {data: [PERSONAL], when: {mfa: {max_age: 1h}}}
`
	set, _, err := policy.Parse(
		policy.Source{Name: "datamap.yaml", Data: []byte(dataMap)},
		[]policy.Source{{Name: "personal-data.yaml", Data: []byte(personal)}},
		policy.Options{Repo: "wiki", Unlabelled: policy.Allow, Zone: time.LoadLocation},
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	hana := &policy.Principal{Users: []string{"hana@example.com"}, Groups: []string{"hr"}}
	facts := &policy.Facts{Now: time.Now(), SourceIP: netip.MustParseAddr("10.1.2.3"), AMR: []string{"pwd"}}
	serve := func(access policy.Access, page string) {
		d := set.Decide(hana, facts, policy.Question{Access: access, Path: page, Scope: policy.Exact})
		if !d.Allowed {
			for _, r := range d.Reasons() {
				fmt.Println("no:", r.Text)
			}
			return
		}
		fmt.Println("yes:", d.Reasons()[0].Text)
		for _, l := range d.Limits() {
			fmt.Println("  at most", l.Rows, "pages at once, and", l.Budgets[0].Objects.Amount, "in", l.Budgets[0].Objects.Per)
		}
	}
	serve(policy.Reads, "projects/apollo/salaries")
	serve(policy.Updates, "people/hana")
	serve(policy.Updates, "projects/apollo/plan")
	// Output:
	// yes: policy personal-data lets you read PERSONAL data
	//   at most 20 pages at once, and 200 in 1h0m0s
	// no: rule 1 of policy personal-data lets you update PERSONAL data only after a login with mfa, hwk, fido, phr or phrh within the last 1h, but you logged in with pwd
	// yes: projects/apollo/plan carries no label, and unlabelled data is allowed
}
