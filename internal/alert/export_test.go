package alert

import (
	"testing"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Signature signs with a key.
func Signature(t *testing.T, key secret.Text, id, stamp, body string) string {
	t.Helper()
	raw, err := keyOf(key)
	if err != nil {
		t.Fatal(err)
	}
	return signature(raw, id, stamp, []byte(body))
}
