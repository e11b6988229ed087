package rulebook

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

type text = strictyaml.Value[string]

// A testFile is a file with tests, as it is written.
type testFile struct {
	People map[string]strictyaml.Value[whom]           `yaml:"people"`
	Tests  strictyaml.Value[[]strictyaml.Value[entry]] `yaml:"tests"`
}

// An entry is one test, as it is written.
type entry struct {
	Name text                                    `yaml:"name"`
	As   strictyaml.List[strictyaml.Value[whom]] `yaml:"as"`
	From text                                    `yaml:"from"`
	At   text                                    `yaml:"at"`
	TLS  text                                    `yaml:"tls"`
	MFA  strictyaml.Value[struct {
		Age text     `yaml:"age"`
		AMR []string `yaml:"amr"`
	}] `yaml:"mfa"`
	AuthMethod text `yaml:"auth_method"`
	Presigned  strictyaml.Value[struct {
		Age text `yaml:"age"`
	}] `yaml:"presigned"`
	ObjectTags map[string]string           `yaml:"object_tags"`
	Do         strictyaml.List[text]       `yaml:"do"`
	On         strictyaml.List[text]       `yaml:"on"`
	Source     text                        `yaml:"source"`
	Header     map[string]string           `yaml:"header"`
	Body       string                      `yaml:"body"`
	Expect     text                        `yaml:"expect"`
	Because    []strictyaml.Value[because] `yaml:"because"`
}

// A whom is a person, or the name of one of people.
type whom struct {
	Users   []string `yaml:"users"`
	Groups  []string `yaml:"groups"`
	Service string   `yaml:"service"`
	name    string
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (w *whom) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		w.name = n.Value
		return nil
	}
	type plain whom
	return n.Load((*plain)(w), yaml.WithKnownFields(), yaml.WithUniqueKeys(false))
}

type because struct {
	Policy string `yaml:"policy"`
	Rule   rule   `yaml:"rule"`
	Label  string `yaml:"label"`
	Access string `yaml:"access"`
	Text   string `yaml:"text"`
}

// A rule is "rule 2", or its number alone.
type rule string

// UnmarshalYAML implements yaml.Unmarshaler.
func (r *rule) UnmarshalYAML(n *yaml.Node) error {
	var number int
	if n.Load(&number) == nil {
		*r = rule(fmt.Sprintf("rule %d", number))
		return nil
	}
	return n.Load((*string)(r))
}

// A testReader reads one file with tests.
type testReader struct {
	file   string
	people map[string]strictyaml.Value[whom]
	strict bool // of listings
	found  strictyaml.Faults
}

// readTests reads a file with tests. strictListings says that listings are not
// filtered.
func readTests(src policy.Source, strictListings bool) ([]Test, strictyaml.Faults) {
	var f testFile
	if err := strictyaml.Decode(src.Name, src.Data, &f); err != nil {
		return nil, asFaults(err)
	}
	r := &testReader{file: src.Name, people: f.People, strict: strictListings}
	for _, p := range f.People {
		if p.V.name != "" {
			r.fault(text{Line: p.Line, Column: p.Column}, "users, groups or a service are wanted here, not %q", p.V.name)
		}
	}
	if len(f.Tests.V) == 0 {
		r.fault(text{Line: max(f.Tests.Line, 1), Column: max(f.Tests.Column, 1)}, "the list of tests is empty")
	}
	var all []Test
	names := map[string]int{}
	for _, e := range f.Tests.V {
		t := r.test(e)
		if line := names[t.Name]; line != 0 && t.Name != "" {
			r.fault(e.V.Name, "test %q stands twice; the first is on line %d", t.Name, line)
		}
		names[t.Name] = t.Line
		all = append(all, t)
	}
	return all, r.found
}

func (r *testReader) fault(v text, format string, args ...any) {
	r.found = append(r.found, v.Fault(r.file, format, args...))
}

// test reads one test, with all that is wrong in it.
func (r *testReader) test(e strictyaml.Value[entry]) Test {
	t := Test{Place: Place{r.file, e.Line, e.Column}, Name: e.V.Name.V, Expect: Answer(e.V.Expect.V)}
	whole := text{Line: e.Line, Column: e.Column}
	missing := func(key, meaning string) { r.fault(whole, "key %q is missing from the test: %s", key, meaning) }
	if strings.TrimSpace(t.Name) == "" {
		missing("name", "what it tests, in words")
	}
	switch t.Expect {
	case Allowed, Blocked, WouldBlock:
	case "":
		missing("expect", "allowed, blocked or would-block")
	default:
		r.fault(e.V.Expect, "expect is %q; write allowed, blocked or would-block", t.Expect)
	}
	if len(e.V.As) == 0 {
		missing("as", "who asks, such as {users: [alice@example.com], groups: [data-engineering]}; {} is somebody of whom nothing is known")
	}
	for _, w := range e.V.As {
		t.As = append(t.As, r.person(w))
	}
	t.Facts = r.circumstances(&e.V)
	t.Requests = r.requests(&e.V, missing)
	for _, b := range e.V.Because {
		g := Ground{b.V.Policy, string(b.V.Rule), b.V.Label, b.V.Access, b.V.Text}
		at := text{Line: b.Line, Column: b.Column}
		if g == (Ground{}) {
			r.fault(at, "this ground says nothing; name a policy, rule, label, access or text")
		}
		if g.Access != "" && !slices.Contains(ruling.Accesses(), g.Access) {
			r.fault(at, "access is %q; write %s", g.Access, strings.Join(ruling.Accesses(), ", "))
		}
		t.Because = append(t.Because, g)
	}
	return t
}

func (r *testReader) person(w strictyaml.Value[whom]) Person {
	at := text{Line: w.Line, Column: w.Column}
	if name := w.V.name; name != "" {
		known, ok := r.people[name]
		if !ok {
			var names []string
			for n := range r.people {
				names = append(names, n)
			}
			slices.Sort(names)
			r.fault(at, "%q is not one of people in this file%s", name, strictyaml.Meant(name, names))
		}
		w = known
	}
	p := Person{Users: w.V.Users, Groups: w.V.Groups, Service: w.V.Service}
	if p.Service != "" && len(p.Users)+len(p.Groups) > 0 {
		r.fault(at, "a service has neither users nor groups")
	}
	return p
}

// circumstances reads what is known beside who asks for what.
func (r *testReader) circumstances(e *entry) Circumstances {
	c := Circumstances{AMR: e.MFA.V.AMR, AuthMethod: e.AuthMethod.V, ObjectTags: e.ObjectTags, IsSigned: e.Presigned.Line != 0}
	var err error
	if v := e.From; v.Line != 0 {
		if c.From, err = netip.ParseAddr(v.V); err != nil {
			r.fault(v, "from is %q; one address is wanted, such as 10.0.0.7", v.V)
		}
	}
	if v := e.At; v.Line != 0 {
		if c.At, err = time.Parse(time.RFC3339, v.V); err != nil {
			r.fault(v, "at is %q; a moment is wanted, such as 2026-03-02T09:00:00Z", v.V)
		}
	}
	if v := e.TLS; v.Line != 0 {
		if c.TLS = tlsVersions[v.V]; c.TLS == 0 {
			r.fault(v, `tls is %q; write "1.2" or "1.3"`, v.V)
		}
	}
	if v := e.AuthMethod; v.Line != 0 && !slices.Contains(authMethods, v.V) {
		r.fault(v, "auth_method is %q; write %s", v.V, strings.Join(authMethods, ", "))
	}
	if e.MFA.Line != 0 && e.MFA.V.Age.Line == 0 && len(c.AMR) == 0 {
		r.fault(text{Line: e.MFA.Line, Column: e.MFA.Column}, "mfa says nothing; give it an age, such as 10m, an amr, such as [hwk], or both")
	}
	if v := e.MFA.V.Age; v.Line != 0 {
		c.Login, c.LoggedIn = r.age(v), true
	}
	if v := e.Presigned.V.Age; e.Presigned.Line != 0 {
		if v.Line == 0 {
			v = text{Line: e.Presigned.Line, Column: e.Presigned.Column}
		}
		c.Presigned = r.age(v)
	}
	return c
}

func (r *testReader) age(v text) time.Duration {
	d, err := time.ParseDuration(v.V)
	if days, ok := strings.CutSuffix(v.V, "d"); ok {
		n, bad := strconv.ParseUint(days, 10, 16)
		d, err = time.Duration(n)*24*time.Hour, bad
	}
	if err != nil || d < 0 {
		r.fault(v, "an age is wanted, such as 10m, not %q", v.V)
	}
	return d
}

// requests are each of do on each of on.
func (r *testReader) requests(e *entry, missing func(key, meaning string)) []*ruling.Matter {
	if len(e.Do) == 0 {
		missing("do", "an operation of S3, such as GetObject, or one of "+strings.Join(ruling.Accesses(), ", "))
	}
	if len(e.On) == 0 {
		missing("on", "a bucket, or a bucket and a key, such as s3://finance/reports/q1.csv")
	}
	header := http.Header{}
	for name, value := range e.Header {
		header.Set(name, value)
	}
	var all []*ruling.Matter
	for _, do := range e.Do {
		if !slices.Contains(operations(), do.V) {
			_, err := ruling.Request{Operation: do.V, On: "s3://bucket/key"}.Matter()
			r.fault(do, "%v", err)
			continue
		}
		for _, on := range e.On {
			m, err := ruling.Request{Operation: do.V, On: on.V, Source: e.Source.V, Header: header, Body: e.Body, Strict: r.strict}.Matter()
			if err != nil {
				r.fault(on, "%v", err)
				continue
			}
			all = append(all, m)
		}
	}
	return all
}
