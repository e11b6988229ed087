package proxy_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A strict listing is passed on as it is if all of it may be read. Otherwise the
// refusal names prefixes that the person may list, and no others.
func TestStrictListings(t *testing.T) {
	var many strings.Builder
	for i := range 12 {
		fmt.Fprintf(&many, ", lake/team/%02d/", i)
	}
	a := newArenaOf(t, func(c *sidecar) {
		config := strings.Replace(c.config(), "file: audit.jsonl", `file: "-"`, 1)
		c.write("proxy.yaml", strings.Replace(config, "policies: [policies]", "policies: [policies], listing: strict", 1))
		c.write("datamap.yaml", "PUBLIC:\n  - repo: S3\n    attributes: [lake/open/, lake/open/deep/, lake/file.txt, \"lake/open-*.csv\", \"l*/x/\", other/y/"+many.String()+"]\n"+
			"SECRET:\n  - repo: S3\n    attributes: [lake/canary/, \"lake/open/deep/*canary*\", secret-bucket]\n")
		c.write("policies/public.yaml", listingPolicy)
		c.write("policies/customers.yaml", "name: secret\ndata: [SECRET]\nrules:\n  - identities: {groups: [nobody]}\n    reads: [{data: any}]\n")
	})
	const answer = "<ListBucketResult><Odd/><Contents><Key>team/01/x</Key></Contents><NextContinuationToken>upstream</NextContinuationToken></ListBucketResult>"
	a.answer = func(w http.ResponseWriter, _ question) { w.Write([]byte(answer)) }
	r, _ := a.ask(reading("/lake?list-type=2&prefix=team%2F01%2F&continuation-token=own").framed("h").sign(seal{keys: a.held["bob"]}).String())
	if r.answer.Body.String() != answer || len(r.asked) != 1 || r.asked[0].target != "/lake?continuation-token=own&list-type=2&prefix=team%2F01%2F" {
		t.Errorf("asked %+v, answered %s", r.asked, r.answer.Body)
	}
	for target, want := range map[string][]string{
		"/lake?list-type=2":                   {"team/00/", "team/01/", "team/02/", "team/03/", "team/04/", "team/05/", "team/06/", "team/07/", "team/08/", "team/09/"},
		"/lake?prefix=team%2F1":               {"team/10/", "team/11/"},
		"/lake?prefix=team":                   {"team/00/", "team/01/", "team/02/", "team/03/", "team/04/", "team/05/", "team/06/", "team/07/", "team/08/", "team/09/"},
		"/lake?list-type=2&prefix=open":       nil,
		"/lake?prefix=canary%2F&uploads=":     nil,
		"/secret-bucket?prefix=x&versions=":   nil,
		"/lake?list-type=2&prefix=nothing%2F": nil,
	} {
		body := a.wantRefused(t, target, "AccessDenied").answer.Body.String()
		_, list, found := strings.Cut(body, "You may list ")
		list, _, _ = strings.Cut(list, ". Event")
		var got []string
		if found {
			for name := range strings.SplitSeq(list, ", ") {
				got = append(got, strings.TrimPrefix(name, "s3://lake/"))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: may list %q, want %q: %s", target, got, want, body)
		}
	}
}
