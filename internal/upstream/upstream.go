// Package upstream obtains the credentials with which requests go to the real
// S3: one fixed key pair, or those of a role that is assumed at AWS STS for
// the person who asks.
package upstream

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/internal/secret"
)

// A Principal is the person for whom credentials are obtained.
type Principal struct {
	Issuer  string // with Subject the identity; neither is empty
	Subject string
	Email   string // for people to read; may be empty
	Name    string // for people to read; may be empty
	Groups  []string
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
