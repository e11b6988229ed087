package iampolicy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/iampolicy"
	"github.com/gimme-broker/gimme/pkg/policy"
)

const (
	reader  = "arn:aws:iam::111122223333:role/lake-reader"
	writer  = "arn:aws:iam::111122223333:role/team/lake-writer"
	sidecar = "arn:aws:iam::111122223333:role/gimme-sidecar"
	admin   = "arn:aws:iam::111122223333:role/platform-admin"
)

func parse(t *testing.T, dataMap string, policies ...string) *policy.Set {
	t.Helper()
	var sources []policy.Source
	for i, p := range policies {
		sources = append(sources, policy.Source{Name: fmt.Sprintf("p%d.yaml", i), Data: []byte(p)})
	}
	s, _, err := policy.Parse(policy.Source{Name: "datamap.yaml", Data: []byte(dataMap)}, sources, policy.Options{Repo: "S3"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lake is a world with the role of data engineers.
func lake(t *testing.T, dataMap string, policies ...string) iampolicy.World {
	t.Helper()
	return iampolicy.World{
		Set: parse(t, dataMap, policies...), Role: iampolicy.Role{ARN: writer, Groups: []string{"engineering"}}, Roles: []string{reader, writer},
		Issuers: []iampolicy.Issuer{{URL: "https://login.example.com", Clients: []string{"gimme"}}},
	}
}

// statements are those of the documents by name, with what they are about.
func statements(t *testing.T, docs []iampolicy.Document) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, d := range docs {
		for _, s := range d.Statement {
			if s.Effect != "Allow" || s.Principal != nil || slices.Contains(s.Action, "s3:*") {
				t.Errorf("%+v", s)
			}
			for _, r := range s.Resource {
				all[s.Sid] = append(all[s.Sid], strings.TrimPrefix(r, "arn:aws:s3:::"))
			}
		}
	}
	return all
}

func TestPermissionsFollowThePolicies(t *testing.T) {
	both := "A: [{repo: S3, attributes: [lake]}]\nB: [{repo: S3, attributes: [lake/b/]}]\n"
	read := func(name, data, who string) string {
		return fmt.Sprintf("name: %s\ndata: [%s]\nrules: [{%s reads: [{data: any}]}]\n", name, data, who)
	}
	for name, c := range map[string]struct {
		dataMap  string
		policies []string
		change   func(*iampolicy.World, *iampolicy.Options)
		want     map[string][]string
		notes    []string
		quiet    []string // stands in no note
	}{
		"a location within another": {
			dataMap: both, policies: []string{read("a", "A, B", "")},
			want:  map[string][]string{"ReadBuckets": {"lake"}, "ReadObjects": {"lake/*"}},
			quiet: []string{"--only-own-groups", "Who of them", "narrowed", "Conditions", "Limits", "monitor", "characters"},
		},
		"a location whose other label is nobody's": {
			dataMap: both, policies: []string{read("b", "B", ""), "name: a\ndata: [A]\nrules: [{deletes: [{data: any}]}]"},
			want: map[string][]string{"DeleteObjects": {"lake/*"}},
		},
		"a location in which another one is nobody's": {
			dataMap: both, policies: []string{read("a", "A", "")},
			want:  map[string][]string{"ReadBuckets": {"lake"}, "ReadObjects": {"lake/*"}},
			notes: []string{"The role may do what no policy lets its people do, because it lies within what they may: read lake/b/*."},
		},
		"a label that two policies narrow": {
			dataMap: "A: [{repo: S3, attributes: [lake]}]", policies: []string{read("one", "A", ""), read("two", "A", "identities: {groups: [engineering]},")},
			want:  map[string][]string{"ReadBuckets": {"lake"}, "ReadObjects": {"lake/*"}},
			notes: []string{"Label A is narrowed by policies one, two"},
		},
		"a label that a second policy closes": {
			dataMap: both, policies: []string{read("one", "A, B", ""), "name: two\ndata: [A, B]\nrules: [{reads: [{data: [B]}]}]"},
		},
		"services that have a key for the role, and others": {
			dataMap: both, policies: []string{read("a", "A", "identities: {services: [backup]},"), read("b", "B", "identities: {services: [etl]},")},
			change: func(w *iampolicy.World, _ *iampolicy.Options) { w.Role.Services = []string{"backup"} },
			want:   map[string][]string{"ReadBuckets": {"lake"}, "ReadObjects": {"lake/*"}},
		},
		"services and people are not the same": {
			dataMap: "A: [{repo: S3, attributes: [lake]}]", policies: []string{read("a", "A", "identities: {services: [backup]},"), read("b", "A", "identities: {users: [u]},")},
			change: func(w *iampolicy.World, _ *iampolicy.Options) { w.Role.Services = []string{"backup"} },
		},
		"other groups": {
			dataMap: both, policies: []string{read("a", "A", "identities: {groups: [finance]},")},
			want:  map[string][]string{"ReadBuckets": {"lake"}, "ReadObjects": {"lake/*"}},
			notes: []string{"What is granted to group finance is in here", "Who of them may do what, the sidecar alone decides"},
		},
		"other groups, left out": {
			dataMap: both, policies: []string{read("a", "A", "identities: {groups: [finance]},")},
			change: func(_ *iampolicy.World, o *iampolicy.Options) { o.OwnGroups = true },
			notes:  []string{"What is granted to other groups than the role's is not in here"},
		},
		"groups of another issuer": {
			dataMap: both, policies: []string{read("a", "A", `identities: {groups: ["ci:x"], users: ["ci:u", "v@ci.example"]},`)},
			change: func(w *iampolicy.World, _ *iampolicy.Options) {
				w.Issuers = []iampolicy.Issuer{{URL: "https://a.example", Alias: "hr"}, {URL: "https://b.example", Alias: "ci", EmailDomains: []string{"ci.example"}}}
				w.Role.Groups = []string{"hr:engineering"}
			},
		},
		"nobody": {
			dataMap: both, policies: []string{read("a", "A", "identities: {users: [u]},")},
			change: func(w *iampolicy.World, _ *iampolicy.Options) { w.Issuers[0].Alias = "hr" },
			notes:  []string{"Nobody may take this role"},
		},
		"a policy that only watches": {
			dataMap: "A: [{repo: S3, attributes: [lake/a]}]", policies: []string{"mode: monitor\n" + read("a", "A", "")},
			want:  map[string][]string{"ReadBuckets": {"lake"}, "ReadUpdateDeleteManageObjects": {"lake/a"}, "ManageBuckets": {"lake"}},
			notes: []string{"policy a in monitor mode blocks nothing"},
		},
		"a policy that only watches, for a time, with a label that it grants nobody": {
			dataMap:  "A: [{repo: S3, attributes: [lake/a]}]\nB: [{repo: S3, attributes: [sea/b]}]",
			policies: []string{"mode: monitor\nvalid_until: 2027-01-01T00:00:00Z\nname: a\ndata: [A, B]\nrules: [{reads: [{data: [A]}]}]"},
			want:     map[string][]string{"ReadBuckets": {"lake", "sea"}, "ReadUpdateDeleteManageObjects": {"lake/a", "sea/b"}, "ManageBuckets": {"lake", "sea"}},
		},
		"conditions, limits and time": {
			dataMap:  "A: [{repo: S3, attributes: [lake/a]}]",
			policies: []string{"name: a\ndata: [A]\nvalid_until: 2026-01-01T00:00:00Z\nrules:\n  - hosts: [10.0.0.0/8]\n    updates: [{data: any, rows: 5, when: {object_tags: {class: [public]}}}]"},
			want:     map[string][]string{"UpdateObjects": {"lake/a"}},
			notes:    []string{"Conditions are not in here, because S3 sees the sidecar and not the person: until ", "from 10.0.0.0/8", "Limits (rows"},
		},
		"all of a bucket": {
			dataMap: "A: [{repo: S3, attributes: [lake, sea/*, pond/a*, 'river-*']}]", policies: []string{"name: a\ndata: [A]\nrules: [{manages: [{data: any}]}]"},
			want: map[string][]string{
				"ManageBuckets": {"lake", "pond", "river-*", "sea"}, "ManageObjects": {"lake/*", "pond/a*", "river-*/*", "sea/*"}, "ConfigureBuckets": {"lake", "river-*", "sea"},
			},
			notes: []string{"iam:PassRole"},
		},
		"what IAM reads otherwise": {
			dataMap:  `A: [{repo: S3, attributes: ["lake/a?b", "lake/${aws:username}/", "lake/é\"\\", "lake/中文/x", "l*e/c/", "lake/*/y", "lake/q/y"]}]`,
			policies: []string{read("a", "A", "")},
			want: map[string][]string{"ReadBuckets": {"l*e"}, "ReadObjects": {
				"l*e/c/*", "lake/${$}{aws:username}/*", "lake/*/x", "lake/*/y", "lake/a${?}b", `lake/é"\`}},
			notes: []string{"that l*e/c/* means keys further down in other buckets", "lake/中文/x as lake/*/x"},
		},
		"buckets of other accounts": {
			dataMap: both, policies: []string{read("a", "A, B", "")},
			change: func(_ *iampolicy.World, o *iampolicy.Options) { o.Accounts = []string{"444455556666"} },
			want:   map[string][]string{"ReadBuckets": {"lake"}, "ReadObjects": {"lake/*"}},
			notes:  []string{"of account 444455556666 alone"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := lake(t, c.dataMap, c.policies...), iampolicy.Options{}
			if c.change != nil {
				c.change(&w, &o)
			}
			docs, notes, err := iampolicy.Permissions(w, o)
			if err != nil || len(docs) != 1 {
				t.Fatalf("%d documents, %v", len(docs), err)
			}
			want := map[string][]string{"ListBuckets": {"*"}}
			maps.Copy(want, c.want)
			have := statements(t, docs)
			for _, list := range have {
				slices.Sort(list)
			}
			for _, list := range want {
				slices.Sort(list)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
			said := strings.Join(notes, "\n")
			for _, words := range c.notes {
				if !strings.Contains(said, words) {
					t.Errorf("no note %q:\n%s", words, said)
				}
			}
			for _, words := range c.quiet {
				if strings.Contains(said, words) {
					t.Errorf("a note says %q:\n%s", words, said)
				}
			}
		})
	}
}

// The sidecar looks at tags itself, with the role's rights, for grants that ask
// for them.
func TestTagsOfObjects(t *testing.T) {
	for when, want := range map[string]bool{"object_tags: {class: [public]}": true, "presigned: never": false} {
		w := lake(t, "A: [{repo: S3, attributes: [lake/a]}]", "name: a\ndata: [A]\nrules: [{deletes: [{data: any, when: {"+when+"}}]}]")
		docs := documents(t, w, iampolicy.Options{})
		for _, action := range []string{"s3:GetObjectTagging", "s3:GetObjectVersionTagging"} {
			r := request{action, "arn:aws:s3:::lake/a", map[string]string{"aws:ResourceAccount": own}}
			if allows(t, docs, r) != want {
				t.Errorf("%s: %s is allowed: %t", when, action, !want)
			}
		}
	}
}

func TestOwnGroupsOfARoleForEveryone(t *testing.T) {
	w := lake(t, "A: [{repo: S3, attributes: [lake]}]", "name: a\ndata: [A]\nrules: [{reads: [{data: any}]}]")
	w.Role.Everyone, w.Role.Groups = true, nil
	if _, _, err := iampolicy.Permissions(w, iampolicy.Options{OwnGroups: true}); err == nil || !strings.Contains(err.Error(), "is for everyone") {
		t.Error(err)
	}
}

// many is a world with n locations that have nothing in common, and what of
// them is allowed to people.
func many(t *testing.T, n int) (w iampolicy.World, resources []string) {
	var locations []string
	for i := range n {
		locations = append(locations, fmt.Sprintf("lake/%04d-some-team-or-other/", i))
		resources = append(resources, "arn:aws:s3:::"+locations[i]+"x")
	}
	return lake(t, "A: [{repo: S3, attributes: ["+strings.Join(locations, ", ")+"]}]",
		"name: a\ndata: [A]\nrules: [{reads: [{data: any}], deletes: [{data: any}]}, {identities: {users: [u]}, updates: [{data: any}]}]"), resources
}

func TestPermissionsFitIntoWhatAWSTakes(t *testing.T) {
	for _, n := range []int{1, 90, 200, 700} {
		w, resources := many(t, n)
		docs, _, err := iampolicy.Permissions(w, iampolicy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var printedDocs []policyDocument
		for i, d := range docs {
			size := len(strings.Join(strings.Fields(string(iampolicy.JSON(d))), ""))
			if size > 6144 || i < len(docs)-1 && size < 6144-100 {
				t.Errorf("%d locations: document %d of %d has %d characters", n, i+1, len(docs), size)
			}
			printedDocs = append(printedDocs, printed(t, d))
		}
		for _, r := range resources {
			for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"} {
				if !allows(t, printedDocs, request{action, r, map[string]string{"aws:ResourceAccount": own}}) {
					t.Fatalf("%d locations: %s on %s is not allowed", n, action, r)
				}
			}
		}
	}
	w, _ := many(t, 1500)
	if docs, _, err := iampolicy.Permissions(w, iampolicy.Options{}); docs != nil || err == nil || !strings.Contains(err.Error(), "a role has 10: name fewer and wider locations") {
		t.Errorf("%d documents, %v", len(docs), err)
	}
	w, _ = many(t, 150)
	if docs, _, err := iampolicy.Permissions(w, iampolicy.Options{Inline: true}); err != nil || len(docs) != 1 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
	w, _ = many(t, 300)
	if docs, _, err := iampolicy.Permissions(w, iampolicy.Options{Inline: true}); docs != nil || err == nil || !strings.Contains(err.Error(), "AWS takes 10240") {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}

// A location as long as a key can be, with all that is written longer.
func TestTheLongestLocation(t *testing.T) {
	w := lake(t, "A: [{repo: S3, attributes: ['lake/"+strings.Repeat("?", 1024)+"', lake/"+strings.Repeat("a", 1024)+"]}]", "name: a\ndata: [A]\nrules: [{reads: [{data: any}]}]")
	if docs, _, err := iampolicy.Permissions(w, iampolicy.Options{}); err != nil || len(docs) != 2 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}
