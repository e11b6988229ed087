package e2e_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLacksAreDocumented compares what the table of clients says with what is
// written for people.
func TestLacksAreDocumented(t *testing.T) {
	_, text, _ := strings.Cut(readFile(t, filepath.Join("..", "..", "docs", "clients.md")), "### What they lack\n")
	for _, p := range s3Programs() {
		_, row, found := strings.Cut(text, "\n| "+p.name+" | ")
		row, _, _ = strings.Cut(row, "\n")
		if len(p.lacks)+len(p.cannot) > 0 && !found {
			t.Errorf("docs/clients.md does not say what %s lacks", p.name)
		}
		for _, why := range slices.Concat(slices.Collect(maps.Values(p.lacks)), slices.Collect(maps.Values(p.cannot))) {
			if !strings.Contains(row, why) {
				t.Errorf("of %s, docs/clients.md does not say %q", p.name, why)
			}
		}
	}
}

// documented is the block of docs/clients.md that begins so, with what is in
// place here in place of the examples. What is documented is what is tested.
func (p s3Place) documented(t *testing.T, language, begin string) string {
	t.Helper()
	text := readFile(t, filepath.Join("..", "..", "docs", "clients.md"))
	_, block, found := strings.Cut(text, "```"+language+"\n"+begin)
	block, _, whole := strings.Cut(block, "```")
	if !found || !whole {
		t.Fatalf("docs/clients.md has no block that begins with %q", begin)
	}
	return strings.NewReplacer(
		"https://s3.sidecar.example", p.address, "s3.sidecar.example", p.host,
		"eu-west-1", "us-east-1", "/etc/company/ca.pem", p.ca,
		"key_id = ...", "key_id = "+p.keys.AccessKeyID, "access_key = ...", "access_key = "+p.keys.SecretAccessKey, "token = ...", "token = "+p.keys.SessionToken,
	).Replace(begin + block)
}
