package workload_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/workload"
)

// TestMain lets the test binary stand for the commands of platforms: linked
// under their names it checks its arguments as they would.
func TestMain(m *testing.M) {
	switch args := os.Args[1:]; filepath.Base(os.Args[0]) {
	case "buildkite-agent":
		os.Exit(buildkiteAgent(args))
	case "circleci":
		os.Exit(circleci(args))
	case "mint":
		os.Exit(mint(args))
	default:
		os.Exit(m.Run())
	}
}

func note(lines ...string) {
	f, err := os.OpenFile(os.Getenv("NOTES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(f, strings.Join(lines, "|"))
		f.Close()
	}
}

func buildkiteAgent(args []string) int {
	input, _ := io.ReadAll(os.Stdin)
	note(append(args, string(input))...)
	switch {
	case len(args) == 4 && slices.Equal(args[:3], []string{"oidc", "request-token", "--audience"}):
		fmt.Println(token(args[3]))
		return 0
	case slices.Equal(args, []string{"redactor", "add"}) && len(input) > 0:
		return 0
	}
	fmt.Fprintln(os.Stderr, "fatal: wrong usage")
	return 1
}

func circleci(args []string) int {
	var claims map[string]string
	if len(args) != 5 || !slices.Equal(args[:4], []string{"run", "oidc", "get", "--claims"}) || json.Unmarshal([]byte(args[4]), &claims) != nil || len(claims) != 1 {
		fmt.Fprintln(os.Stderr, "wrong usage")
		return 1
	}
	note(args...)
	fmt.Print(token(claims["aud"]))
	return 0
}

// mint does as its first argument says.
func mint(args []string) int {
	note(args...)
	switch args[0] {
	case "token":
		fmt.Println(token(args[1]))
	case "much":
		fmt.Print(strings.Repeat("S", 1<<20))
	case "fail":
		fmt.Fprintln(os.Stderr, args[1])
		return 3
	}
	return 0
}

// place puts commands on an otherwise empty PATH and returns what notes them.
func place(t *testing.T, names ...string) (notes func() string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if err := os.Symlink(self, filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "notes")
	t.Setenv("PATH", dir)
	t.Setenv("NOTES", path)
	return func() string {
		b, _ := os.ReadFile(path)
		return string(b)
	}
}

func TestBuildkite(t *testing.T) {
	notes := place(t, "buildkite-agent")
	job := in("BUILDKITE", "true")
	get(t, workload.Options{Getenv: job, Audience: ours}, "buildkite", token(ours))
	odd := `$(id) "x" --lifetime 9`
	get(t, workload.Options{Getenv: job, Audience: odd}, "buildkite", token(odd))
	if err := workload.Mask("buildkite").Apply(t.Context(), io.Discard, "SECRET", ""); err != nil {
		t.Error(err)
	}
	want := "oidc|request-token|--audience|" + ours + "|\noidc|request-token|--audience|" + odd + "|\nredactor|add|SECRET\n"
	if got := notes(); got != want {
		t.Errorf("got %q", got)
	}
	place(t)
	refuse(t, workload.Options{Getenv: job, Audience: ours}, []string{"buildkite-agent", "can be reached"})
	if err := workload.Mask("buildkite").Apply(t.Context(), io.Discard, "SECRET"); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("unmasked, and %v", err)
	}
}

func TestCircleCI(t *testing.T) {
	notes := place(t, "circleci")
	job := in("CIRCLECI", "true", "CIRCLE_OIDC_TOKEN", token("org"), "CIRCLE_OIDC_TOKEN_V2", token("org", "v2"))
	get(t, workload.Options{Getenv: job, Audience: ours + `"}`}, "circleci", token(ours+`"}`))
	if !strings.HasPrefix(notes(), "run|oidc|get|--claims|{") {
		t.Errorf("%q", notes())
	}
	place(t) // without the command the organization's token is all there is
	get(t, workload.Options{Getenv: job, Audience: "org"}, "circleci", token("org", "v2"))
	refuse(t, workload.Options{Getenv: job, Audience: ours}, []string{`"org"`, ours})
	refuse(t, workload.Options{Getenv: in("CIRCLECI", "true"), Audience: ours}, []string{"CIRCLE_OIDC_TOKEN_V2 is not set"})
}

func TestCommand(t *testing.T) {
	notes := place(t, "mint")
	run := func(argv ...string) workload.Options {
		return workload.Options{Getenv: in(), Audience: ours, Command: argv}
	}
	get(t, run("mint", "token", ours), "token_command", token(ours))
	if got := notes(); got != "token|"+ours+"\n" {
		t.Errorf("%q", got)
	}
	refuse(t, run("mint", "much"), []string{"printed more"}, "SSSS")
	refuse(t, run("mint", "nothing"), []string{"not a token"})
	refuse(t, run("mint", "fail", "not logged\n in"), []string{`run "mint"`, "exit status 3: not logged in"})
	for _, said := range []string{"token " + token(ours), "cut eyJhbGci", strings.Repeat("S", 81), strings.Repeat("S", 1000)} {
		refuse(t, run("mint", "fail", said), []string{"exit status 3", "not shown"}, "eyJ", "SSSS")
	}
	refuse(t, run("mint;id"), []string{"mint;id"})
	refuse(t, workload.Options{Getenv: in(), Identity: "token_command", Audience: ours}, []string{"no command"})
}
