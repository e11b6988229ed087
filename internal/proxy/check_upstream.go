package proxy

import (
	"net/url"
	"strings"
)

func (c *Config) checkUpstream(l *faultList) {
	u := c.Upstream
	endpoint := func(v text, key string) {
		if p, err := url.Parse(v.V); err != nil || !secureURL(p) || strings.Trim(p.Path, "/") != "" || p.RawQuery != "" {
			l.at(v, "%s %q: an https URL without path is wanted (http for loopback alone)", key, v.V)
		}
	}
	if l.need(u.Endpoint, u.Credentials, "upstream.endpoint", "the URL of the real S3, such as https://s3.eu-west-1.amazonaws.com") {
		endpoint(u.Endpoint, "upstream.endpoint")
	}
	switch u.Credentials.V {
	case credentialsStatic:
		l.need(u.Static.AccessKeyID, u.Credentials, "upstream.static.access_key_id", "the key pair for the real S3")
		l.need(u.Static.SecretAccessKeyFile, u.Credentials, "upstream.static.secret_access_key_file", "a file of mode 0600 that holds the secret")
	case credentialsAssumeRole:
		if u.AssumeRole.STSEndpoint.V != "" {
			endpoint(u.AssumeRole.STSEndpoint, "upstream.assume_role.sts_endpoint")
		}
	default:
		l.at(u.Credentials, "upstream.credentials is %q; write assume_role or static", u.Credentials.V)
	}
}
