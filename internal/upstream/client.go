package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const maxAnswer = 1 << 20 // bytes

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the STS endpoint is not the URL of a server, such as https://sts.eu-west-1.amazonaws.com")
	}
	return nil
}

// newClient returns a client of STS. What is empty or nil, the SDK's environment
// and files say.
func newClient(endpoint, region string, own *http.Client, base aws.CredentialsProvider) (*sts.Client, error) {
	// The SDK is given no client of ours here: with AWS_CA_BUNDLE set it accepts
	// none but its own kind.
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	switch base.(type) {
	case nil:
	case aws.AnonymousCredentials:
		cfg.Credentials = base
	default:
		cfg.Credentials = aws.NewCredentialsCache(base)
	}
	if _, anonymous := base.(aws.AnonymousCredentials); !anonymous {
		cfg.Credentials = identity{cfg.Credentials}
	}
	if region != "" {
		cfg.Region = region
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	return sts.NewFromConfig(cfg, func(s *sts.Options) {
		s.HTTPClient = stsClient(own, cfg.HTTPClient)
		if endpoint != "" {
			s.BaseEndpoint = aws.String(strings.TrimSuffix(endpoint, "/"))
		}
	}), nil
}

// identity marks failures to obtain the sidecar's own credentials, which are not
// failures of STS.
type identity struct{ aws.CredentialsProvider }

func (i identity) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := i.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &identityError{err}
	}
	return c, nil
}

type identityError struct{ error }

func (e *identityError) Unwrap() error { return e.error }

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
