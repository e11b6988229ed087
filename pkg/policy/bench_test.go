package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// BenchmarkDecide has 10,000 prefixes in 100 containers, a fifth of them
// nested, three labels, two policies of 50 rules each, and a principal with
// eight groups.
func BenchmarkDecide(b *testing.B) {
	s, p := large(b)
	for _, c := range []struct {
		name    string
		allowed bool
		q       policy.Question
	}{
		{"one label", true, policy.Question{Access: policy.Reads, Path: "bucket-42/team-17/2026/03/part-0001.parquet", Scope: policy.Exact}},
		{"two labels", true, policy.Question{Access: policy.Reads, Path: "bucket-42/team-20/in/2026/03/part-0001.parquet", Scope: policy.Exact}},
		{"blocked", false, policy.Question{Access: policy.Deletes, Path: "bucket-42/team-20/in/2026/03/part-0001.parquet", Scope: policy.Exact}},
		{"no label", false, policy.Question{Access: policy.Reads, Path: "bucket-42/elsewhere", Scope: policy.Exact}},
		{"listing", true, policy.Question{Access: policy.Reads, Path: "bucket-42/team-20/", Scope: policy.Under}},
		{"listing of a bucket", false, policy.Question{Access: policy.Reads, Path: "bucket-42/", Scope: policy.Under}},
		{"head of a bucket", true, policy.Question{Access: policy.Reads, Path: "bucket-42", Scope: policy.Some}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := s.Decide(p, nil, c.q); d.Allowed != c.allowed {
					b.Fatalf("%+v", d)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		large(b)
	}
}

func large(t testing.TB) (*policy.Set, *policy.Principal) {
	t.Helper()
	labels := []string{"FINANCE", "HEALTH", "PUBLIC"}
	var maps [3]strings.Builder
	for bucket := range 100 {
		for team := range 80 {
			fmt.Fprintf(&maps[team%3], "      - bucket-%d/team-%d/\n", bucket, team)
			if team%4 == 0 {
				fmt.Fprintf(&maps[(team+1)%3], "      - bucket-%d/team-%d/in/\n", bucket, team)
			}
		}
	}
	var dataMap strings.Builder
	for i, l := range labels {
		fmt.Fprintf(&dataMap, "%s:\n  - repo: S3\n    attributes:\n%s", l, maps[i].String())
	}
	var sources []policy.Source
	for p := range 2 {
		var text strings.Builder
		fmt.Fprintf(&text, "name: p%d\ndata: [FINANCE, HEALTH, PUBLIC]\nrules:\n", p)
		for r := range 50 {
			fmt.Fprintf(&text, "  - identities: {groups: [group-%d, group-%d, group-%d]}\n    reads: [{data: any}]\n    updates: [{data: [%s]}]\n", r, r+50, r+100, labels[r%3])
		}
		sources = append(sources, policy.Source{Name: "p.yaml", Data: []byte(text.String())})
	}
	s, _, err := policy.Parse(policy.Source{Name: "datamap.yaml", Data: []byte(dataMap.String())}, sources, policy.Options{Repo: "S3"})
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Principal{Users: []string{"248289761001", "alice@example.com"}}
	for g := range 7 {
		p.Groups = append(p.Groups, fmt.Sprintf("elsewhere-%d", g))
	}
	p.Groups = append(p.Groups, "group-149")
	return s, p
}
