package broker

import (
	"context"
	"fmt"
	"strings"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/login"
)

// role chooses the role: the one that was asked for, or the only one there is.
func (b *Broker) role(ctx context.Context, t target, who *login.Result) (string, error) {
	if t.Address == "" || strings.HasPrefix(t.Role, "arn:") {
		return t.Role, nil
	}
	roles, err := discovery.FetchRoles(ctx, b.HTTP, t.sts, who.IDToken)
	if err != nil {
		return "", orInterrupted(ctx, sidecarError(err))
	}
	var fit []string
	for _, r := range roles.Roles {
		if t.Role == "" || t.Role == shortName(r.ARN) {
			fit = append(fit, r.ARN)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(roles.Roles) == 0:
		return "", &Error{
			Err:  fmt.Errorf("the sidecar at %s has no role for %s", t.Address, person(who.Token)),
			Hint: "ask who runs the sidecar to admit one of your groups",
		}
	case len(fit) == 0:
		return "", &Error{
			Kind: Wrong,
			Err:  fmt.Errorf("the sidecar at %s has no role %q for %s, but these:%s", t.Address, t.Role, person(who.Token), list(roles)),
			Hint: "choose one: --role ARN",
		}
	}
	return "", &Error{
		Kind: Wrong,
		Err:  fmt.Errorf("%s may take several roles:%s", person(who.Token), list(roles)),
		Hint: "choose one: --role " + fit[0],
	}
}

// shortName is the last part of a role's ARN.
func shortName(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func list(roles discovery.Roles) string {
	var b strings.Builder
	for _, r := range roles.Roles {
		b.WriteString("\n  " + r.ARN)
	}
	return b.String()
}
