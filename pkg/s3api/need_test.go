package s3api

import (
	"os"
	"testing"
)

// NeedPart ends a test for want of a part of the machine: in CI it fails.
func NeedPart(t *testing.T, what, how string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install %s (%v)", what, how, err)
	}
	t.Skipf("%s is missing: install %s", what, how)
}
