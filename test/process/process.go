// Package process times whole programs, from their start to their end, in turn:
// what else the machine does then falls on all of them alike. It is for tests
// and benchmarks.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// Build builds the program of a package, named relative to folder, as releases
// are built, and returns its path: name, in the folder into.
//
// The program is a copy, as one that was installed is. Linux keeps in smaller
// pieces what the linker wrote here and there, and such a program takes a fifth
// longer to start.
func Build(folder, pkg, into, name string) (string, error) {
	out := filepath.Join(into, name)
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	linked := out + ".linked"
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", linked, pkg)
	c.Dir, c.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s in %s: %w\n%s", pkg, folder, err, said)
	}
	program, err := os.ReadFile(linked)
	if err == nil {
		err = os.WriteFile(out, program, 0o700)
	}
	return out, errors.Join(err, os.Remove(linked))
}

// Profile is the one that a Home has.
const Profile = "sidecar"

// A Home is that of a person who has one profile, with credentials at hand.
type Home struct {
	Env    []string // whole: programs get nothing else
	Config string   // the file
	Folder string   // of the store
	Key    string   // of the credentials in the store
	Store  *store.Store
}

// NewHome makes one in an empty folder. Its credentials last for an hour.
func NewHome(folder string) (*Home, error) {
	h := &Home{Config: filepath.Join(folder, "config.yaml"), Folder: filepath.Join(folder, "state")}
	env := map[string]string{"HOME": folder, "GIMME_CONFIG": h.Config, "GIMME_STATE_DIR": h.Folder}
	for name, value := range env {
		h.Env = append(h.Env, name+"="+value)
	}
	slices.Sort(h.Env)
	settings := "profiles:\n  " + Profile + ":\n    address: https://s3.sidecar.example\n    role: data-engineering\n"
	if err := os.WriteFile(h.Config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	file, err := config.Load(h.Config)
	if err != nil {
		return nil, err
	}
	s, err := config.Resolve(func(string) (string, bool) { return "", false }, func(name string) string { return env[name] }, file, Profile)
	if err != nil {
		return nil, err
	}
	h.Key = broker.Request{Address: s.Address, Role: s.Role, Scopes: s.Scopes, Duration: s.Duration}.Key()
	h.Store = store.Open(h.Folder, store.Options{})
	now := time.Now()
	return h, h.Store.PutCredentials(h.Key, &store.Credentials{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.New("secret"), SessionToken: secret.New("g1." + string(bytes.Repeat([]byte("x"), 1000))),
		Issued: now, Expires: now.Add(time.Hour), Role: "arn:aws:iam::111122223333:role/data-engineering", Endpoint: "https://s3.sidecar.example",
	})
}

// A Program is one that is timed.
type Program struct {
	Name string
	Args []string // with the program's path
	Env  []string // whole
}

// CachedCredentials is gimme, asked as SDKs ask it.
func (h *Home) CachedCredentials(gimme string) Program {
	return h.Program(gimme, "credential-process", "--profile", Profile)
}

// Program is gimme with some arguments.
func (h *Home) Program(gimme string, args ...string) Program {
	return Program{Name: "gimme", Args: append([]string{gimme}, args...), Env: h.Env}
}

// InTurn runs each program n times, one after the other, and returns the times
// of each, the shortest first. The first program that
// fails, or says nothing, ends it.
func InTurn(n int, programs ...Program) ([][]time.Duration, error) {
	times := make([][]time.Duration, len(programs))
	for i := range n {
		for j := range programs {
			if i%2 == 1 { // there and back
				j = len(programs) - 1 - j
			}
			took, err := programs[j].run()
			if err != nil {
				return nil, err
			}
			times[j] = append(times[j], took)
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	return times, nil
}

func (p Program) run() (time.Duration, error) {
	c := exec.Command(p.Args[0], p.Args[1:]...)
	c.Env = p.Env
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	began := time.Now()
	err := c.Run()
	took := time.Since(began)
	if err == nil && out.Len()+said.Len() == 0 {
		err = errors.New("it printed nothing")
	}
	if err != nil {
		return 0, fmt.Errorf("%q: %w: %s", p.Args, err, &said)
	}
	return took, nil
}

// Median is that of sorted times.
func Median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// Times is how many times longer a takes than b, in the median.
func Times(a, b []time.Duration) float64 { return float64(Median(a)) / float64(Median(b)) }
