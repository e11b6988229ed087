package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idp"
	"github.com/gimme-broker/gimme/internal/secret"
)

// A target is a request with all that was found out about it. Where the
// request is silent the sidecar speaks, and then the preset.
type target struct {
	Request
	sts      string // empty: AWS's own
	person   string // personKey of the request as it came
	workload bool

	preset idp.Preset
}

// aim finds out where to log in and where to exchange.
func (b *Broker) aim(ctx context.Context, r Request) (target, error) {
	t := target{Request: r, sts: r.STSEndpoint, person: r.personKey(), workload: r.isWorkload()}
	if r.Address != "" {
		d, err := discovery.Fetch(ctx, b.HTTP, r.Address)
		if err != nil {
			return target{}, orInterrupted(ctx, sidecarError(err))
		}
		t.follow(d)
	} else if err := t.complete(); err != nil {
		return target{}, err
	}
	t.Region = cmp.Or(t.Region, DefaultRegion)
	if t.workload {
		t.Workload.Audience = cmp.Or(t.Workload.Audience, strings.TrimSuffix(r.Address, "/"), t.ClientID, "sts.amazonaws.com")
		return t, nil
	}
	return t, t.apply()
}

// follow takes what the sidecar's document says.
func (t *target) follow(d discovery.Document) {
	t.Issuer, t.ClientID, t.sts = d.Issuer, d.ClientID, strings.TrimSuffix(t.Address, "/")
	t.Scopes = slices.Concat(t.Scopes, d.Scopes)
	t.Region = cmp.Or(t.Region, d.Region)
	if _, known := idp.Find(d.IDP); known { // a newer sidecar may know more kinds
		t.IDP = cmp.Or(t.IDP, d.IDP)
	}
	t.RedirectHost = cmp.Or(t.RedirectHost, d.RedirectHost)
	if len(t.Ports) == 0 {
		t.Ports = d.Ports
	}
	if t.ClientSecret.Empty() {
		t.ClientSecret = secret.New(d.ClientSecret)
	}
	t.Parameters = over(d.Parameters, t.Parameters)
}

// complete checks that a request without a sidecar says enough.
func (t *target) complete() error {
	switch {
	case t.workload && t.Role != "":
		return nil
	case t.workload:
		return &Error{Kind: Wrong, Err: errors.New("neither a sidecar's address nor a role is given"), Hint: "name one: --address URL, or --role-arn ARN"}
	case t.Issuer == "" || t.ClientID == "" || t.Role == "":
		return &Error{Kind: Wrong, Err: errors.New("neither a sidecar's address nor an issuer, client id and role is given")}
	}
	return nil
}

// apply fills in what the preset knows of the kind of provider.
func (t *target) apply() error {
	t.preset = idp.Guess(t.Issuer)
	if t.IDP != "" {
		var ok bool
		if t.preset, ok = idp.Find(t.IDP); !ok {
			return &Error{Kind: Wrong, Err: fmt.Errorf("there is no preset %q for identity providers", t.IDP)}
		}
	}
	// The sidecar and the person know which claims are wanted, and the preset
	// only what is usual.
	if len(t.Scopes) == 0 {
		t.Scopes = t.preset.Scopes
	}
	if len(t.Scopes) == 0 {
		t.Scopes = []string{"openid", "email", "profile"}
	}
	t.RedirectHost = cmp.Or(t.RedirectHost, t.preset.RedirectHost)
	if t.preset.Secret == idp.Forbidden {
		t.ClientSecret = secret.Text{} // with one it refuses the login
	}
	if len(t.Ports) == 0 {
		t.Ports = t.preset.Ports
	}
	return nil
}

// asks are the scopes and parameters of a login at a provider whose metadata
// lists the scopes listed.
func (t target) asks(listed []string) (scopes []string, parameters map[string]string) {
	p := t.preset
	scopes, parameters = slices.Clone(t.Scopes), p.Parameters
	has := func(s string) bool { return slices.Contains(listed, s) }
	if t.Remember && (!p.IfListed || slices.ContainsFunc(p.RefreshScopes, has)) {
		scopes = append(scopes, p.RefreshScopes...)
		parameters = over(parameters, p.RefreshParameters)
	}
	if t.LoginHint != "" {
		parameters = over(parameters, map[string]string{"login_hint": t.LoginHint})
	}
	return sorted(scopes), over(parameters, t.Parameters)
}

// over puts further parameters over others.
func over(under, upper map[string]string) map[string]string {
	if len(under) == 0 {
		return upper
	}
	m := maps.Clone(under)
	maps.Copy(m, upper)
	return m
}

// sidecarError puts what could not be asked of a sidecar into our form.
func sidecarError(err error) *Error {
	if e, ok := errors.AsType[*discovery.Error](err); ok {
		return &Error{Err: fmt.Errorf("the sidecar at %s: %s", e.Address, e.Reason), Hint: e.Remedy}
	}
	return &Error{Err: err}
}

// orInterrupted prefers the reason that the person stopped it.
func orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
