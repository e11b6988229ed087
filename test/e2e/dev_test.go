package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestDemo runs the story that gimme tells of itself.
func TestDemo(t *testing.T) {
	home := t.TempDir()
	got := finish(t, command{path: gimme, args: []string{"demo"}, env: environment(home, "TMPDIR="+t.TempDir()), dir: home}).must(t)
	text := got.out + got.err
	for _, want := range []string{"alice@example.com may not DeleteObject", "label SENSITIVE", "bob@example.com may not GetObject", "Every step came out as it should."} {
		if !strings.Contains(text, want) {
			t.Errorf("the story lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "✗") {
		t.Errorf("a step failed:\n%s", text)
	}
	empty(t, home)
}

// TestDev pastes what `gimme dev` prints into another terminal, as the README
// says.
func TestDev(t *testing.T) {
	path, home, temporary := need(t, awsCLI), t.TempDir(), t.TempDir()
	dev := start(t, command{path: gimme, args: []string{"dev"}, env: environment(home, "TMPDIR="+temporary), dir: home})
	all := func() string { return dev.out.String() + dev.err.String() }
	eventually(t, "gimme dev says what to paste", func() bool { return strings.Contains(all(), "aws s3 rm s3://") })
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(all())
		if m == nil {
			t.Fatalf("gimme dev prints nothing like %s:\n%s", pattern, all())
		}
		return m[1]
	}
	env := environment(home, strings.Fields(find(`(?m)^\s*export (AWS_CONFIG_FILE=.*)$`))...)
	paste := func(pattern string) result {
		t.Helper()
		args := strings.Fields(find(pattern))
		if address := find(`sidecar\s+(http://\S+)`); !servesProfiles(t, path) {
			args = append(args, "--endpoint-url", address)
		}
		return finish(t, command{path: path, args: args, env: env})
	}

	line := strings.Fields(find(`(?m)^\s*gimme s3 (.*)$`))
	beginLogin(t, env, line...).finishAs(t, "alice@example.com", find(`alice@example\.com\s+(\S+)`))
	paste(`(?m)^\s*aws (s3 cp .*)$`).must(t)
	if got := paste(`aws (s3 ls .*)`).must(t); !strings.Contains(got.out, "customers.csv") {
		t.Errorf("the list is %q", got.out)
	}
	remove := `aws (s3 rm .*)`
	if got := paste(remove); got.code == 0 || !strings.Contains(got.err, "lets you delete SENSITIVE data") {
		t.Errorf("delete: exit code %d: %s", got.code, got.err)
	}
	// Allow it, and the same command works without a new login.
	policy := find(`policy\s+(/\S+\.yaml)`)
	text := readFile(t, policy)
	writeFile(t, policy, regexp.MustCompile(`(?m)^(\s+)updates:`).ReplaceAllString(text, "${1}deletes:\n${1}  - data: [SENSITIVE]\n${1}updates:"))
	dev.signal(t, syscall.SIGHUP)
	eventually(t, "the edit takes effect", func() bool { return paste(remove).code == 0 })

	dev.signal(t, syscall.SIGINT)
	dev.wait(t)
	empty(t, temporary)
	if _, err := os.Stat(filepath.Join(home, ".aws")); err == nil {
		t.Error("the person's own files were touched")
	}
}

func servesProfiles(t *testing.T, aws string) bool {
	t.Helper()
	got := finish(t, command{path: aws, args: []string{"--version"}, env: environment(t.TempDir())}).must(t)
	return knowsServices(got.out + got.err)
}

// finishAs signs in at the provider of `gimme dev`.
func (l *login) finishAs(t *testing.T, name, password string) {
	t.Helper()
	_, got := l.with(t, name, password, nil)
	got.must(t)
}

// empty fails the test if anything was left in folder.
func empty(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
