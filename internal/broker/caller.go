package broker

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gimme-broker/gimme/internal/store"
)

// Caller asks the STS whether it accepts c, and returns the ARN by which it
// names who holds them. Errors are *Error, or ctx's own.
func (b *Broker) Caller(ctx context.Context, r Request, c *store.Credentials) (arn string, err error) {
	t := target{Request: r, sts: cmp.Or(strings.TrimSuffix(r.Address, "/"), r.STSEndpoint)}
	t.Region = cmp.Or(c.Region, DefaultRegion)
	out, err := b.sts(t).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())
	})
	if err != nil {
		return "", orInterrupted(ctx, &Error{Err: fmt.Errorf("%s does not accept the credentials: %w", t.stsName(), err), Hint: "log in anew: --force"})
	}
	return aws.ToString(out.Arn), nil
}

// Silent says whether new credentials can be had without asking anybody, as
// far as can be told without the network.
func (b *Broker) Silent(ctx context.Context, r Request) bool {
	if r.isWorkload() {
		return true
	}
	l, c, err := b.Known(r)
	if err != nil || l == nil {
		return false
	}
	key := store.Key(l.Issuer, l.ClientID)
	if r.LoginHint != "" {
		key = store.Key(l.Issuer, l.ClientID, r.LoginHint)
	}
	if c != nil && c.Login != "" {
		key = c.Login
	}
	if _, fresh := l.FreshIDToken(time.Now()); fresh {
		return true
	}
	token, err := b.Store.RefreshToken(ctx, key)
	return err == nil && !token.Empty()
}
