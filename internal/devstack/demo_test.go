package devstack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tell tells the story with s, in a temporary folder that must be empty again
// in the end.
func tell(t *testing.T, s *standIn) (string, error) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	var out bytes.Buffer
	err := demo(t.Context(), Options{Gimme: s.gimme, Out: &out}, s.recipe())
	if left, globErr := filepath.Glob(folder + "/*"); globErr != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, globErr)
	}
	return out.String(), err
}

func TestDemoTellsTheStory(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDMINE")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
	t.Setenv("AWS_PROFILE", "mine")
	out, err := tell(t, newStandIn())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"$ gimme s3 --address http://127.0.0.1:",
		"    profile written",
		"✓ alice@example.com is logged in",
		"$ aws s3 rm s3://acme-lake/customers/customers.csv --profile sidecar",
		"alice@example.com may not DeleteObject s3://acme-lake/customers/customers.csv (label SENSITIVE)",
		"✓ blocked, and the object is still there",
		"bob@example.com may not GetObject s3://acme-lake/customers/customers.csv (label SENSITIVE)",
		"alice  DeleteObject               acme-lake/customers/customers.csv  blocked  because",
		"Every step came out as it should.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the story does not say %q", want)
		}
	}
	if strings.Contains(out, "✗") || strings.Contains(out, "\x1b") {
		t.Error("a step went wrong, or colours are written to what is no terminal")
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") != "AKIDMINE" || os.Getenv("AWS_PROFILE") != "mine" {
		t.Error("the environment was not put back")
	}
}

func TestDemoFailsAtTheFirstWrongStep(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*standIn)
		step  string // that the error names
		why   string
	}{
		"deletes are allowed": {
			func(s *standIn) { s.allows = func(string, string, string) bool { return true } },
			"aws s3 rm ", "DeleteObject was allowed",
		},
		"bob reads what is sensitive": {
			func(s *standIn) {
				s.allows = func(_, operation, _ string) bool { return operation != "DeleteObject" }
			},
			"aws s3api get-object", "GetObject was allowed",
		},
		"alice may not write": {
			func(s *standIn) {
				s.allows = func(_, operation, _ string) bool { return operation != "PutObject" }
			},
			"aws s3 cp customers.csv", "AccessDenied",
		},
		"the sentence does not name the policy": {
			func(s *standIn) { s.sentence = "%[1]s may not %[2]s s3://%[3]s (label SENSITIVE)" },
			"aws s3 rm ", `does not name "policy customer-data"`,
		},
		"the sentence does not name the label": {
			func(s *standIn) { s.sentence = strings.Replace(honest, "SENSITIVE", "SECRET", 1) },
			"aws s3 rm ", `does not name "SENSITIVE"`,
		},
		"the object is gone all the same": {
			func(s *standIn) { s.deletes = true },
			"aws s3 rm ", "after a delete that was refused",
		},
		"outcomes are not on record": {
			func(s *standIn) { s.mute = true },
			"cat audit.jsonl", "no outcome is on record for PutObject",
		},
		"a decision is not on record": {
			func(s *standIn) { s.forgets = "HeadObject" },
			"cat audit.jsonl", "event 7 on record is {decision alice@example.com GetObject",
		},
		"a refusal is on record without its policy": {
			func(s *standIn) { s.policy = "other" },
			"cat audit.jsonl", "is not on record as blocked by policy customer-data",
		},
		"the profile leads to AWS": {
			func(s *standIn) { s.blind = true },
			"aws s3 cp customers.csv", "the demo stays on this machine",
		},
		"gimme writes to standard output": {
			func(s *standIn) { s.loud = true },
			"gimme s3 ", `gimme wrote to standard output: "hello\n"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn()
			c.spoil(s)
			out, err := tell(t, s)
			if err == nil || !strings.Contains(err.Error(), c.step) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, want %q in %q", err, c.why, c.step)
			}
			if strings.Count(out, "✗") != 1 || strings.Contains(out, "Every step came out") {
				t.Errorf("the story says otherwise:\n%s", out)
			}
		})
	}
}

func TestDemoFailsWhenGimmeFails(t *testing.T) {
	s := newStandIn()
	var out bytes.Buffer
	err := demo(t.Context(), Options{Out: &out, Gimme: func(_ context.Context, g Invocation) int {
		if g.Env["HOME"] == os.Getenv("HOME") || g.Env["AWS_PROFILE"] != "" || !strings.HasPrefix(g.Env["AWS_CONFIG_FILE"], g.Env["HOME"]) {
			t.Errorf("gimme was run with %v", g.Env)
		}
		return 4
	}}, s.recipe())
	if err == nil || !strings.Contains(err.Error(), "step 1 of 12") || !strings.Contains(err.Error(), "exit code 4") {
		t.Errorf("got %v", err)
	}
}

func TestDemoStopsWhenThePersonCannotLogIn(t *testing.T) {
	s := newStandIn()
	var out bytes.Buffer
	err := demo(t.Context(), Options{Out: &out, Gimme: func(ctx context.Context, g Invocation) int {
		if err := g.OpenBrowser(ctx, s.issuer+"/login?id=unknown"); err != nil {
			t.Error(err)
		}
		<-ctx.Done() // as a login waits for somebody who never comes back
		return 1
	}}, s.recipe())
	if err == nil || !strings.Contains(err.Error(), "410 Gone") {
		t.Errorf("got %v", err)
	}
}

func TestDemoWithABrowser(t *testing.T) {
	s := newStandIn()
	var out bytes.Buffer
	opened := errors.New("opened")
	err := demo(t.Context(), Options{
		Out: &out, Browser: true, OpenBrowser: func(context.Context, string) error { return opened },
		Gimme: func(ctx context.Context, g Invocation) int {
			if err := g.OpenBrowser(ctx, "http://127.0.0.1:1"); !errors.Is(err, opened) {
				t.Errorf("another browser was opened: %v", err)
			}
			return 1
		},
	}, s.recipe())
	if err == nil || !strings.Contains(out.String(), "Log in as alice@example.com with the password ") {
		t.Errorf("got %v\n%s", err, out.String())
	}
}

func TestDevStaysUntilItsEnd(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s := newStandIn()
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	var out bytes.Buffer
	if err := dev(ctx, Options{Out: &out}, s.recipe()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		s.url, s.issuer, "alice@example.com", "bob@example.com", "group data-engineering", "datamap.yaml", "customer-data.yaml", "audit.jsonl",
		"export AWS_CONFIG_FILE=", "GIMME_CONFIG=", "GIMME_STATE_DIR=", "gimme s3 --address " + s.url + " --profile sidecar", "customers.csv s3://acme-lake/customers/ --profile sidecar",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not told:\n%s", want, out.String())
		}
	}
	if left, err := filepath.Glob(folder + "/*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNothingStaysWhenTheSidecarDoesNotStart(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	errBroken := errors.New("broken")
	broken := recipe{sidecar: func(string, *slog.Logger) (sidecar, error) { return sidecar{}, errBroken }}
	for _, run := range []func(context.Context, Options, recipe) error{demo, dev} {
		err := run(t.Context(), Options{Out: io.Discard, Gimme: newStandIn().gimme}, broken)
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
	}
	if left, err := filepath.Glob(folder + "/*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
