package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A part is something that the tests drive and do not make themselves. find
// returns its path.
type part struct {
	name string
	find func() (string, error)
}

// The parts. `make setup` installs all of them.
var (
	awsCLI     = part{"the aws CLI", func() (string, error) { return unshimmed("aws") }}
	boto3      = part{"python3 with boto3", findBoto3}
	browser    = part{"Chromium", func() (string, error) { return exec.LookPath("chromium") }}
	curl       = part{"curl", func() (string, error) { return exec.LookPath("curl") }}
	nodeParts  = part{"the Node packages of test/e2e/node", findNode}
	rclonePart = part{"rclone", func() (string, error) { return exec.LookPath("rclone") }}
	s3cmdPart  = part{"s3cmd", func() (string, error) { return exec.LookPath("s3cmd") }}
	versitygw  = part{"versitygw", func() (string, error) { return built("versitygw") }}
	bus        = part{"dbus-daemon", func() (string, error) { return exec.LookPath("dbus-daemon") }}
	keyring    = part{"gnome-keyring-daemon", func() (string, error) { return exec.LookPath("gnome-keyring-daemon") }}
	secretTool = part{"secret-tool", func() (string, error) { return exec.LookPath("secret-tool") }}
	namespace  = part{"root, unshare, ip and mount", findNamespace}
)

// need returns the path of p. Without it the test cannot be run: that is a
// failure where CI is set, and a skip on a person's machine.
func need(t *testing.T, p part) string {
	t.Helper()
	path, err := p.find()
	if err == nil {
		return path
	}
	text := fmt.Sprintf("%s is missing (%v): make setup installs it", p.name, err)
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// built finds a tool that the Makefile builds.
func built(name string) (string, error) {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		return "", err
	}
	_, err = os.Stat(path)
	return path, err
}

// unshimmed finds a program as exec.LookPath does, behind the shim of a version
// manager that would look for its versions in HOME, which the tests move.
func unshimmed(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil || !strings.Contains(path, "/shims/") {
		return path, err
	}
	out, err := exec.Command("pyenv", "which", name).Output()
	if err != nil {
		return "", fmt.Errorf("pyenv which %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func findBoto3() (string, error) {
	python, err := unshimmed("python3")
	if err != nil {
		return "", err
	}
	return python, exec.Command(python, "-c", "import boto3").Run()
}

func findNode() (string, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", err
	}
	folder, err := filepath.Abs("node")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"oidc-provider", "playwright-core", "@aws-sdk/client-s3", "@aws-sdk/lib-storage", "@aws-sdk/s3-request-presigner", "@cloud-copilot/iam-simulate"} {
		if _, err := os.Stat(filepath.Join(folder, "node_modules", name)); err != nil {
			return "", err
		}
	}
	return folder, nil
}

func findNamespace() (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("a network namespace needs root")
	}
	for _, name := range []string{"ip", "mount"} {
		if _, err := exec.LookPath(name); err != nil {
			return "", err
		}
	}
	return exec.LookPath("unshare")
}
