package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// A size is that of a set to be measured: two policies over three labels, a fifth
// of the prefixes nested in others of another label, a tenth of the rules with a
// network and a tenth with the age of a login.
type size struct {
	name    string
	rules   int // of both policies
	buckets int // of 100 prefixes each
}

var (
	small = size{"small", 100, 100}
	huge  = size{"large", 10_000, 1_000}
)

var benchLabels = []string{"FINANCE", "HEALTH", "PUBLIC"}

func (z size) sources() (dataMap policy.Source, policies []policy.Source) {
	var maps [3]strings.Builder
	for bucket := range z.buckets {
		for team := range 80 {
			fmt.Fprintf(&maps[team%3], "      - bucket-%d/team-%d/\n", bucket, team)
			if team%4 == 0 {
				fmt.Fprintf(&maps[(team+1)%3], "      - bucket-%d/team-%d/in/\n", bucket, team)
			}
		}
	}
	var text strings.Builder
	for i, l := range benchLabels {
		fmt.Fprintf(&text, "%s:\n  - repo: S3\n    attributes:\n%s", l, maps[i].String())
	}
	half := z.rules / 2
	for p := range 2 {
		var text strings.Builder
		fmt.Fprintf(&text, "name: p%d\ndata: [FINANCE, HEALTH, PUBLIC]\nrules:\n", p)
		for r := range half {
			fmt.Fprintf(&text, "  - identities: {groups: [group-%d, group-%d, group-%d]}\n", r, r+half, r+2*half)
			switch r % 10 {
			case 9:
				text.WriteString("    hosts: [10.0.0.0/8]\n")
			case 8:
				text.WriteString("    when: {mfa: {max_age: 1h}}\n")
			}
			fmt.Fprintf(&text, "    reads: [{data: any}]\n    updates: [{data: [%s]}]\n", benchLabels[r%3])
		}
		policies = append(policies, policy.Source{Name: fmt.Sprintf("p%d.yaml", p), Data: []byte(text.String())})
	}
	return policy.Source{Name: "datamap.yaml", Data: []byte(text.String())}, policies
}

func (z size) set(t testing.TB) *policy.Set {
	t.Helper()
	dataMap, policies := z.sources()
	s, _, err := policy.Parse(dataMap, policies, policy.Options{Repo: "S3"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// principal is in eight groups, of which one is named in the last rule, which
// has a condition.
func (z size) principal() *policy.Principal {
	p := &policy.Principal{Users: []string{"248289761001", "alice@example.com"}}
	for g := range 7 {
		p.Groups = append(p.Groups, fmt.Sprintf("elsewhere-%d", g))
	}
	p.Groups = append(p.Groups, fmt.Sprintf("group-%d", z.rules/2*3-1))
	return p
}

var benchFacts = &policy.Facts{
	Now:      time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
	SourceIP: netip.MustParseAddr("10.1.2.3"),
	TLS:      0x0304,
	AuthTime: time.Date(2026, 3, 2, 11, 30, 0, 0, time.UTC),
	AMR:      []string{"pwd", "hwk"},
}

// question draws one of a kind, with another key each time.
func (z size) question(r *rand.Rand, kind string) policy.Question {
	bucket, team := fmt.Sprintf("bucket-%d", r.IntN(z.buckets)), r.IntN(80)
	key := fmt.Sprintf("2026/%02d/part-%04d.parquet", 1+r.IntN(12), r.IntN(10_000))
	q := policy.Question{Access: policy.Reads, Scope: policy.Exact}
	switch kind {
	case "two labels", "blocked":
		q.Path = fmt.Sprintf("%s/team-%d/in/%s", bucket, team/4*4, key)
	case "one label":
		q.Path = fmt.Sprintf("%s/team-%d/%s", bucket, team, key)
	case "no label":
		q.Path = bucket + "/elsewhere/" + key
	case "under":
		q.Path, q.Scope = fmt.Sprintf("%s/team-%d/", bucket, team), policy.Under
	case "mapped":
		q.Path, q.Scope = fmt.Sprintf("%s/team-%d/", bucket, team), policy.Mapped
	case "some":
		q.Path, q.Scope = bucket, policy.Some
	case "some behind a prefix":
		q.Path, q.Scope = fmt.Sprintf("%s/team-%d/", bucket, team), policy.Some
	}
	if kind == "blocked" {
		q.Access = policy.Deletes
	}
	return q
}

// questions are many of a kind, so that no key is at hand because it was asked
// for just before.
func (z size) questions(kind string) []policy.Question {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]policy.Question, 1<<14)
	for i := range all {
		all[i] = z.question(r, kind)
	}
	return all
}

var benchKinds = []struct {
	name    string
	allowed bool
}{
	{"one label", true}, {"two labels", true}, {"under", true}, {"some", true}, {"some behind a prefix", true}, {"mapped", true},
	{"blocked", false}, {"no label", false},
}

func BenchmarkDecide(b *testing.B) {
	for _, z := range []size{small, huge} {
		b.Run(z.name, func(b *testing.B) {
			s, p := z.set(b), z.principal()
			for _, kind := range benchKinds {
				qs := z.questions(kind.name)
				b.Run(kind.name, func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						i = (i + 1) % len(qs)
						if d := s.Decide(p, benchFacts, qs[i]); d.Allowed != kind.allowed {
							b.Fatalf("%+v: %+v", qs[i], d.Reasons())
						}
					}
				})
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, z := range []size{small, {"100,000 prefixes", 100, 1_000}, huge} {
		b.Run(z.name, func(b *testing.B) {
			dataMap, policies := z.sources()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := policy.Parse(dataMap, policies, policy.Options{Repo: "S3"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
