package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A gateway is a versitygw that holds nothing yet.
type gateway struct {
	address, admin string // of S3, and of its administration of users
	id, secret     string // of its root account
}

// startGateway starts one whose root account has these keys.
func startGateway(t *testing.T, id, secret string) *gateway {
	t.Helper()
	g := &gateway{address: freeAddress(t), admin: freeAddress(t), id: id, secret: secret}
	folder := t.TempDir()
	for _, name := range []string{"iam", "versions", "data"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, command{
		path: need(t, versitygw), dir: folder, env: environment(folder),
		args: []string{
			"--keep-alive", "-p", g.address, "--admin-port", g.admin, "--health", "/healthz", "-q", "-a", id, "-s", secret,
			"--iam-dir", filepath.Join(folder, "iam"), "posix", "--versioning-dir", filepath.Join(folder, "versions"), filepath.Join(folder, "data"),
		},
	})
	p.ready(t, &http.Client{Timeout: time.Second}, "http://"+g.address+"/healthz")
	return g
}

// administrator stands in the suite's folder for the versitygw that the suite
// runs there to make users and give buckets to them: it goes to the server's
// administration, with the root account's keys where the suite's own are given.
const administrator = `#!/bin/sh
test "$1 $2 $4 $6" = "admin -a -s -er" || exit 9
id=$3 secret=$5
shift 7
if test "$id" = "$SUITE_ID"; then
	id=$ROOT_ID secret=$ROOT_SECRET
fi
exec "$VERSITYGW" admin -a "$id" -s "$secret" -er "$ADMINISTRATION" "$@"
`

// runSuite runs the suite against endpoint, signed with these keys.
func (g *gateway) runSuite(t *testing.T, endpoint, id, secret string) verdicts {
	t.Helper()
	path, folder := need(t, versitygw), t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "versitygw"), []byte(administrator), 0o700); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := start(t, command{
		path: path, dir: folder, args: []string{"test", "-a", id, "-s", secret, "-e", endpoint, "full-flow", "-vs", "--parallel"},
		env: environment(folder, "SUITE_ID="+id, "ROOT_ID="+g.id, "ROOT_SECRET="+g.secret, "VERSITYGW="+path, "ADMINISTRATION=http://"+g.admin),
	})
	select {
	case <-p.ended:
	case <-time.After(suiteLasts):
		t.Fatalf("the suite does not end in %v", suiteLasts)
	}
	v := readVerdicts(p.out.String())
	t.Logf("the suite took %v", time.Since(began).Round(time.Second))
	if v.ran < suiteCases || !strings.Contains(p.out.String(), fmt.Sprintf("RAN: %d ", v.ran)) {
		t.Fatalf("%d cases were read, want %d or more, and as many as the suite counts", v.ran, suiteCases)
	}
	return v
}

// verdictLine finds what the suite prints of a case, in colour, also where
// another case's output does not end its line.
var verdictLine = regexp.MustCompile(`\x1b\[3[0-9]m(RUN|PASS|FAIL|SKIP) +\x1b\[0m([^\s:\x1b]+)(?:: ([^\n\x1b]*))?`)

// readVerdicts reads the suite's output. A few cases share a name: that has
// passed when all of them have.
func readVerdicts(text string) verdicts {
	v := verdicts{names: make(map[string]bool), failures: make(map[string]string)}
	open := make(map[string]int) // cases that have begun and not passed
	for _, m := range verdictLine.FindAllStringSubmatch(text, -1) {
		switch name := m[2]; m[1] {
		case "RUN":
			v.ran++
			v.names[name] = true
			open[name]++
		case "PASS":
			open[name]--
		case "FAIL":
			v.failures[name] = m[3] + " " // never empty
		}
	}
	for name, n := range open {
		if n > 0 && v.failures[name] == "" {
			v.failures[name] = "it did not pass, and does not say why"
		}
	}
	return v
}
