package upstream

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// AssumeRoleOptions configures AssumeRole. The zero value works wherever the
// AWS SDK finds credentials by itself.
type AssumeRoleOptions struct {
	// Base is the sidecar's own identity, which the roles must trust; nil: what
	// the SDK's default chain finds.
	Base aws.CredentialsProvider
	// Endpoint is the URL of STS; empty: what the SDK's environment and files
	// say, or else AWS's own for Region.
	Endpoint string
	// Region is that of STS; empty: what the SDK's environment and files say,
	// or else us-east-1.
	Region string
	// HTTPClient calls STS, but without following redirects; nil: one that
	// trusts the certificates of AWS_CA_BUNDLE, if that is set.
	HTTPClient *http.Client
	// Duration is for how long roles are assumed, 15 minutes to 12 hours; 0:
	// one hour, which is all that STS gives to an identity that is a role itself.
	Duration time.Duration
	// CacheSize is how many credentials are kept at most; 0: 10,000.
	CacheSize int
}

const (
	shortestDuration = 15 * time.Minute
	longestDuration  = 12 * time.Hour
	callTimeout      = 30 * time.Second // of one call, its retries included
)

func (o AssumeRoleOptions) duration() time.Duration {
	if o.Duration == 0 {
		return time.Hour
	}
	return o.Duration
}

func (o AssumeRoleOptions) cacheSize() int {
	if o.CacheSize == 0 {
		return 10_000
	}
	return o.CacheSize
}

func (o AssumeRoleOptions) check() error {
	if d := o.duration(); d < shortestDuration || d > longestDuration {
		return fmt.Errorf("the duration %v of assumed roles is not between %v and %v", d, shortestDuration, longestDuration)
	}
	if o.cacheSize() < 1 {
		return fmt.Errorf("the cache size %d is less than 1", o.CacheSize)
	}
	return checkEndpoint(o.Endpoint)
}

// AssumeRole returns a source that assumes roles at STS with the sidecar's own
// identity. The session is named after the person (see SessionName), its source
// identity is theirs (see SourceIdentity), and it carries the tags gimme:issuer,
// gimme:subject and gimme:email, so that CloudTrail shows who it was. The trust
// policy of the roles must allow the sidecar sts:AssumeRole, sts:SetSourceIdentity
// and sts:TagSession.
//
// Credentials are kept per role and person and renewed some minutes before they
// expire; while STS fails, those that are still valid serve on. Any number of
// simultaneous callers make one call, which goes on when the first of them gives
// up. Failures are not kept.
//
// It reads the SDK's environment and files and makes no call; an error says
// what of them, or of the options, is wrong.
func AssumeRole(o AssumeRoleOptions) (Source, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("assume role: %w", err)
	}
	client, err := newClient(o.Endpoint, o.Region, o.HTTPClient, o.Base)
	if err != nil {
		return nil, fmt.Errorf("assume role: %w", err)
	}
	return newCache(o.cacheSize(), assumer{client, o.duration()}.assume), nil
}

type assumer struct {
	client   *sts.Client
	duration time.Duration
}

// assume calls STS.
func (a assumer) assume(ctx context.Context, role string, p Principal) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := a.client.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         &role,
		RoleSessionName: new(SessionName(p)),
		SourceIdentity:  new(SourceIdentity(p)),
		DurationSeconds: new(int32(a.duration / time.Second)),
		Tags:            tags(p),
	})
	if err != nil {
		return aws.Credentials{}, failure(role, err)
	}
	return usable(role, "assume_role", out.Credentials)
}

// usable gives what STS answered, if it is whole and valid.
func usable(role, source string, c *types.Credentials) (aws.Credentials, error) {
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "" ||
		!aws.ToTime(c.Expiration).After(time.Now()) {
		return aws.Credentials{}, &Error{Role: role, Cause: Unreachable, Detail: "STS answered without credentials that are valid now"}
	}
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken,
		Source: source, CanExpire: true, Expires: *c.Expiration,
	}, nil
}
