package cli_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/internal/config"
)

// docs/clients.md tells of every setting, and its command lines are understood.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(data)
	for _, s := range config.Settings() {
		if row := "| `" + s.Key + "` | `--" + s.Flag() + "` | `" + s.Variable() + "` |"; !strings.Contains(docs, row) {
			t.Errorf("no row %q", row)
		}
	}
	if n := examples(t, docs); n < 2 {
		t.Errorf("only %d examples", n)
	}
}

// examples checks the command lines in the code of docs, and counts them.
func examples(t *testing.T, docs string) (n int) {
	t.Helper()
	code := false
	for line := range strings.Lines(docs) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		words := words(line)
		if !code || len(words) < 2 || words[0] != "gimme" {
			continue
		}
		known := false
		for _, c := range cli.Commands() {
			if c.Name() != words[1] {
				continue
			}
			known, n = true, n+1
			understood(t, line, words)
		}
		if !known {
			t.Errorf("%q: there is no such command", line)
		}
	}
	return n
}

// docs/commands.md has a chapter for each command of the client, which tells of
// all its own flags.
func TestDocsOfCommands(t *testing.T) {
	data, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(data)
	if n := examples(t, docs); n < 20 {
		t.Errorf("only %d examples", n)
	}
	others := []string{"proxy", "proxy service-key", "policy", "log", "demo", "dev", "version", "help"}
	shared := []string{"help", "profile", "no-browser", "timeout", "force"} // in docs/clients.md
	for _, s := range config.Settings() {
		shared = append(shared, s.Flag())
	}
	for _, c := range everyCommand(cli.Commands()) {
		name := strings.TrimPrefix(c.CommandPath(), "gimme ")
		if c.Hidden || slices.Contains(others, name) {
			continue
		}
		_, chapter, found := strings.Cut(docs, "\n## "+name+"\n")
		if !found {
			t.Errorf("no chapter of %s", name)
			continue
		}
		chapter, _, _ = strings.Cut(chapter, "\n## ")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !slices.Contains(shared, f.Name) && !strings.Contains(chapter, "--"+f.Name) {
				t.Errorf("the chapter of %s does not tell of --%s", name, f.Name)
			}
		})
	}
}

// blocks are the fenced texts of docs that begin with the comment "# NAME", by
// that name.
func blocks(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	parts := strings.Split(string(data), "\n```")
	for i := 1; i < len(parts); i += 2 {
		_, content, _ := strings.Cut(parts[i], "\n")
		first, _, _ := strings.Cut(content, "\n")
		if name, ok := strings.CutPrefix(first, "# "); ok {
			found[name] = content + "\n"
		}
	}
	return found
}

// The command lines of docs/policy-tools.md are understood, and its tests pass
// over the example of docs/policy.md.
func TestDocsOfPolicyTools(t *testing.T) {
	data, err := os.ReadFile("../../docs/policy-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := examples(t, string(data)); n < 6 {
		t.Errorf("only %d examples", n)
	}
	w := newWorld(t)
	files := blocks(t, "policy.md")
	files["policies/policies_test.yaml"] = blocks(t, "policy-tools.md")["policies/policies_test.yaml"]
	if len(files) < 5 || files["datamap.yaml"] == "" {
		t.Fatalf("only %d files", len(files))
	}
	for name, content := range files {
		w.write(t, "docs/"+name, content)
	}
	r := w.does(t, "policy", "test", w.home+"/docs")
	says(t, r.stderr, "6 tests with 12 requests: 6 passed")
}
