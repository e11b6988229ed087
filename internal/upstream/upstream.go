// Package upstream obtains the credentials with which requests go to the real
// S3: one fixed key pair, or those of a role that is assumed at AWS STS for
// the person who asks.
package upstream

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/internal/secret"
)

// A Principal is the person for whom credentials are obtained.
type Principal struct {
	Issuer, Subject string // together the identity
	Email, Name     string // for people to read
	Groups          []string
}

// A Source gives credentials for the real S3.
type Source interface {
	// Credentials returns credentials of the role (an ARN) for p that are valid
	// for some minutes at least. It is safe for concurrent use. Errors name the
	// role and the reason and hold no secret.
	Credentials(ctx context.Context, role string, p Principal) (aws.Credentials, error)
}

// Static returns a source that gives the same key pair to everyone, for
// stores that have no STS.
func Static(accessKeyID string, secretKey secret.Text) Source {
	return static{accessKeyID, secretKey}
}

type static struct {
	accessKeyID string
	secretKey   secret.Text
}

func (s static) Credentials(context.Context, string, Principal) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID:     s.accessKeyID,
		SecretAccessKey: s.secretKey.Reveal(),
		Source:          "static",
	}, nil
}

// AssumeRoleOptions configures AssumeRole. The zero value works wherever the
// AWS SDK finds credentials and a region by itself.
type AssumeRoleOptions struct {
	Base     aws.CredentialsProvider // the sidecar's own identity; nil: the SDK's default chain
	Endpoint string                  // URL of STS; empty: AWS's own for Region
	Region   string                  // empty: the SDK's default chain, then us-east-1
}

// AssumeRole returns a source that assumes roles at STS.
func AssumeRole(o AssumeRoleOptions) (Source, error) { return nil, errors.New("not built") }
