package proxy

import (
	"context"
	"fmt"

	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

func newSource(c *Config) (upstream.Source, error) {
	u := c.Upstream
	if u.Credentials.V == credentialsStatic {
		return upstream.Static(u.Static.AccessKeyID.V, c.loaded.secretKey), nil
	}
	source, err := upstream.AssumeRole(upstream.AssumeRoleOptions{Endpoint: u.AssumeRole.STSEndpoint.V, Region: u.Region.V})
	if err != nil {
		return nil, fmt.Errorf("upstream credentials: %w", err)
	}
	return source, nil
}

// credentials obtains those that the role has for the real S3.
func (s *Server) credentials(ctx context.Context, held *holder) (sigv4.Credentials, error) {
	p := held.Principal
	c, err := s.source.Credentials(ctx, held.Role, upstream.Principal{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Name: p.Name, Groups: held.Groups})
	if err != nil {
		return sigv4.Credentials{}, &refusal{
			Code: "ServiceUnavailable", cause: err,
			Message: fmt.Sprintf("The sidecar got no credentials for role %s. Tell whoever runs it.", held.Role),
		}
	}
	return sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
}
