package devstack

import (
	"context"
	"errors"
	"fmt"
)

// Demo tells the story of two people and one bucket, and checks every step of
// it. The error names the first step that came out wrong.
//
// It takes the AWS_ variables out of the process's environment meanwhile, and
// so must be the only thing that the process does.
func Demo(ctx context.Context, o Options) error { return demo(ctx, o, standard()) }

func demo(ctx context.Context, o Options, r recipe) (err error) {
	if o.Gimme == nil || o.Out == nil || (o.Browser && o.OpenBrowser == nil) {
		return errors.New("demo: the gimme command, an output, or a browser is missing")
	}
	defer withoutAWSVariables()()
	s, err := newStack(ctx, r, o.log())
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	t := &story{stack: s, teller: newTeller(o.Out), options: o, recipe: r}
	t.opening()
	if err := t.tell(ctx, t.steps()); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	t.heading("Every step came out as it should.")
	t.line("The servers are stopped and the folder is gone. To try it by hand: gimme dev")
	return nil
}

// A story is one telling.
type story struct {
	*stack
	*teller
	options Options
	recipe  recipe
}

// A step is one thing that a person does.
type step struct {
	chapter string // begins with this step; empty: the last one goes on
	command string // as it would be typed
	run     func(ctx context.Context) (outcome string, err error)
}

func (t *story) opening() {
	t.heading("gimme demo: an identity provider, an S3 server and the sidecar, all on this machine")
	t.line("")
	t.table([][]string{
		{"sidecar", t.url},
		{"identity provider", t.provider.Issuer()},
		{"S3 server", t.s3.Endpoint(), "bucket " + lake},
	}, nil)
	t.line("")
	t.table([][]string{
		{"s3://" + lake + "/customers/", "is SENSITIVE", "policy customer-data: data engineers read and update it, nobody deletes it"},
		{"s3://" + lake + "/public/", "is PUBLIC", "policy public-data: everyone reads it"},
	}, nil)
	t.line("")
	t.line("The aws lines are run by the AWS SDK in this process; the aws CLI is not needed.")
	t.line("Home is a temporary folder: your own files stay as they are.")
	if !t.options.Browser {
		t.line("The login page is filled in without a browser; gimme demo --browser opens yours.")
	}
}

// tell goes through the steps and stops at the first that comes out wrong.
func (t *story) tell(ctx context.Context, steps []step) error {
	for n, s := range steps {
		if s.chapter != "" {
			t.heading(s.chapter)
		}
		t.command(s.command)
		outcome, err := s.run(ctx)
		if err != nil {
			t.wrong(err.Error())
			return fmt.Errorf("step %d of %d, %q: %w", n+1, len(steps), s.command, err)
		}
		t.right(outcome)
	}
	return nil
}
