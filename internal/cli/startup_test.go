package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/test/process"
)

// How many times longer than a program that prints a constant gimme may take,
// whole process against whole process: a cached credential_process, and any
// other command that only has to say something.
const (
	mostTimesCached = 2.5
	mostTimes       = 12
)

// A race has gimme and that program, built as releases are.
type race struct {
	*process.Home
	constant, gimme string
}

func newRace(t testing.TB) race {
	t.Helper()
	folder := t.TempDir()
	build := func(name, from string) string {
		path, err := process.Build("../..", from, folder, name)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	home, err := process.NewHome(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return race{home, build("constant", "./test/process/constant"), build("gimme", "./cmd/gimme")}
}

// against runs a program and the constant one n times each, in turn. It returns
// how many times longer the program took, and its median in milliseconds.
func (r race) against(t testing.TB, n int, p process.Program) (times, ms float64) {
	t.Helper()
	took, err := process.InTurn(n, process.Program{Args: []string{r.constant}}, p)
	if err != nil {
		t.Fatal(err)
	}
	return process.Times(took[1], took[0]), process.Median(took[1]).Seconds() * 1000
}

// best is the fewest times of some rounds: what else goes on makes both slower,
// and never gimme faster. It ends as soon as they are few enough.
func (r race) best(t testing.TB, enough float64, n int, p process.Program) float64 {
	best, _ := r.against(t, n, p)
	for range 20 {
		if best <= enough {
			break
		}
		again, _ := r.against(t, n, p)
		best = min(best, again)
	}
	return best
}

const shows = "GODEBUG=inittrace=1 shows what starts up"

func TestStartUp(t *testing.T) {
	r := newRace(t)
	if times := r.best(t, mostTimesCached, 20, r.CachedCredentials(r.gimme)); times > mostTimesCached {
		t.Errorf("a cached credential-process takes %.2f times a program that prints a constant, more than %.1f; %s", times, mostTimesCached, shows)
	}
	for _, p := range r.programs(t) {
		if times := r.best(t, mostTimes, 5, p); times > mostTimes {
			t.Errorf("%s takes %.1f times a program that prints a constant, more than %d; %s", p.Name, times, mostTimes, shows)
		}
	}
}

// programs are all commands, with what each can do at once: its help, and where
// that needs little, its work.
func (r race) programs(t testing.TB) []process.Program {
	t.Helper()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	dataMap := write("datamap.yaml", "SENSITIVE:\n  - {repo: S3, attributes: [lake/customers/]}\n")
	policies := filepath.Dir(write("policies/customers.yaml", "name: customers\ndata: [SENSITIVE]\nrules:\n  - reads: [{data: [SENSITIVE]}]\n"))
	log := filepath.Join(folder, "audit.jsonl")
	l, err := audit.Open(log)
	must(t, err)
	must(t, l.Write(audit.Event{ID: "C5UTGYOSCVMPLBGRYMRCLXS5XL", Kind: audit.KindAdmin, Request: &audit.Request{Operation: "start"}}))
	must(t, l.Close())

	lines := [][]string{
		{}, {"--version"}, {"version"}, {"help", "s3"}, {"man"}, {"man", "s3"},
		{"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"completion", "powershell"},
		{"__complete", "s3", "--profile", ""},
		{"status"}, {"status", "--json"},
		{"policy", "check", dataMap, policies},
		{"log", "verify", log},
	}
	var add func(above []string, c *cobra.Command)
	add = func(above []string, c *cobra.Command) {
		path := append(slices.Clone(above), c.Name())
		lines = append(lines, append(slices.Clone(path), "--help"))
		for _, sub := range c.Commands() {
			add(path, sub)
		}
	}
	for _, c := range cli.Commands() {
		add(nil, c)
	}
	var all []process.Program
	for _, line := range lines {
		p := r.Program(r.gimme, line...)
		p.Name = strings.ReplaceAll(strings.Join(append([]string{"gimme"}, line...), " "), folder+string(filepath.Separator), "")
		all = append(all, p)
	}
	return all
}

// BenchmarkStartUp runs each program 40 times, in turn with the constant one.
// The aws CLI is there to compare with, where there is one.
func BenchmarkStartUp(b *testing.B) {
	r := newRace(b)
	cached := r.CachedCredentials(r.gimme)
	cached.Name = "gimme credential-process, cached"
	all := append([]process.Program{{Name: "constant", Args: []string{r.constant}}, cached}, r.programs(b)...)
	if aws, err := exec.LookPath("aws"); err == nil {
		all = append(all, process.Program{Name: "aws --version", Args: []string{aws, "--version"}, Env: os.Environ()})
	}
	for _, p := range all {
		b.Run(p.Name, func(b *testing.B) {
			n := 40
			if p.Args[0] != r.gimme && p.Args[0] != r.constant {
				n = 5
			}
			for b.Loop() {
				times, ms := r.against(b, n, p)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ms, "ms")
				b.ReportMetric(times, "times")
			}
		})
	}
}
