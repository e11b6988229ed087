package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

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
