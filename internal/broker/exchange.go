package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/secret"
)

// exchange gives the ID token to the STS and gets credentials for role.
func (b *Broker) exchange(ctx context.Context, t target, who *login.Result, role string) (*Credentials, error) {
	in := &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          new(role),
		RoleSessionName:  new(sessionName(who.Token)),
		WebIdentityToken: new(who.IDToken.Reveal()),
	}
	if t.Duration > 0 {
		in.DurationSeconds = new(int32(t.Duration / time.Second))
	}
	out, err := b.sts(t).AssumeRoleWithWebIdentity(ctx, in)
	if err != nil {
		return nil, orInterrupted(ctx, exchangeError(t, who.Token, role, err))
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
	return &Credentials{
		AccessKeyID:     *c.AccessKeyId,
		SecretAccessKey: secret.New(*c.SecretAccessKey),
		SessionToken:    secret.New(*c.SessionToken),
		Expires:         *c.Expiration,
		Role:            role,
		Region:          t.Region,
		Endpoint:        strings.TrimSuffix(t.Address, "/"),
		Issuer:          who.Token.Issuer,
		Subject:         who.Token.Subject,
		Email:           who.Token.Email,
	}, nil
}

// sts makes the client. Nothing is read from the environment or from AWS's
// files: the profile that is to be written must not decide how it is gotten.
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

// exchangeError says what the STS answered. It decodes nothing that is secret:
// issuer, subject and client id are what trust policies name.
func exchangeError(t target, who *idtoken.Token, role string, err error) *Error {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return &Error{
			Err:  fmt.Errorf("%s gives %s no credentials for %s: %s: %s", t.stsName(), person(who), role, e.ErrorCode(), cmp.Or(e.ErrorMessage(), "no reason given")),
			Hint: exchangeHint(t, who, e.ErrorCode()),
		}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its URL is the endpoint, which is named already
	}
	return &Error{Err: fmt.Errorf("reach %s: %w", t.stsName(), err), Hint: "can this machine reach it? A company's certificate authority is named with AWS_CA_BUNDLE"}
}

func exchangeHint(t target, who *idtoken.Token, code string) string {
	switch {
	case code == "IDPCommunicationError":
		return "the STS could not read the keys of " + t.Issuer + "; try again"
	case code == "ExpiredTokenException":
		return "run it again; if it stays, is the clock of this machine right?"
	case t.Address != "" && code == "AccessDenied":
		return "ask who runs the sidecar for the role, or choose another with --role"
	case t.Address != "":
		return "tell who runs the sidecar"
	case code == "AccessDenied" || code == "InvalidIdentityToken":
		return fmt.Sprintf("the role's trust policy must admit issuer %s, audience %s and subject %s", who.Issuer, who.ClientID, who.Subject)
	}
	return ""
}

// person is how messages name who logged in.
func person(t *idtoken.Token) string { return cmp.Or(t.Email, t.Subject) }

var notInSessionNames = regexp.MustCompile(`[^A-Za-z0-9_+=,.@-]+`)

// sessionName names the person in STS's grammar, [\w+=,.@-]{2,64}.
func sessionName(t *idtoken.Token) string {
	name := notInSessionNames.ReplaceAllString(person(t), "-")
	if len(name) < 2 {
		name = "gimme-" + name
	}
	return name[:min(len(name), 64)]
}
