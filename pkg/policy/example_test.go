package policy_test

import (
	"fmt"

	"github.com/gimme-broker/gimme/pkg/policy"
)

const exampleDataMap = `
SENSITIVE:
  - repo: S3
    attributes: [cyral-bucket-2, finance/reports/]
`

const examplePolicy = `
name: customer-data
data: [SENSITIVE]
rules:
  - identities:
      groups: [data-engineering]
    reads:
      - data: [SENSITIVE]
`

// Reading a data map and a policy, and asking one question.
func Example() {
	set, warnings, err := policy.Parse(
		policy.Source{Name: "datamap.yaml", Data: []byte(exampleDataMap)},
		[]policy.Source{{Name: "customer-data.yaml", Data: []byte(examplePolicy)}},
		policy.Options{Repo: "S3"},
	)
	if err != nil {
		fmt.Println(err) // every fault, one a line, with file, line and column
		return
	}
	for _, w := range warnings {
		fmt.Println("warning:", w)
	}

	alice := &policy.Principal{Users: []string{"alice@example.com"}, Groups: []string{"data-engineering"}}
	for _, access := range []policy.Access{policy.Reads, policy.Deletes} {
		d := set.Decide(alice, nil, policy.Question{Access: access, Path: "finance/reports/2026.csv", Scope: policy.Exact})
		fmt.Println(d.Allowed, d.Labels(), d.Reasons()[0].Text)
	}
	// Output:
	// true [SENSITIVE] policy customer-data lets you read SENSITIVE data
	// false [SENSITIVE] policy customer-data has no rule that lets you delete SENSITIVE data
}

// A copy reads one object and updates another: both are asked together, and
// one that is blocked blocks both.
func ExampleSet_Decide() {
	set, _, err := policy.Parse(
		policy.Source{Name: "datamap.yaml", Data: []byte(exampleDataMap)},
		[]policy.Source{{Name: "customer-data.yaml", Data: []byte(examplePolicy)}},
		policy.Options{Repo: "S3"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	alice := &policy.Principal{Groups: []string{"data-engineering"}}
	d := set.Decide(alice, nil,
		policy.Question{Access: policy.Reads, Path: "finance/reports/2026.csv", Scope: policy.Exact},
		policy.Question{Access: policy.Updates, Path: "cyral-bucket-20/2026.csv", Scope: policy.Exact},
	)
	for _, r := range d.Reasons() {
		fmt.Println(r.Text)
	}
	// Output:
	// cyral-bucket-20/2026.csv carries no label, and unlabelled data is blocked
}

// A listing shows what begins with a prefix; it is allowed when everything
// that could stand in it is.
func ExampleScope() {
	set, _, err := policy.Parse(
		policy.Source{Name: "datamap.yaml", Data: []byte(exampleDataMap)},
		[]policy.Source{{Name: "customer-data.yaml", Data: []byte(examplePolicy)}},
		policy.Options{Repo: "S3"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	alice := &policy.Principal{Groups: []string{"data-engineering"}}
	for _, q := range []policy.Question{
		{Access: policy.Reads, Path: "finance/reports/2026/", Scope: policy.Under},
		{Access: policy.Reads, Path: "finance/", Scope: policy.Under},
		{Access: policy.Reads, Path: "finance", Scope: policy.Some},
	} {
		fmt.Println(q.Scope, q.Path, set.Decide(alice, nil, q).Allowed)
	}
	// Output:
	// under finance/reports/2026/ true
	// under finance/ false
	// some finance true
}

// All faults are reported at once, with their places.
func ExampleParse() {
	_, _, err := policy.Parse(
		policy.Source{Name: "datamap.yaml", Data: []byte(exampleDataMap)},
		[]policy.Source{{Name: "p.yaml", Data: []byte("name: p\ndata: [SENSITVE]\nrules: []\n")}},
		policy.Options{Repo: "S3"},
	)
	fmt.Println(err)
	// Output:
	// p.yaml:2:8: unknown label "SENSITVE", did you mean "SENSITIVE"?
	// p.yaml:3:8: the list of rules is empty
}
