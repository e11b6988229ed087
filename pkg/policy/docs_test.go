package policy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/policy"
)

const (
	docsPage    = "../../docs/policy.md"
	exampleRoot = "testdata/example"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The page's YAML is, byte for byte, that of the example files, all of them;
// each block begins with its file's name.
func TestDocsShowTheExampleFiles(t *testing.T) {
	shown := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, docsPage), -1) {
		first, _, _ := strings.Cut(m[1], "\n")
		shown[strings.TrimPrefix(first, "# ")] = m[1]
	}
	files := map[string]string{}
	for _, pattern := range []string{"*.yaml", "policies/*.yaml"} {
		paths, err := filepath.Glob(exampleRoot + "/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			files[strings.TrimPrefix(filepath.ToSlash(path), exampleRoot+"/")] = read(t, path)
		}
	}
	if diff := cmp.Diff(files, shown); diff != "" || len(files) < 4 {
		t.Errorf("docs/policy.md and testdata/example differ (-files +page)\n%s", diff)
	}
}

func exampleSet(t *testing.T) *policy.Set {
	t.Helper()
	paths, err := filepath.Glob(exampleRoot + "/policies/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var sources []policy.Source
	for _, path := range paths {
		sources = append(sources, source(path, read(t, path)))
	}
	return mustParse(t, source("datamap.yaml", read(t, exampleRoot+"/datamap.yaml")), sources, policy.Options{Repo: "S3"})
}

// The page's table of decisions is what is decided.
func TestDocsTellWhatIsDecided(t *testing.T) {
	s := exampleSet(t)
	people := map[string]policy.Principal{
		"a member of `data-engineering`": {Users: []string{"1"}, Groups: []string{"data-engineering"}},
		"a member of `finance` only":     {Users: []string{"2"}, Groups: []string{"finance"}},
		"dora@example.com, in no group":  {Users: []string{"3", "dora@example.com"}},
		"anybody":                        {},
	}
	var who policy.Principal
	rows := 0
	for _, m := range regexp.MustCompile("(?m)^\\| ([^|]+) \\| (read|update|delete|list) `([^`]+)` \\| (allowed|blocked)(.*) \\|$").FindAllStringSubmatch(read(t, docsPage), -1) {
		rows++
		if m[1] != "the same" {
			p, known := people[m[1]]
			if !known {
				t.Fatalf("who is %q?", m[1])
			}
			who = p
		}
		q := policy.Question{Access: policy.Access(m[2] + "s"), Path: m[3], Scope: policy.Exact}
		if m[2] == "list" {
			q.Access, q.Scope = policy.Reads, policy.Some
		}
		d := s.Decide(&who, nil, q)
		var told string
		if d.Allowed {
			told = "allowed"
		} else {
			told = "blocked"
		}
		if told != m[4] {
			t.Errorf("%s: %+v", m[0], d)
			continue
		}
		if !d.Allowed && (len(d.Reasons()) != 1 || !strings.Contains(m[5], "`"+d.Reasons()[0].Text+"`")) {
			t.Errorf("%s: %+v", m[0], d.Reasons())
		}
		if rule := regexp.MustCompile(`by (rule \d) of ([a-z-]+)`).FindStringSubmatch(m[5]); rule != nil {
			if r := d.Reasons()[0]; r.Rule != rule[1] || r.Policy != rule[2] {
				t.Errorf("%s: %+v", m[0], r)
			}
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows were found", rows)
	}
}

// Each location in the page's table covers what it says, and not what it says
// not.
func TestDocsTellWhatLocationsCover(t *testing.T) {
	for _, c := range []struct {
		location, covered string
		not               string
	}{
		{"bucket", "bucket bucket/x bucket/x/y", "bucket2 bucket2/x"},
		{"bucket/", "bucket bucket/x", "bucket2/x"},
		{"bucket/dir/", "bucket/dir/ bucket/dir/x", "bucket bucket/dir bucket/dirx bucket/x/dir/y"},
		{"bucket/name", "bucket/name", "bucket/name2 bucket/name/x bucket/Name"},
		{"bucket/*.csv", "bucket/a.csv bucket/a/b/c.csv bucket/.csv", "bucket/a.csv2 bucket"},
		{"bucket/*", "bucket/x bucket//", "bucket"},
		{"logs-*/pii/", "logs-eu/pii/x logs-/pii/x", "logs/pii/x logs-eu/x/pii/y"},
		{"logs-*/tmp*/", "logs-a/tmp1/x logs-a/tmp/", "logs-a/tmp1 logs-a/x/tmp1/y"},
	} {
		if !strings.Contains(read(t, docsPage), "`"+c.location+"`") {
			t.Errorf("%s is not on the page", c.location)
		}
		s := mustParse(t, source("m", "A: [{repo: S3, attributes: ['"+c.location+"']}]\n"),
			[]policy.Source{source("p", "name: p\ndata: [A]\nrules: [{reads: [{data: any}]}]\n")}, policy.Options{Repo: "S3"})
		for path, allowed := range expected(c.covered, c.not) {
			if d := s.Decide(nil, nil, policy.Question{Access: policy.Reads, Path: path, Scope: policy.Exact}); d.Allowed != allowed {
				t.Errorf("%s covers %s: %v", c.location, path, d.Allowed)
			}
		}
	}
}

func expected(yes, no string) map[string]bool {
	m := map[string]bool{}
	for path := range strings.FieldsSeq(yes) {
		m[path] = true
	}
	for path := range strings.FieldsSeq(no) {
		m[path] = false
	}
	return m
}
