package proxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// newSource returns where credentials for the real S3 come from; nil when each
// session has its own.
func newSource(c *Config) (upstream.Source, error) {
	u := c.Upstream
	switch u.Credentials.V {
	case credentialsStatic:
		return upstream.Static(u.Static.AccessKeyID.V, c.loaded.secretKey), nil
	case credentialsWebIdentity:
		return nil, nil
	}
	source, err := upstream.AssumeRole(upstream.AssumeRoleOptions{Endpoint: u.AssumeRole.STSEndpoint.V, Region: u.Region.V})
	if err != nil {
		return nil, fmt.Errorf("upstream credentials: %w", err)
	}
	return source, nil
}

// credentials obtains those with which the request goes to the real S3.
func (s *Server) credentials(ctx context.Context, held *holder) (sigv4.Credentials, error) {
	if s.source == nil {
		u := held.Upstream
		if u == nil {
			return sigv4.Credentials{}, &refusal{Code: "InvalidToken", Message: "Your session has no credentials for the real S3: it was issued when the sidecar obtained them otherwise. Log in again: gimme s3 --profile NAME."}
		}
		return sigv4.Credentials{AccessKeyID: u.AccessKeyID, SecretAccessKey: u.SecretAccessKey.Reveal(), SessionToken: u.SessionToken.Reveal(), Keys: &held.onward}, nil
	}
	c, err := s.source.Credentials(ctx, held.Role, asPrincipal(&held.Claims))
	if err != nil {
		s.noCredentials(err)
		return sigv4.Credentials{}, credentialsFault(held.Role, err)
	}
	keys := &held.onward
	if s.config.Upstream.Credentials.V == credentialsStatic { // which everyone shares
		keys = &s.ownKeys
	}
	return sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Keys: keys}, nil
}

// credentialsFault tells the person at whose end it lies. The operator finds the
// rest in the log.
func credentialsFault(role string, err error) error {
	f := &refusal{Code: "ServiceUnavailable", cause: err}
	e, _ := errors.AsType[*upstream.Error](err)
	switch {
	case e == nil || e.Cause == upstream.Unreachable:
		f.Message = fmt.Sprintf("The sidecar got no credentials for role %s, because AWS STS did not answer as it should. Try again; if it stays, tell whoever runs the sidecar.", role)
	case e.Cause == upstream.NoIdentity:
		f.Message = fmt.Sprintf("The sidecar has no valid AWS credentials of its own, with which it would take role %s for you. Tell whoever runs it.", role)
	case e.Cause == upstream.Throttled:
		f.Code, f.Message = "SlowDown", "AWS STS is asked too often for credentials. Try again in a moment."
	default: // asking again would not help, and SDKs do after a 503
		f.Code, f.Message = "AccessDenied", fmt.Sprintf("AWS does not let the sidecar take role %s for you. Tell whoever runs it: its log says why.", role)
	}
	return f
}
