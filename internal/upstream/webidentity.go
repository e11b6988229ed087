package upstream

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gimme-broker/gimme/internal/secret"
)

// WebIdentityOptions configures WebIdentity. The zero value works.
type WebIdentityOptions struct {
	// Endpoint is the URL of STS; empty: what the SDK's environment and files
	// say, or else AWS's own for Region.
	Endpoint string
	// Region is that of STS; empty: what the SDK's environment and files say,
	// or else us-east-1.
	Region string
	// HTTPClient calls STS, but without following redirects; nil: one that
	// trusts the certificates of AWS_CA_BUNDLE, if that is set.
	HTTPClient *http.Client
}

// An Exchange gives people's ID tokens to STS for credentials of a role. The
// sidecar needs no identity of its own for it, and the trust policy of the role
// decides on the token. It is safe for concurrent use.
type Exchange struct{ client *sts.Client }

// WebIdentity returns an exchange. It reads the SDK's environment and files and
// makes no call; an error says what of them, or of the options, is wrong.
func WebIdentity(o WebIdentityOptions) (*Exchange, error) {
	if err := checkEndpoint(o.Endpoint); err != nil {
		return nil, fmt.Errorf("web identity: %w", err)
	}
	client, err := newClient(o.Endpoint, o.Region, o.HTTPClient, aws.AnonymousCredentials{})
	if err != nil {
		return nil, fmt.Errorf("web identity: %w", err)
	}
	return &Exchange{client}, nil
}

// Credentials gives the ID token of p to STS. They last for life, within the 15
// minutes to 12 hours that STS knows and what the role permits; what STS answered
// says for how long. The session is named after the person (see SessionName), so
// that CloudTrail shows who it was. Errors are *Error.
func (e *Exchange) Credentials(ctx context.Context, role string, idToken secret.Text, p Principal, life time.Duration) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	life = min(max(life, shortestDuration), longestDuration)
	out, err := e.client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          &role,
		RoleSessionName:  new(SessionName(p)),
		WebIdentityToken: new(idToken.Reveal()),
		DurationSeconds:  new(int32(life / time.Second)),
	})
	if err != nil {
		return aws.Credentials{}, failure(role, err, idToken.Reveal())
	}
	return usable(role, "web_identity", out.Credentials)
}
