package iampolicy_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/iampolicy"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// The generators draw from few words at one another's borders, and from what IAM
// reads otherwise: ?, $, ${, and characters that policies cannot have.
type gen struct {
	*rand.Rand
	plain bool // neither conditions nor time, nor '*' in buckets
}

func pick[T any](g gen, from ...T) T { return from[g.IntN(len(from))] }

func few[T any](g gen, most int, from ...T) []T {
	var all []T
	for _, i := range g.Perm(len(from))[:1+g.IntN(min(most, len(from)))] {
		all = append(all, from[i])
	}
	return all
}

var names = []string{"a", "ab", "b", "a/", "a/b", "ab/", "b/a", "a?", "a?b", "$", "${a}", "${*}", "a$/b", "é", "中/a", "a b", "\\", "a\"b"}

func (g gen) location() string {
	bucket := pick(g, "aaa", "aaa", "aab", "a-b")
	if !g.plain && g.IntN(4) == 0 {
		bucket = pick(g, "a*", "aa*", "*", "a*b")
	}
	switch g.IntN(6) {
	case 0:
		return bucket
	case 1:
		return bucket + "/*"
	case 2:
		return bucket + "/" + pick(g, "a*", "*a", "*/b", "a*b", "?*", "*中*", "*${*")
	}
	return bucket + "/" + pick(g, names...)
}

func (g gen) window() string {
	if g.plain || g.IntN(4) > 0 {
		return ""
	}
	return pick(g, "valid_until: 2026-06-01T00:00:00Z", "valid_from: 2026-06-01T00:00:00Z", "valid_from: 2026-03-01T00:00:00Z")
}

func list(words []string) string { return "[" + strings.Join(words, ", ") + "]" }

func (g gen) rule(labels []string) string {
	who := map[string][]string{}
	switch g.IntN(6) {
	case 0:
	case 1:
		who["users"] = few(g, 2, "u1", "u2", `"x@own.example"`, `"x@other.example"`, "one:u1")
	case 2:
		who["services"] = few(g, 2, "s1", "s2")
	default:
		who["groups"] = few(g, 2, "g1", "g2", "g3", `"one:g1"`, `"two:g1"`)
	}
	var lines []string
	for k, v := range who {
		lines = append(lines, fmt.Sprintf("identities: {%s: %s}", k, list(v)))
	}
	if w := g.window(); w != "" {
		lines = append(lines, w)
	}
	if !g.plain && g.IntN(3) == 0 {
		lines = append(lines, pick(g, "hosts: [10.0.0.0/8]", "when: {presigned: never}", "when: {auth_method: [browser]}"))
	}
	for _, access := range few(g, 3, "reads", "updates", "deletes", "manages") {
		data := "any"
		if g.IntN(2) == 0 {
			data = list(few(g, 2, labels...))
		}
		lines = append(lines, fmt.Sprintf("%s: [{data: %s}]", access, data))
	}
	return "  - " + strings.Join(lines, "\n    ") + "\n"
}

func (g gen) dataMap(labels []string) string {
	var b strings.Builder
	for _, l := range labels {
		var locations []string
		for range 1 + g.IntN(3) {
			if text := fmt.Sprintf("'%s'", g.location()); !slices.Contains(locations, text) {
				locations = append(locations, text)
			}
		}
		fmt.Fprintf(&b, "%s: [{repo: S3, attributes: %s}]\n", l, list(locations))
	}
	return b.String()
}

func (g gen) policy(name string, labels []string) string {
	data := few(g, 3, labels...)
	lines := []string{"name: " + name, "data: " + list(data)}
	if w := g.window(); w != "" {
		lines = append(lines, w)
	}
	if g.IntN(5) == 0 && !g.plain {
		lines = append(lines, "mode: monitor")
	}
	var text strings.Builder
	text.WriteString(strings.Join(append(lines, "rules:\n"), "\n"))
	for range 1 + g.IntN(2) {
		text.WriteString(g.rule(data))
	}
	return text.String()
}

// set draws a data map and policies until they have no fault.
func (g gen) set(t *testing.T, o policy.Options) (*policy.Set, string) {
	t.Helper()
	for {
		labels := []string{"L1", "L2", "L3"}[:1+g.IntN(3)]
		texts := []string{g.dataMap(labels)}
		var sources []policy.Source
		for i := range 1 + g.IntN(3) {
			name := fmt.Sprintf("p%d", i)
			texts = append(texts, g.policy(name, labels))
			sources = append(sources, policy.Source{Name: name, Data: []byte(texts[i+1])})
		}
		s, _, err := policy.Parse(policy.Source{Name: "datamap.yaml", Data: []byte(texts[0])}, sources, o)
		if err == nil {
			return s, strings.Join(texts, "")
		}
		if !strings.Contains(err.Error(), "twice") {
			t.Fatalf("%v\n%s", err, texts)
		}
	}
}

func (g gen) world(t *testing.T) (iampolicy.World, iampolicy.Options, string) {
	o := policy.Options{Repo: "S3"}
	if !g.plain && g.IntN(5) == 0 {
		o.Unlabelled = policy.Allow
	}
	o.Monitor = !g.plain && g.IntN(12) == 0
	set, text := g.set(t, o)
	w := iampolicy.World{Set: set, Role: iampolicy.Role{ARN: "arn:aws:iam::111122223333:role/r"}, Issuers: []iampolicy.Issuer{{URL: "https://one.example"}}}
	if g.IntN(3) == 0 && !g.plain {
		w.Issuers = []iampolicy.Issuer{{URL: "https://one.example", Alias: "one", EmailDomains: []string{"own.example"}}, {URL: "https://two.example", Alias: "two"}}
	}
	if w.Role.Everyone = g.IntN(3) == 0; !w.Role.Everyone {
		w.Role.Groups = few(g, 2, "g1", "g2", "one:g1", "two:g1")
	}
	if g.IntN(2) == 0 {
		w.Role.Services = few(g, 2, "s1", "s2")
	}
	var options iampolicy.Options
	if o.Unlabelled == policy.Allow || o.Monitor {
		options.Buckets = []string{"aaa", "aab", "a-b", "acb", "bbb"}
	}
	return w, options, fmt.Sprintf("%+v %+v\n%+v %+v\n%s", o, options, w.Role, w.Issuers, text)
}

// member draws somebody who may take the role, with the names that the sidecar
// gives them; nil when there is nobody.
func (g gen) member(w iampolicy.World) *policy.Principal {
	if len(w.Role.Services) > 0 && g.IntN(3) == 0 {
		return &policy.Principal{Service: pick(g, w.Role.Services...)}
	}
	i := pick(g, w.Issuers...)
	qualified := func(s string) string {
		if i.Alias != "" {
			return i.Alias + ":" + s
		}
		return s
	}
	p := &policy.Principal{Users: []string{qualified(pick(g, "u1", "u2", "u3"))}}
	if len(i.EmailDomains) > 0 && g.IntN(2) == 0 {
		p.Users = append(p.Users, "x@"+i.EmailDomains[0])
	}
	for _, name := range few(g, 3, "g1", "g2", "g3", "one:g1") {
		p.Groups = append(p.Groups, qualified(name))
	}
	if !w.Role.Everyone && !slices.ContainsFunc(p.Groups, func(have string) bool { return slices.Contains(w.Role.Groups, have) }) {
		return nil
	}
	return p
}

func (g gen) facts() *policy.Facts {
	f := &policy.Facts{SourceIP: netip.MustParseAddr(pick(g, "10.1.1.1", "192.0.2.1")), AuthMethod: pick(g, "browser", "ci")}
	f.Now = pick(g, time.Time{}, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	return f
}

// seeds are as many as take a few seconds.
const seeds = 500

// permissions are those of the table of operations.
var permissions = s3api.Permissions()

const own = "111122223333"

// asked are the requests of IAM that follow a question of the sidecar's.
func asked(q policy.Question) []request {
	bucket, key, _ := strings.Cut(q.Path, "/")
	var all []request
	for _, p := range permissions {
		r := request{p.Action, "arn:aws:s3:::" + bucket, map[string]string{"aws:ResourceAccount": own}}
		if p.Access != s3api.Access(q.Access) || (p.Resource == "object") != (q.Scope == policy.Exact) {
			continue
		}
		switch {
		case q.Scope == policy.Exact:
			r.resource += "/" + key
		case q.Access == policy.Manages && (p.Scope == s3api.Under) != (q.Scope == policy.Under):
			continue
		}
		all = append(all, r)
	}
	return all
}

func (g gen) question() policy.Question {
	q := policy.Question{Access: pick(g, policy.Reads, policy.Updates, policy.Deletes, policy.Manages), Path: pick(g, "aaa", "aab", "a-b", "acb", "bbb")}
	switch q.Scope = pick(g, policy.Exact, policy.Exact, policy.Exact, policy.Some, policy.Under); {
	case q.Scope == policy.Exact:
		q.Path += "/" + pick(g, names...) + pick(g, "", "", "x", "b", "/b", "中")
	case q.Scope == policy.Some:
		q.Path += pick(g, "", "/", "/a", "/x")
	default:
		q.Access = policy.Manages // no other is asked for all of a bucket at once
	}
	return q
}

func documents(t *testing.T, w iampolicy.World, o iampolicy.Options) []policyDocument {
	t.Helper()
	docs, _, err := iampolicy.Permissions(w, o)
	if err != nil {
		t.Fatal(err)
	}
	var all []policyDocument
	for _, d := range docs {
		all = append(all, printed(t, d))
	}
	return all
}

// Whatever the sidecar lets somebody do who may take the role, the role may do.
func TestTheSidecarIsNeverBlockedByItsRole(t *testing.T) {
	judged := 0
	for seed := range uint64(seeds) {
		g := gen{Rand: rand.New(rand.NewPCG(seed, 5))}
		w, o, text := g.world(t)
		docs := documents(t, w, o)
		for range 60 {
			p, f, q := g.member(w), g.facts(), g.question()
			if p == nil || !w.Set.Decide(p, f, q).Allowed {
				continue
			}
			for _, r := range asked(q) {
				judged++
				if !allows(t, docs, r) {
					t.Fatalf("seed %d: %+v may %+v, and the role may not %+v\n%s\n%s", seed, p, q, r, text, iampolicy.JSON(docs))
				}
			}
		}
	}
	if judged < 20*seeds {
		t.Errorf("only %d requests were judged", judged)
	}
}

// Without conditions, and without '*' in the names of buckets, the role may do
// with an object what some location grants somebody that covers it, and nothing
// more; and nothing in accounts of strangers.
func TestTheRoleMayNothingElse(t *testing.T) {
	denied := 0
	for seed := range uint64(seeds) {
		g := gen{Rand: rand.New(rand.NewPCG(seed, 6)), plain: true}
		w, o, text := g.world(t)
		w.Role.Everyone, w.Role.Groups = true, nil
		docs := documents(t, w, o)
		everybody := []*policy.Principal{{Users: []string{"u1", "u2", "one:u1"}, Groups: []string{"g1", "g2", "g3", "one:g1", "two:g1"}}}
		for _, s := range w.Role.Services {
			everybody = append(everybody, &policy.Principal{Service: s})
		}
		for range 40 {
			q := g.question()
			q.Scope = policy.Exact
			if !strings.Contains(q.Path, "/") || strings.HasSuffix(q.Path, "/") {
				q.Path += "/x"
			}
			granted := func(access policy.Access) bool {
				return slices.ContainsFunc(w.Set.Locations(), func(l policy.Location) bool {
					if !strings.Contains(l.Text, "/") {
						l.Text += "/*"
					}
					if !glob(speakable(l.Text), q.Path) {
						return false
					}
					narrow := policy.Question{Access: access, Path: strings.ReplaceAll(l.Text, "*", "\xff"), Scope: policy.Exact}
					return slices.ContainsFunc(everybody, func(p *policy.Principal) bool { return w.Set.Decide(p, nil, narrow).Allowed })
				})
			}
			for _, r := range asked(q) {
				// Some actions come with more than one kind of access.
				want := slices.ContainsFunc(permissions, func(p s3api.Permission) bool { return p.Action == r.action && granted(policy.Access(p.Access)) })
				if allows(t, docs, r) != want {
					t.Fatalf("seed %d: allowed %t, want %t: %+v\n%s\n%s", seed, !want, want, r, text, iampolicy.JSON(docs))
				}
				if !want {
					denied++
				}
				r.context["aws:ResourceAccount"] = "999999999999"
				if allows(t, docs, r) {
					t.Fatalf("seed %d: allowed in another account: %+v", seed, r)
				}
			}
		}
	}
	if denied < 20*seeds {
		t.Errorf("only %d requests were denied", denied)
	}
}

// speakable is a location as a pattern of IAM, with what it cannot say.
func speakable(location string) string {
	return strings.NewReplacer("?", "${?}", "$", "${$}", "中", "*").Replace(location)
}

// A sidecar that lets through what has no label needs to be told its buckets.
func TestOpenSidecars(t *testing.T) {
	for _, o := range []policy.Options{{Repo: "S3", Unlabelled: policy.Allow}, {Repo: "S3", Monitor: true}} {
		set, _, err := policy.Parse(policy.Source{Name: "d", Data: []byte("A: [{repo: S3, attributes: [lake/a/]}]")}, []policy.Source{{Name: "p", Data: []byte("name: p\ndata: [A]\nrules: [{reads: [{data: any}]}]")}}, o)
		if err != nil {
			t.Fatal(err)
		}
		w := iampolicy.World{Set: set, Role: iampolicy.Role{ARN: "arn:aws:iam::111122223333:role/r", Everyone: true}, Issuers: []iampolicy.Issuer{{URL: "https://one.example"}}}
		_, _, err = iampolicy.Permissions(w, iampolicy.Options{})
		if need, ok := errors.AsType[*iampolicy.NeedBuckets](err); !ok || need.Watching != o.Monitor {
			t.Errorf("%+v: %v", o, err)
		}
		docs := documents(t, w, iampolicy.Options{Buckets: []string{"sea"}})
		for path, want := range map[string]bool{"lake/b": true, "sea/b": true, "pond/b": false, "lake/a/x": o.Monitor} {
			for _, r := range asked(policy.Question{Access: policy.Deletes, Path: path, Scope: policy.Exact}) {
				if got := allows(t, docs, r); got != want && path != "lake/a/x" { // IAM cannot leave it out
					t.Errorf("%+v: %s: %t", o, path, got)
				}
			}
		}
	}
}
