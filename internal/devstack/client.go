package devstack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// s3Client is what a program has that was told nothing but a profile: region,
// endpoint and keys come from the files that gimme wrote. It reaches loopback
// and nothing else, so that a profile without an endpoint fails here instead
// of at AWS.
func (s *stack) s3Client(ctx context.Context, profile string) (*s3.Client, error) {
	here := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy, t.DialContext = nil, dialLoopback
	})
	c, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigProfile(profile),
		config.WithSharedConfigFiles([]string{s.awsConfig()}),
		config.WithSharedCredentialsFiles([]string{s.awsCredentials()}),
		config.WithHTTPClient(here),
		config.WithLogger(logging.Nop{})) // it would mention that memory keeps no checksums
	if err != nil {
		return nil, fmt.Errorf("load profile %q: %w", profile, err)
	}
	return s3.NewFromConfig(c), nil
}

func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().IsLoopback() {
		return nil, fmt.Errorf("refused to connect to %s: the demo stays on this machine", address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// withoutAWSVariables takes the AWS_ variables out of this process's
// environment, because they would win over the profile that the story is
// about. The function that is returned puts them back.
func withoutAWSVariables() (restore func()) {
	kept := map[string]string{}
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") && os.Unsetenv(name) == nil {
			kept[name] = value
		}
	}
	return func() {
		for name, value := range kept {
			_ = os.Setenv(name, value) // it was set before
		}
	}
}
