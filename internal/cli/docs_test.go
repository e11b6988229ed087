package cli_test

import (
	"os"
	"strings"
	"testing"

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
	examples := 0
	for line := range strings.Lines(docs) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "gimme" {
			continue
		}
		for _, c := range cli.Commands() {
			if c.Name() != words[1] {
				continue
			}
			examples++
			if err := c.ParseFlags(words[2:]); err != nil || c.Args(c, c.Flags().Args()) != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	if examples < 2 {
		t.Errorf("only %d examples", examples)
	}
}
