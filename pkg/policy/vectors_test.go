package policy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// The vectors of testdata/vectors need nothing of this package: any
// implementation of docs/policy.md can run them. README.md there says how.

type vectorSet struct {
	Name       string         `yaml:"name"`
	DataMap    string         `yaml:"data_map"`
	Policies   []string       `yaml:"policies"`
	Unlabelled string         `yaml:"unlabelled"`
	Digest     string         `yaml:"digest"`
	Warnings   []string       `yaml:"warnings"`
	Faults     []string       `yaml:"faults"`
	Questions  []vectorAsking `yaml:"questions"`
}

type vectorAsking struct {
	Users    []string       `yaml:"users"`
	Groups   []string       `yaml:"groups"`
	Service  string         `yaml:"service"`
	Ask      []vectorAsk    `yaml:"ask"`
	Decision string         `yaml:"decision"`
	Labels   []string       `yaml:"labels"`
	Reasons  []vectorReason `yaml:"reasons"`
}

type vectorAsk struct {
	Access policy.Access `yaml:"access"`
	Scope  policy.Scope  `yaml:"scope"`
	Path   string        `yaml:"path"`
}

type vectorReason struct {
	Policy   string          `yaml:"policy"`
	Rule     string          `yaml:"rule"`
	Label    string          `yaml:"label"`
	Access   policy.Access   `yaml:"access"`
	Path     string          `yaml:"path"`
	Severity policy.Severity `yaml:"severity"`
	Text     string          `yaml:"text"`
}

func (v vectorSet) parse() (*policy.Set, []strictyaml.Fault, error) {
	var sources []policy.Source
	for i, p := range v.Policies {
		sources = append(sources, policy.Source{Name: string(rune('a'+i)) + ".yaml", Data: []byte(p)})
	}
	o := policy.Options{Repo: "S3"}
	if v.Unlabelled == "allow" {
		o.Unlabelled = policy.Allow
	}
	return policy.Parse(policy.Source{Name: "datamap.yaml", Data: []byte(v.DataMap)}, sources, o)
}

func readVectors(t testing.TB) []vectorSet {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	var all []vectorSet
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Sets []vectorSet `yaml:"sets"`
		}
		if err := strictyaml.Decode(file, data, &f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Sets...)
	}
	return all
}

func faultLines(faults []strictyaml.Fault) []string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return lines
}

func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			s, warnings, err := v.parse()
			if len(v.Faults) > 0 {
				faults, _ := err.(strictyaml.Faults)
				if diff := cmp.Diff(v.Faults, faultLines(faults)); diff != "" {
					t.Errorf("faults (-want +got)\n%s", diff)
				}
				if s != nil || warnings != nil {
					t.Error("there is a set, or a warning, in spite of the faults")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Warnings, faultLines(warnings)); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
			if v.Digest != "" && v.Digest != s.Digest() {
				t.Errorf("digest %s, want %s", s.Digest(), v.Digest)
			}
			if len(v.Questions) == 0 && len(v.Warnings) == 0 {
				t.Error("the vector shows nothing")
			}
			for _, q := range v.Questions {
				checkVector(t, s, q)
			}
		})
	}
}

func checkVector(t *testing.T, s *policy.Set, v vectorAsking) {
	t.Helper()
	var qs []policy.Question
	for _, a := range v.Ask {
		qs = append(qs, policy.Question{Access: a.Access, Path: a.Path, Scope: a.Scope})
	}
	want := policy.Decision{Allowed: v.Decision == "allowed", Labels: v.Labels}
	for _, r := range v.Reasons {
		want.Reasons = append(want.Reasons, policy.Reason{Allowed: want.Allowed, Policy: r.Policy, Rule: r.Rule, Label: r.Label,
			Access: r.Access, Path: r.Path, Severity: r.Severity, Text: r.Text})
	}
	got := s.Decide(&policy.Principal{Users: v.Users, nil, Groups: v.Groups, Service: v.Service}, qs...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%+v (-want +got)\n%s", v.Ask, diff)
	}
	if v.Decision != "allowed" && v.Decision != "blocked" {
		t.Errorf("decision is %q", v.Decision)
	}
}
