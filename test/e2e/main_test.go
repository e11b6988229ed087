package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// gimme is the binary under test, built with the race detector. A test binary
// that runs inside a network namespace is told where it is.
var gimme = os.Getenv("GIMME_E2E_BINARY")

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if gimme != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "gimme-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	gimme = filepath.Join(folder, "gimme")
	build := exec.Command("go", "build", "-race", "-o", gimme, "./cmd/gimme")
	build.Dir = filepath.Join("..", "..")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build gimme:", err)
		return 1
	}
	return m.Run()
}
