package policy_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/policy/policytest"
)

// The types below read the vectors' files into a World, without this package's
// reader and without its strictness.

type worldLabel []struct {
	Repo       string
	Tags       []string
	Attributes []string
	Compat     string
}

type worldPolicy struct {
	Name       string
	Data, Tags []string
	Mode       string
	From       string `yaml:"valid_from"`
	Until      string `yaml:"valid_until"`
	Rules      []worldRule
}

type worldRule struct {
	Identities                       struct{ Users, Groups, Services []string }
	Hosts                            []string
	When                             worldWhen
	From                             string `yaml:"valid_from"`
	Until                            string `yaml:"valid_until"`
	Reads, Updates, Deletes, Manages []worldGrant
}

type worldGrant struct {
	Data      worldWords
	When      worldWhen
	Rows      string
	RateLimit string `yaml:"rateLimit"`
	Bytes     string
	Severity  policy.Severity
}

type worldWhen struct {
	SourceIP []string `yaml:"source_ip"`
	MFA      *struct {
		MaxAge string `yaml:"max_age"`
		AMR    []string
	}
	TLS         string
	Time        *policytest.Time
	AuthMethod  []string `yaml:"auth_method"`
	Presigned   worldWords
	ObjectTags  map[string]worldWords `yaml:"object_tags"`
	Encryption  []string
	KMSKeys     []string              `yaml:"kms_keys"`
	RequestTags map[string]worldWords `yaml:"request_tags"`
}

// worldWords are a text, a list of texts, or the values of a mapping.
type worldWords []string

func (w *worldWords) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		*w = worldWords{n.Value}
	case yaml.SequenceNode:
		return n.Decode((*[]string)(w))
	case yaml.MappingNode:
		return n.Content[1].Decode((*worldWords)(w))
	}
	return nil
}

func (w worldWhen) when() policytest.When {
	c := policytest.When{SourceIP: w.SourceIP, TLS: w.TLS, Time: w.Time, AuthMethod: w.AuthMethod, Presigned: strings.Join(w.Presigned, ""),
		Encryption: w.Encryption, KMSKeys: w.KMSKeys, ObjectTags: worldTags(w.ObjectTags), RequestTags: worldTags(w.RequestTags)}
	if w.MFA != nil {
		c.MFA = &policytest.MFA{MaxAge: w.MFA.MaxAge, AMR: w.MFA.AMR}
	}
	return c
}

func worldTags(tags map[string]worldWords) []policytest.Tag {
	var all []policytest.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, policytest.Tag{Key: key, Values: tags[key]})
	}
	return all
}

func (p worldPolicy) policy() policytest.Policy {
	made := policytest.Policy{Name: p.Name, Data: p.Data, Tags: p.Tags, Monitor: p.Mode == "monitor", Validity: policytest.Validity{From: p.From, Until: p.Until}}
	for _, r := range p.Rules {
		rule := policytest.Rule{Users: r.Identities.Users, Groups: r.Identities.Groups, Services: r.Identities.Services, Hosts: r.Hosts,
			When: r.When.when(), Validity: policytest.Validity{From: r.From, Until: r.Until}}
		for i, grants := range [][]worldGrant{r.Reads, r.Updates, r.Deletes, r.Manages} {
			for _, g := range grants {
				grant := policytest.Grant{Access: everyAccess[i], When: g.When.when(), Rows: g.Rows, RateLimit: g.RateLimit, Bytes: g.Bytes, Severity: g.Severity}
				if grant.Any = slices.Equal(g.Data, worldWords{"any"}); !grant.Any {
					grant.Data = g.Data
				}
				rule.Grants = append(rule.Grants, grant)
			}
		}
		made.Rules = append(made.Rules, rule)
	}
	return made
}

// world reads the vector's files. It is none where they are in Cyral's form, of
// which a World knows nothing.
func (v vectorSet) world(t *testing.T) (w policytest.World, ok bool) {
	t.Helper()
	w.Monitor = v.Mode == "monitor"
	if v.Unlabelled == "allow" {
		w.Unlabelled = policy.Allow
	}
	if strings.Contains(v.Name, "Cyral") {
		return w, false
	}
	var labels yaml.Node
	if err := yaml.Unmarshal([]byte(v.DataMap), &labels); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(labels.Content[0].Content); i += 2 {
		var entries worldLabel
		if err := labels.Content[0].Content[i+1].Decode(&entries); err != nil {
			t.Fatal(err)
		}
		label := policytest.Label{Name: labels.Content[0].Content[i].Value}
		for _, e := range entries {
			label.Tags = append(label.Tags, e.Tags...)
			if e.Repo == "S3" {
				label.Locations = append(label.Locations, e.Attributes...)
			}
		}
		w.Labels = append(w.Labels, label)
	}
	for _, text := range v.Policies {
		var p worldPolicy
		if err := yaml.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		w.Policies = append(w.Policies, p.policy())
	}
	return w, true
}

// The vectors are written by hand, and the reference is held to them as well: so
// it cannot share a mistake with what it is the reference of.
func TestVectorsHoldForTheReference(t *testing.T) {
	asked := 0
	for _, v := range readVectors(t) {
		if len(v.Questions) == 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			w, ok := v.world(t)
			if !ok {
				return
			}
			for _, q := range v.Questions {
				asked++
				var qs []policy.Question
				for _, a := range q.Ask {
					qs = append(qs, policy.Question{Access: a.Access, Path: a.Path, Scope: a.Scope})
				}
				want := q.want()
				for i := range want.Reasons {
					want.Reasons[i].Text, want.Reasons[i].Need = "", ""
				}
				got := w.Decide(&policy.Principal{Users: q.Users, Groups: q.Groups, Service: q.Service}, q.Facts.facts(t), qs...)
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%+v (-want +got)\n%s", q.Ask, diff)
				}
			}
		})
	}
	if asked < 250 {
		t.Errorf("only %d questions were asked", asked)
	}
}
