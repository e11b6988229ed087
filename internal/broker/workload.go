package broker

import (
	"cmp"
	"context"
	"errors"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/workload"
)

// workload gets the ID token of a program. What it says is read and not
// verified: that is for the STS.
func (b *Broker) workload(ctx context.Context, t target) (*identity, error) {
	o := t.Workload
	o.HTTP = cmp.Or(o.HTTP, b.HTTP)
	got, err := workload.Get(ctx, o)
	if err != nil {
		if e, ok := errors.AsType[*workload.Error](err); ok && ctx.Err() == nil {
			return nil, &Error{Err: e.Err, Hint: e.Hint}
		}
		return nil, orInterrupted(ctx, &Error{Err: err})
	}
	who := &identity{token: got.Raw, source: got.System}
	if said, err := idtoken.Peek(got.Raw.Reveal()); err == nil {
		who.issuer, who.subject = said.Issuer, said.Subject
	}
	return who, nil
}
