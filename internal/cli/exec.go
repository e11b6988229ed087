package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes of a command that could not be run, as shells have them.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func (a App) exec() *cobra.Command {
	c := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENTS]",
		Short: "Run a command with the credentials of a profile",
		Long: `Runs a command that uses the profile: by its name (AWS_PROFILE) where the AWS files
have it with a credential_process, so that credentials are renewed while the
command runs, and otherwise, or with --keys, with the keys themselves in its
environment. Variables that would come before them are taken out.

It ends with the command's exit code; 127 if there is no such command, 126 if it
cannot be run.`,
		Example: `  gimme exec --profile sidecar -- aws s3 ls
  gimme exec --profile sidecar --keys -- python3 train.py
  gimme exec --profile ci --address https://s3.sidecar.example -- make publish`,
	}
	flags := c.Flags()
	profileFlag(flags)
	flags.Bool("keys", false, "give the keys, not the profile's name")
	settingFlags(flags)
	loginFlags(flags)
	flags.SetInterspersed(false) // what follows the command is the command's
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("gimme exec --profile sidecar -- aws s3 ls", "no command is given")
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error { return a.runExec(c.Context(), flags, args) }
	return c
}

func (a App) runExec(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	p, err := a.plan(flags)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return notRun(args[0], err)
	}
	keys, _ := flags.GetBool("keys")
	byName := !keys && a.answers(p)
	got, err := a.obtain(ctx, p, flags)
	if err != nil {
		return err
	}
	a.keepRole(ctx, p)
	vars := []string{"AWS_PROFILE=" + p.name}
	if !byName {
		vars = nil
		for _, v := range variables(got.Credentials) {
			vars = append(vars, v.Name+"="+v.Value)
		}
	}
	return a.become(path, args, with(scrubbed(a.environ()), vars))
}

// answers says whether the profile's name is enough for programs: it has a
// credential_process of ours, which comes to the same credentials as this run.
func (a App) answers(p *plan) bool {
	found, err := p.files.Find(p.name)
	filed, ok := p.file.Profile(p.name)
	return err == nil && found.ProcessArgs != nil && !found.Shadowed && ok && reflect.DeepEqual(filed, p.settings)
}

// notRun says why a command was not run.
func notRun(name string, err error) error {
	f := &failure{code: exitNotExecutable}
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		f.code, f.hint = exitNotFound, "is it spelled right, and in a folder of PATH?"
	case errors.Is(err, fs.ErrPermission):
		f.hint = "make it executable: chmod +x"
	case errors.Is(err, syscall.ENOEXEC):
		f.hint = "it is no program of this system; a script needs a first line such as #!/bin/sh"
	case errors.Is(err, exec.ErrDot):
		f.hint = "say that it is meant: ./" + name
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	f.err = fmt.Errorf("run %q: %w", name, err)
	return f
}

// An exitCode is how the command that was run ended. Nothing is said of it.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("the command ended with %d", int(e)) }

// environ is the environment of the programs that are started.
func (a App) environ() []string {
	if a.Environ == nil {
		return os.Environ()
	}
	return a.Environ
}

// scrubbed is env without what would come before a profile or keys.
func scrubbed(env []string) []string {
	conflicting := []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	}
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name := nameOf(entry)
		return slices.Contains(conflicting, name) || strings.HasPrefix(name, "AWS_CONTAINER_") || strings.HasPrefix(name, "AWS_ENDPOINT_URL")
	})
}

// with is env with vars in the place of those that have the same names.
func with(env, vars []string) []string {
	env = slices.DeleteFunc(env, func(entry string) bool {
		return slices.ContainsFunc(vars, func(v string) bool { return nameOf(v) == nameOf(entry) })
	})
	return append(env, vars...)
}

// nameOf is the name of a variable. Windows does not tell capitals from small
// letters there.
func nameOf(entry string) string {
	name, _, _ := strings.Cut(entry, "=")
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
