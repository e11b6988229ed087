package workload_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/internal/shellenv"
	"github.com/gimme-broker/gimme/internal/workload"
)

// docs/ci.md tells of every system and format, as they are.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(data)
	for _, s := range workload.Systems() {
		if row := "| `" + s.Name + "` | " + s.Signs + " | " + s.Audience + " | " + s.Add + " |\n"; !strings.Contains(docs, row) {
			t.Errorf("no row %q", row)
		}
	}
	for _, f := range shellenv.Formats() {
		if row := "\n| `" + string(f) + "` | "; !strings.Contains(docs, row) {
			t.Errorf("no row %q", row)
		}
	}
	kinds := map[string]int{}
	for kind, text := range blocks(docs) {
		kinds[kind]++
		switch kind {
		case "json":
			if !json.Valid([]byte(text)) {
				t.Errorf("not JSON:\n%s", text)
			}
		case "yaml":
			checkYAML(t, text)
		}
	}
	if want := map[string]int{"yaml": 4, "json": 1, "groovy": 1}; !maps.Equal(kinds, want) {
		t.Errorf("got %v", kinds)
	}
}

// checkYAML holds a job to asking for a token, and for the audience that is
// the sidecar's address.
func checkYAML(t *testing.T, text string) {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Errorf("%v in\n%s", err, text)
		return
	}
	if list, ok := doc["list"].(map[string]any); ok {
		aud := list["id_tokens"].(map[string]any)[workload.DefaultEnv].(map[string]any)["aud"]
		if address := list["variables"].(map[string]any)["GIMME_ADDRESS"]; aud != address {
			t.Errorf("the GitLab job has audience %v and address %v", aud, address)
		}
	}
	if p, ok := doc["permissions"].(map[string]any); ok && p["id-token"] != "write" {
		t.Errorf("the GitHub job has permissions %v", p)
	}
}

// blocks yields the code of a page, with its kind.
func blocks(page string) func(func(kind, text string) bool) {
	return func(yield func(string, string) bool) {
		parts := strings.Split(page, "```")
		for i := 1; i < len(parts); i += 2 {
			kind, text, _ := strings.Cut(parts[i], "\n")
			if !yield(kind, text) {
				return
			}
		}
	}
}
