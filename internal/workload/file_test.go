package workload_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/workload"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The kubelet replaces what a link points to; every use reads anew.
func TestProjected(t *testing.T) {
	dir := t.TempDir()
	link, first, second := filepath.Join(dir, "token"), token(ours), token(ours, "second")
	write(t, filepath.Join(dir, "1"), first+"\n")
	write(t, filepath.Join(dir, "2"), second)
	if err := os.Symlink("1", link); err != nil {
		t.Fatal(err)
	}
	byPlace := workload.Placed(workload.Options{Getenv: in(), Audience: ours}, link, nil)
	byEKS := nowhere(t, workload.Options{Getenv: in("AWS_WEB_IDENTITY_TOKEN_FILE", link), Audience: ours})
	byName := workload.Options{Getenv: in(), File: link, Audience: ours, Identity: "kubernetes"}
	generic := workload.Options{Getenv: in(), File: link, Audience: ours}
	all := func(want string) {
		t.Helper()
		get(t, byPlace, "kubernetes", want)
		get(t, byEKS, "kubernetes", want)
		get(t, byName, "kubernetes", want)
		get(t, generic, "token_file", want)
	}
	all(first)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("2", link); err != nil {
		t.Fatal(err)
	}
	all(second)
}

func TestFileRefused(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	write(t, big, strings.Repeat("SECRET", 1<<20))
	for path, says := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		dir:                        "is not a file",
		"/dev/zero":                "is not a file",
		big:                        "not a token",
	} {
		refuse(t, workload.Options{Getenv: in(), File: path, Audience: ours}, []string{says}, "SECRET")
	}
	refuse(t, workload.Options{Getenv: in(), Identity: "token_file", Audience: ours}, []string{"no file", "token_file"})
	refuse(t, nowhere(t, workload.Options{Getenv: in(), Identity: "kubernetes", Audience: ours}), []string{"no token", "serviceAccountToken"})
}
