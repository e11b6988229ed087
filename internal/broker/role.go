package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// role chooses the role: the one that was asked for, the only one there is, or
// the one that the person chooses.
func (b *Broker) role(ctx context.Context, t target, who *identity) (string, error) {
	if t.Address == "" || strings.HasPrefix(t.Role, "arn:") {
		return t.Role, nil
	}
	all, err := b.roles(ctx, t, who)
	if err != nil {
		return "", err
	}
	fit := all
	if t.Role != "" {
		fit = slices.DeleteFunc(slices.Clone(all), func(arn string) bool { return t.Role != shortName(arn) })
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(all) == 0:
		return "", &Error{
			Err:  fmt.Errorf("the sidecar at %s has no role for %s", t.Address, who.person()),
			Hint: "ask who runs the sidecar to admit one of your groups",
		}
	case len(fit) == 0:
		return "", &Error{
			Kind: Wrong,
			Err:  fmt.Errorf("the sidecar at %s has no role %q for %s, but these:%s", t.Address, t.Role, who.person(), list(all)),
			Hint: "choose one: --role ARN",
		}
	case b.Choose != nil:
		return b.choose(ctx, fit)
	}
	return "", &Error{
		Kind: Wrong,
		Err:  fmt.Errorf("%s may take several roles:%s", who.person(), list(all)),
		Hint: "choose one: --role " + fit[0],
	}
}

func (b *Broker) choose(ctx context.Context, roles []string) (string, error) {
	role, err := b.Choose(ctx, roles)
	if err != nil {
		return "", orInterrupted(ctx, &Error{Kind: Wrong, Err: err, Hint: "choose one: --role " + roles[0]})
	}
	if !slices.Contains(roles, role) {
		return "", &Error{Kind: Wrong, Err: fmt.Errorf("%q is none of the roles to choose from", role), Hint: "choose one: --role " + roles[0]}
	}
	return role, nil
}

// shortName is the last part of a role's ARN.
func shortName(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func list(roles []string) string {
	var b strings.Builder
	for _, arn := range roles {
		b.WriteString("\n  " + arn)
	}
	return b.String()
}
