package trial_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/trial"
)

const dataMap = `SENSITIVE: [{repo: S3, attributes: [finance/reports/]}]
PUBLIC: [{repo: S3, attributes: [website]}]
ELSEWHERE: [{repo: postgres, attributes: [public.customers]}]
`

const policies = `name: customers
data: [SENSITIVE]
rules:
  - identities: {groups: [engineers]}
    hosts: [10.0.0.0/8]
    reads: [{data: any}]
    updates: [{data: any}]
  - identities: {groups: [engineers]}
    when: {mfa: {max_age: 1h}, time: {hours: ["08:00-18:00"]}}
    deletes: [{data: any}]
  - identities: {services: [etl]}
    reads: [{data: any, when: {object_tags: {class: public}}}]
    updates: [{data: any, when: {encryption: [aws:kms], request_tags: {class: public}}}]
`

// run runs tests of the policies above.
func run(t *testing.T, tests string) (*trial.Report, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"map.yaml": dataMap, "p.yaml": policies, "q.yaml": "name: site\ndata: [PUBLIC]\nmode: monitor\nrules: [{reads: [{data: any}]}]\n", "t.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := rulebook.Read([]string{dir}, rulebook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return trial.Run(b, time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)), dir
}

func TestRun(t *testing.T) {
	report, _ := run(t, `people:
  eve: {users: [eve@example.com], groups: [engineers]}
tests:
  - {name: from inside, as: eve, from: 10.1.2.3, do: [GetObject, PutObject], on: "s3://finance/reports/a", expect: allowed, because: [{policy: customers, rule: 1}]}
  - {name: from outside, as: eve, from: 192.0.2.1, do: GetObject, on: "s3://finance/reports/a", expect: blocked, because: [{label: SENSITIVE, text: "10.0.0.0/8"}]}
  - {name: by day, as: eve, at: 2026-03-02T09:00:00Z, mfa: {age: 10m, amr: [hwk]}, do: DeleteObject, on: "s3://finance/reports/a", expect: allowed, because: [{rule: rule 2}]}
  - {name: by night, as: eve, mfa: {age: 10m, amr: [hwk]}, do: DeleteObject, on: "s3://finance/reports/a", expect: blocked}
  - {name: long ago, as: eve, at: 2026-03-02T09:00:00Z, mfa: {age: 2h, amr: [hwk]}, do: DeleteObject, on: "s3://finance/reports/a", expect: blocked}
  - {name: monitored, as: {}, do: [updates, DeleteObject], on: "s3://website/index.html", expect: would-block}
  - {name: public, as: {}, do: GetObject, on: ["s3://website/a", "s3://website/b"], expect: allowed}
  - {name: a tag, as: {service: etl}, do: GetObject, on: "s3://finance/reports/a", object_tags: {class: public}, expect: allowed}
  - {name: another tag, as: {service: etl}, do: GetObject, on: "s3://finance/reports/a", object_tags: {class: secret}, expect: blocked}
  - {name: encrypted and tagged, as: {service: etl}, do: [PutObject, CreateMultipartUpload], on: "s3://finance/reports/a", header: {x-amz-server-side-encryption: "aws:kms", x-amz-tagging: "class=public&x=y"}, expect: allowed}
  - {name: not encrypted, as: {service: etl}, do: PutObject, on: "s3://finance/reports/a", header: {x-amz-tagging: class=public}, expect: blocked, because: [{text: encryption}]}
  - {name: tagged otherwise, as: {service: etl}, do: PutObject, on: "s3://finance/reports/a", header: {x-amz-server-side-encryption: "aws:kms", x-amz-tagging: class=secret}, expect: blocked, because: [{text: class}]}
  - {name: a part, as: {service: etl}, do: [UploadPart, updates], on: "s3://finance/reports/a", expect: allowed}
  - {name: tags alone, as: {service: etl}, do: PutObjectTagging, on: "s3://finance/reports/a", body: "<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag></TagSet></Tagging>", expect: allowed}
  - {name: both ends, as: eve, from: 10.1.2.3, do: CopyObject, on: "s3://finance/reports/b", source: "s3://lake/a", expect: blocked, because: [{access: reads, text: no label}]}
`)
	for _, r := range report.Tests {
		for _, c := range r.Cases {
			if !c.Passed {
				t.Errorf("%s: %+v", r.Name, c)
			}
		}
	}
	if report.Failed() != 0 || report.Requests() != 20 {
		t.Errorf("%d failed of %d requests", report.Failed(), report.Requests())
	}
	c := report.Coverage
	if c.Labels.Reached != 2 || c.Labels.All != 2 || c.Rules.Reached != 4 || c.Rules.All != 4 || c.Grants.Reached != 6 || c.Grants.All != 6 || c.Grants.Percent() != 100 {
		t.Errorf("%+v", c)
	}
}

// Each way to fail is told, and what is not reached is named with its place.
func TestRunFails(t *testing.T) {
	report, dir := run(t, `tests:
  - {name: another answer, as: [{groups: [engineers]}, {}], from: 10.1.2.3, do: GetObject, on: "s3://finance/reports/a", expect: allowed}
  - {name: another ground, as: {groups: [engineers]}, from: 10.1.2.3, do: GetObject, on: "s3://finance/reports/a", expect: allowed, because: [{rule: 1}, {rule: 2}]}
  - {name: no tags given, as: {service: etl}, do: GetObject, on: "s3://finance/reports/a", expect: allowed}
`)
	type line struct {
		name, as string
		got      rulebook.Answer
		passed   bool
		more     string
	}
	var got []line
	for _, r := range report.Tests {
		for _, c := range r.Cases {
			got = append(got, line{r.Name, c.As.String(), c.Got, c.Passed, fmt.Sprint(c.Missing, c.WantsTags)})
		}
	}
	want := []line{
		{"another answer", "somebody in engineers", rulebook.Allowed, true, "[] []"},
		{"another answer", "somebody", rulebook.Blocked, false, "[] []"},
		{"another ground", "somebody in engineers", rulebook.Allowed, false, "[{rule: rule 2}] []"},
		{"no tags given", "service etl", rulebook.Blocked, false, "[] [finance/reports/a]"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Error(diff)
	}
	if report.Failed() != 3 {
		t.Errorf("%d failed", report.Failed())
	}
	file := filepath.Join(dir, "p.yaml")
	rule := func(n, line int) trial.Rule {
		return trial.Rule{Policy: "customers", Rule: fmt.Sprintf("rule %d", n), Place: rulebook.Place{File: file, Line: line, Column: 5}}
	}
	site := trial.Rule{Policy: "site", Rule: "rule 1", Place: rulebook.Place{File: filepath.Join(dir, "q.yaml"), Line: 4, Column: 9}}
	wantCoverage := trial.Coverage{
		Labels: trial.Share[string]{Reached: 1, All: 2, Missed: []string{"PUBLIC"}},
		Rules:  trial.Share[trial.Rule]{Reached: 1, All: 4, Missed: []trial.Rule{rule(2, 8), rule(3, 11), site}},
		Grants: trial.Share[trial.Grant]{Reached: 1, All: 6, Missed: []trial.Grant{{Rule: rule(1, 4), Access: "updates", Label: "SENSITIVE"},
			{Rule: rule(2, 8), Access: "deletes", Label: "SENSITIVE"}, {Rule: rule(3, 11), Access: "reads", Label: "SENSITIVE"}, {Rule: rule(3, 11), Access: "updates", Label: "SENSITIVE"}, {Rule: site, Access: "reads", Label: "PUBLIC"}}},
	}
	if diff := cmp.Diff(wantCoverage, report.Coverage); diff != "" || report.Coverage.Grants.Percent() != 16 {
		t.Error(diff)
	}
}
