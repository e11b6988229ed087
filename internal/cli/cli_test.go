package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/internal/config"
)

// app is a gimme in w that writes to stderr as it goes.
func (w *world) app(stderr io.Writer) cli.App {
	return cli.App{
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr, Version: "test",
		Getenv:      func(name string) string { return w.env[name] },
		OpenBrowser: func(context.Context, string) error { w.logins++; return nil },
	}
}

// watched calls found with all that was written so far, until it says true.
type watched struct {
	mu    sync.Mutex
	text  bytes.Buffer
	found func(string) bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(p)
	if w.found != nil && w.found(w.text.String()) {
		w.found = nil
	}
	return n, err
}

func TestVersion(t *testing.T) {
	w := newWorld(t)
	if r := w.gimme(t, t.Context(), "version"); r.code != 0 || r.stdout != "gimme test\n" || r.stderr != "" {
		t.Errorf("%+v", r)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		args  []string
		words []string
	}{
		{[]string{"nothing"}, []string{`unknown command "nothing"`, "hint: gimme --help"}},
		{[]string{"--nothing"}, []string{"unknown flag: --nothing", "hint: gimme --help"}},
		{[]string{"version", "x"}, []string{"takes no arguments", "hint: gimme version --help"}},
		{[]string{"version", "--x"}, []string{"unknown flag", "hint: gimme version --help"}},
		{[]string{"proxy"}, []string{"no configuration file is named", "hint: gimme proxy --config"}},
		{[]string{"proxy", "--x"}, []string{"unknown flag", "hint: gimme proxy --help"}},
		{[]string{"demo", "x"}, []string{"takes no arguments"}},
		{[]string{"dev", "x"}, []string{"takes no arguments"}},
		{[]string{"help", "nothing"}, []string{`unknown command "nothing"`}},
		{[]string{"statsu"}, []string{`did you mean "status"?`}},
		{[]string{"s3", "--adress", "x"}, []string{`did you mean "--address"?`}},
	} {
		w.fails(t, t.Context(), 2, test.words, test.args...)
	}
}

// words divides a command line as a shell does, as far as examples go: what
// stands in double quotes is one word.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

// commandLine is gimme's own part of what a person types.
func commandLine(line string) []string {
	_, rest, _ := strings.Cut(line, "gimme ")
	rest, _, _ = strings.Cut(rest, " | ")
	rest, _, _ = strings.Cut(rest, " > ")
	return words("gimme " + strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(rest), `)"`), ")"))
}

// Every example in the help is a command line that is understood, and every
// command says what its exit codes mean.
func TestHelp(t *testing.T) {
	for _, c := range append(everyCommand(cli.Commands()), nil) {
		args := []string{"--help"}
		if c != nil {
			args = append(strings.Fields(c.CommandPath())[1:], "--help")
			if c.Long == "" || c.Short == "" || c.Example == "" {
				t.Errorf("%s has no help", c.Name())
			}
		}
		r := newWorld(t).gimme(t, t.Context(), args...)
		if r.code != 0 || !strings.Contains(r.stdout, "130  interrupted") || r.stderr != "" {
			t.Errorf("%v: %+v", args, r)
		}
		if c == nil {
			continue
		}
		for line := range strings.Lines(c.Example) {
			words := commandLine(line)
			if !strings.HasPrefix(strings.Join(words, " ")+" ", c.CommandPath()+" ") {
				t.Errorf("example %q is not of %s", line, c.CommandPath())
				continue
			}
			understood(t, line, words)
		}
	}
}

// everyCommand are those and all below them.
func everyCommand(those []*cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range those {
		all = append(append(all, c), everyCommand(c.Commands())...)
	}
	return all
}

// understood fails the test unless the words are a command line of gimme.
func understood(t *testing.T, line string, words []string) {
	t.Helper()
	c, rest, err := cli.Commands()[0].Root().Find(words[1:])
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err == nil {
		err = c.Args(c, c.Flags().Args())
	}
	if err != nil {
		t.Errorf("%q: %v", line, err)
	}
}

// Thirty flags in one list are not read. The settings' groups have a heading
// each, and every flag is shown once.
func TestHelpGroupsFlags(t *testing.T) {
	text := newWorld(t).does(t, "s3", "--help").stdout
	last := 0
	for _, words := range []string{"\nExamples:\n", "\nFlags:\n", "\n      --address ", "\n      --dry-run ", "\nFlags about the login:\n", "\n      --flow ", "\n      --timeout ", "\nFlags for jobs and programs", "\n      --token-url "} {
		i := strings.Index(text, words)
		if i < last {
			t.Errorf("%q is not where it should be:\n%s", words, text)
		}
		last = i
	}
	for _, s := range config.Settings() {
		if n := strings.Count(text, "\n      --"+s.Flag()+" "); n != 1 {
			t.Errorf("--%s is shown %d times", s.Flag(), n)
		}
	}
	all := newWorld(t).does(t).stdout
	for _, c := range cli.Commands() {
		if !c.Hidden && !strings.Contains(all, "\n  "+c.Name()+" ") {
			t.Errorf("%s is not shown", c.Name())
		}
	}
}

func TestProxyChecksItsConfiguration(t *testing.T) {
	w := newWorld(t)
	w.write(t, "proxy.yaml", "listen: 127.0.0.1:0\nnonsense: 1\nregion: [1]\n")
	file := w.home + "/proxy.yaml"
	for _, args := range [][]string{{"proxy", "--config", file}, {"proxy", "--config", file, "--check"}} {
		w.fails(t, t.Context(), 1, []string{"the configuration has ", file + ":2:1: unknown key \"nonsense\"", file + ":3:", "hint: correct them"}, args...)
	}
	w.fails(t, t.Context(), 1, []string{"nothing.yaml", "hint"}, "proxy", "--config", w.home+"/nothing.yaml")
}
