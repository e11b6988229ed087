package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/gimme-broker/gimme/internal/store"
)

// obtained are the credentials of a plan.
type obtained struct {
	*store.Credentials
	atHand bool // nothing had to be asked of anybody
}

// obtain gets the credentials of a plan. A role that the person chooses on the
// way becomes the plan's.
func (a App) obtain(ctx context.Context, p *plan, flags *pflag.FlagSet) (obtained, error) {
	t := a.terminal()
	defer t.close()
	told := a.progress()
	defer told.end()
	ask, err := a.ask(p, flags, t, told)
	if err != nil {
		return obtained{}, err
	}
	b, err := a.broker(p, ask)
	if err != nil {
		return obtained{}, err
	}
	b.Notify = told.broker
	if t != nil {
		b.Choose = func(ctx context.Context, roles []string) (role string, err error) {
			told.end()
			p.chosen, err = pick(ctx, t, roles)
			return p.chosen, err
		}
	}
	_, before, err := b.Known(p.request())
	if err != nil {
		before = nil // what is wrong with it is said by who gets new ones
	}
	got, err := b.Credentials(ctx, p.request())
	if err != nil {
		return obtained{}, brokerFailure(err)
	}
	if p.chosen != "" { // under the name that the next run looks for
		p.settings.Role = p.chosen
		if err := b.Store.PutCredentials(p.request().Key(), got); err != nil {
			fmt.Fprintf(a.Stderr, "Note: the credentials could not be kept: %s.\n", printable(err.Error()))
		}
	}
	return obtained{got, before != nil && before.SessionToken.Equal(got.SessionToken)}, ctx.Err()
}

// keepRole puts the role that was chosen into the settings of a profile that
// has some, and leaves the others as they stand there.
func (a App) keepRole(ctx context.Context, p *plan) {
	was, ok := p.file.Profile(p.name)
	if !ok || p.chosen == "" {
		return
	}
	was.Role = p.chosen
	if _, err := p.file.Save(context.WithoutCancel(ctx), p.name, was); err != nil {
		fmt.Fprintf(a.Stderr, "Note: the role could not be kept in %s: %s.\n", p.file.Path(), printable(err.Error()))
	}
}
