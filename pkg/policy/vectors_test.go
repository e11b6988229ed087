package policy_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/policy/policytest"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// The vectors of testdata/vectors need nothing of this package: any
// implementation of docs/policy.md can run them. README.md there says how.

type vectorSet struct {
	Name       string         `yaml:"name"`
	DataMap    string         `yaml:"data_map"`
	Policies   []string       `yaml:"policies"`
	Unlabelled string         `yaml:"unlabelled"`
	Mode       string         `yaml:"mode"`
	Now        string         `yaml:"now"`
	Digest     string         `yaml:"digest"`
	Warnings   []string       `yaml:"warnings"`
	Faults     []string       `yaml:"faults"`
	Questions  []vectorAsking `yaml:"questions"`
}

type vectorAsking struct {
	Users    []string       `yaml:"users"`
	Groups   []string       `yaml:"groups"`
	Service  string         `yaml:"service"`
	Facts    vectorFacts    `yaml:"facts"`
	Ask      []vectorAsk    `yaml:"ask"`
	Decision string         `yaml:"decision"`
	Labels   []string       `yaml:"labels"`
	Reasons  []vectorReason `yaml:"reasons"`
	Limits   []vectorLimit  `yaml:"limits"`
}

type vectorFacts struct {
	Now        string                       `yaml:"now"`
	SourceIP   string                       `yaml:"source_ip"`
	TLS        string                       `yaml:"tls"`
	AuthTime   string                       `yaml:"auth_time"`
	AMR        []string                     `yaml:"amr"`
	AuthMethod string                       `yaml:"auth_method"`
	Signed     string                       `yaml:"signed"`
	Upload     *vectorUpload                `yaml:"upload"`
	ObjectTags map[string]map[string]string `yaml:"object_tags"`
}

type vectorUpload struct {
	Encryption string            `yaml:"encryption"`
	KMSKey     string            `yaml:"kms_key"`
	Tags       map[string]string `yaml:"tags"`
	TagsAlone  bool              `yaml:"tags_alone"`
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
	Need     string          `yaml:"need"`
}

type vectorLimit struct {
	Policy    string         `yaml:"policy"`
	Label     string         `yaml:"label"`
	Access    policy.Access  `yaml:"access"`
	Monitored bool           `yaml:"monitored"`
	Rows      int            `yaml:"rows"`
	Budgets   []vectorBudget `yaml:"budgets"`
}

type vectorBudget struct {
	Rule    string     `yaml:"rule"`
	Objects vectorRate `yaml:"objects"`
	Bytes   vectorRate `yaml:"bytes"`
}

type vectorRate struct {
	Amount  int64 `yaml:"amount"`
	Seconds int   `yaml:"seconds"`
}

func (v vectorRate) rate() policy.Rate {
	return policy.Rate{Amount: v.Amount, Per: time.Duration(v.Seconds) * time.Second}
}

func (v vectorSet) parse(t testing.TB) (*policy.Set, []strictyaml.Fault, error) {
	var sources []policy.Source
	for i, p := range v.Policies {
		sources = append(sources, policy.Source{Name: string(rune('a'+i)) + ".yaml", Data: []byte(p)})
	}
	o := policy.Options{Repo: "S3", Monitor: v.Mode == "monitor", Zone: time.LoadLocation, Now: moment(t, v.Now)}
	if v.Unlabelled == "allow" {
		o.Unlabelled = policy.Allow
	}
	return policy.Parse(policy.Source{Name: "datamap.yaml", Data: []byte(v.DataMap)}, sources, o)
}

// moment reads what RFC 3339 says; "" is the zero time.
func moment(t testing.TB, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	m, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (v vectorFacts) facts(t testing.TB) *policy.Facts {
	t.Helper()
	f := &policy.Facts{
		Now: moment(t, v.Now), AuthTime: moment(t, v.AuthTime), Signed: moment(t, v.Signed),
		TLS:        map[string]uint16{"": 0, "1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304}[v.TLS],
		AMR:        v.AMR,
		AuthMethod: v.AuthMethod,
		ObjectTags: v.ObjectTags,
	}
	if v.SourceIP != "" {
		f.SourceIP = netip.MustParseAddr(v.SourceIP)
	}
	if u := v.Upload; u != nil {
		f.Upload = &policy.Upload{Encryption: u.Encryption, KMSKey: u.KMSKey, Tags: u.Tags, TagsAlone: u.TagsAlone}
	}
	return f
}

// want is the answer that v expects, with the words.
func (v vectorAsking) want() policytest.Decision {
	want := policytest.Decision{Allowed: v.Decision != "blocked", WouldBlock: v.Decision == "would-block", Labels: v.Labels}
	for _, r := range v.Reasons {
		want.Reasons = append(want.Reasons, policy.Reason{Allowed: v.Decision == "allowed", Policy: r.Policy, Rule: r.Rule, Label: r.Label,
			Access: r.Access, Path: r.Path, Severity: r.Severity, Text: r.Text, Need: r.Need})
	}
	for _, l := range v.Limits {
		limit := policy.Limit{Policy: l.Policy, Label: l.Label, Access: l.Access, Monitored: l.Monitored, Rows: l.Rows}
		for _, b := range l.Budgets {
			limit.Budgets = append(limit.Budgets, policy.Budget{Rule: b.Rule, Objects: b.Objects.rate(), Bytes: b.Bytes.rate()})
		}
		want.Limits = append(want.Limits, limit)
	}
	return want
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
			s, warnings, err := v.parse(t)
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
	d := s.Decide(&policy.Principal{Users: v.Users, Groups: v.Groups, Service: v.Service}, v.Facts.facts(t), qs...)
	got := policytest.Decision{Allowed: d.Allowed, WouldBlock: d.WouldBlock, Labels: d.Labels(), Reasons: d.Reasons(), Limits: d.Limits()}
	want := v.want()
	for i := range got.Reasons { // what would help is only said where it is shown
		if i < len(want.Reasons) && want.Reasons[i].Need == "" {
			got.Reasons[i].Need = ""
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%+v %+v with %+v (-want +got)\n%s", v.Groups, v.Ask, v.Facts, diff)
	}
	if v.Decision != "allowed" && v.Decision != "blocked" && v.Decision != "would-block" {
		t.Errorf("decision is %q", v.Decision)
	}
}
