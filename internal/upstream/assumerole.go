package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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
	callTimeout      = 30 * time.Second // of one AssumeRole, its retries included
	maxAnswer        = 1 << 20          // bytes
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
	if o.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the STS endpoint is not the URL of a server, such as https://sts.eu-west-1.amazonaws.com")
	}
	return nil
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
	// The SDK is given no client of ours here: with AWS_CA_BUNDLE set it accepts
	// none but its own kind.
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		return nil, fmt.Errorf("assume role: load the AWS configuration: %w", err)
	}
	if o.Base != nil {
		cfg.Credentials = aws.NewCredentialsCache(o.Base)
	}
	if o.Region != "" {
		cfg.Region = o.Region
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	client := sts.NewFromConfig(cfg, func(s *sts.Options) {
		s.HTTPClient = stsClient(o.HTTPClient, cfg.HTTPClient)
		if o.Endpoint != "" {
			s.BaseEndpoint = aws.String(strings.TrimSuffix(o.Endpoint, "/"))
		}
	})
	return newCache(o.cacheSize(), assumer{client, o.duration()}.assume), nil
}

// stsClient returns own, or else a client with the transport that the SDK set
// up. Redirects are not followed: they would take the security token of the
// sidecar's identity elsewhere.
func stsClient(own *http.Client, sdk aws.HTTPClient) *http.Client {
	client := http.Client{Timeout: callTimeout}
	if own != nil {
		client = *own
	} else if b, ok := sdk.(*awshttp.BuildableClient); ok {
		client.Transport = b.GetTransport()
	}
	if client.Transport == nil {
		client.Transport = awshttp.NewBuildableClient().GetTransport()
	}
	client.Transport = capped{client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// capped bounds the bodies of answers.
type capped struct{ http.RoundTripper }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxAnswer), response.Body}
	}
	return response, err
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
		return aws.Credentials{}, fmt.Errorf("assume role %q: %s", role, reason(err))
	}
	c := out.Credentials
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "" ||
		!aws.ToTime(c.Expiration).After(time.Now()) {
		return aws.Credentials{}, fmt.Errorf("assume role %q: STS answered without credentials that are valid now", role)
	}
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken,
		Source: "assume_role", CanExpire: true, Expires: *c.Expiration,
	}, nil
}
