package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gimme-broker/gimme/test/process"
)

// A tree is one state of the module, built.
type tree struct {
	name   string
	folder string
	into   string // where its programs are
	gimme  process.Program
}

// trees builds the benchmarks of a commit, and of what is here.
func (g *gate) trees(ctx context.Context, commit string) (base, here *tree, err error) {
	base = &tree{name: "base", folder: filepath.Join(g.folder, "source")}
	here = &tree{name: "here", folder: g.root}
	if err := g.extract(ctx, commit, base.folder); err != nil {
		return nil, nil, err
	}
	for _, t := range []*tree{base, here} {
		t.into = filepath.Join(g.folder, t.name)
		if err := os.MkdirAll(t.into, 0o700); err != nil {
			return nil, nil, err
		}
		if err := t.build(ctx, g.hot); err != nil {
			return nil, nil, err
		}
		if !g.processes {
			continue
		}
		if err := t.buildProgram(); err != nil {
			return nil, nil, err
		}
	}
	return base, here, nil
}

// extract puts the files of a commit into a folder. A work tree of git's would
// stay behind if this were killed.
func (g *gate) extract(ctx context.Context, commit, folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	archive := filepath.Join(g.folder, "source.tar")
	c := exec.CommandContext(ctx, "git", "archive", "--format=tar", "-o", archive, commit)
	c.Dir = g.root
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("get the files of %s: %w: %s", commit, err, said)
	}
	if said, err := exec.CommandContext(ctx, "tar", "-xf", archive, "-C", folder).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack the files of %s: %w: %s", commit, err, said)
	}
	return nil
}

// build builds the tests of the packages. Paths are trimmed, so that those of
// another folder come from the build cache.
func (t *tree) build(ctx context.Context, suites []suite) error {
	args := []string{"test", "-c", "-trimpath", "-buildvcs=false", "-o", t.into + string(filepath.Separator)}
	known := map[string]bool{}
	for _, s := range suites {
		if _, err := os.Stat(filepath.Join(t.folder, s.pkg)); errors.Is(err, fs.ErrNotExist) || known[s.pkg] {
			continue
		}
		known[s.pkg] = true
		args = append(args, "./"+filepath.ToSlash(s.pkg))
	}
	if len(known) == 0 {
		return nil
	}
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env = t.folder, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmarks of %s: %w\n%s", t.folder, err, said)
	}
	return nil
}

// buildProgram builds gimme, and gives it a home of its own: what one of them
// leaves there is nothing to the other.
func (t *tree) buildProgram() error {
	gimme, err := process.Build(t.folder, "./cmd/gimme", t.into, "gimme")
	if err != nil {
		return err
	}
	folder := filepath.Join(t.into, "home")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	home, err := process.NewHome(folder)
	if err != nil {
		return err
	}
	t.gimme = home.CachedCredentials(gimme)
	return nil
}

// binary is the test program of a package; ok is false where it has no tests.
func (t *tree) binary(pkg string) (path string, ok bool) {
	path = filepath.Join(t.into, filepath.Base(pkg)+".test")
	_, err := os.Stat(path)
	return path, err == nil
}
