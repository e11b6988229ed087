package login

import (
	"io/fs"

	"github.com/gimme-broker/gimme/internal/secret"
)

func Challenge(verifier string) string { return challenge(secret.New(verifier)) }

func NewVerifier() string { return newVerifier().Reveal() }

func LookAt(getenv func(string) string, root fs.FS, system, hostname string) Machine {
	return look(getenv, root, system, hostname)
}

func Commands(getenv func(string) string, system string, wsl bool, url string) [][]string {
	return commands(getenv, system, wsl, url)
}

func Holder(proc fs.FS, port int) string { return holder(proc, port) }
