package broker

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// exchange gives the ID token to the STS and gets credentials for role.
func (b *Broker) exchange(ctx context.Context, t target, who *identity, role string) (*store.Credentials, error) {
	in := &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          new(role),
		RoleSessionName:  new(sessionName(who.person())),
		WebIdentityToken: new(who.token.Reveal()),
	}
	if t.Duration > 0 {
		in.DurationSeconds = new(int32(t.Duration / time.Second))
	}
	issued := time.Now()
	out, err := b.sts(t).AssumeRoleWithWebIdentity(ctx, in)
	if err != nil {
		return nil, orInterrupted(ctx, exchangeError(t, who, role, err))
	}
	c := out.Credentials
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "" || c.Expiration == nil {
		return nil, &Error{Err: fmt.Errorf("%s answers without credentials", t.stsName())}
	}
	if !time.Now().Before(*c.Expiration) {
		return nil, &Error{
			Err:  fmt.Errorf("%s issued credentials that expired at %s", t.stsName(), c.Expiration.UTC().Format(time.RFC3339)),
			Hint: "is the clock of this machine right?",
		}
	}
	return &store.Credentials{
		AccessKeyID:     *c.AccessKeyId,
		SecretAccessKey: secret.New(*c.SecretAccessKey),
		SessionToken:    secret.New(*c.SessionToken),
		Issued:          issued,
		Expires:         *c.Expiration,
		Role:            role,
		Region:          t.Region,
		Endpoint:        strings.TrimSuffix(t.Address, "/"),
		Issuer:          who.issuer,
		Subject:         who.subject,
		Email:           who.email,
		Login:           who.login,
		Source:          who.source,
	}, nil
}

// sts makes the client. Nothing is read from the environment or from AWS's
// files: the profile that is to be written must not decide how it is gotten.
// What can pass is tried again, with jitter: throttling, 5xx, a connection that
// broke, and keys of the provider that the STS could not read. A refusal is not.
func (b *Broker) sts(t target) *sts.Client {
	o := sts.Options{
		Region:      t.Region,
		Credentials: aws.AnonymousCredentials{},
		HTTPClient:  b.HTTP,
		Retryer: retry.AddWithErrorCodes(retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = 3, 2*time.Second
		}), "IDPCommunicationError"),
	}
	if t.sts != "" {
		o.BaseEndpoint = new(t.sts)
	}
	return sts.New(o)
}

func (t target) stsName() string {
	switch {
	case t.Address != "":
		return "the sidecar at " + t.Address
	case t.STSEndpoint != "":
		return "the STS at " + t.STSEndpoint
	}
	return "AWS STS in " + t.Region
}

// exchangeError says what the STS answered.
func exchangeError(t target, who *identity, role string, err error) *Error {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return explain(denial{
			target: t, who: who, role: role, now: time.Now(),
			code: strings.TrimSuffix(e.ErrorCode(), "Exception"), said: e.ErrorCode(), message: e.ErrorMessage(), theirs: answeredAt(err),
		})
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its URL is the endpoint, which is named already
	}
	return &Error{Err: fmt.Errorf("reach %s: %w", t.stsName(), err), Hint: "can this machine reach it? A company's certificate authority is named with AWS_CA_BUNDLE"}
}

// sessionName names somebody in STS's grammar, [\w+=,.@-]{2,64}.
func sessionName(who string) string {
	var b strings.Builder
	foreign := false // the last character was not of the grammar
	for _, r := range who {
		ok := r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("_+=,.@-", r))
		switch {
		case ok:
			b.WriteRune(r)
		case !foreign:
			b.WriteByte('-')
		}
		foreign = !ok
	}
	name := b.String()
	if len(name) < 2 {
		name = "gimme-" + name
	}
	return name[:min(len(name), 64)]
}
