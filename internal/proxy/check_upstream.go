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
	case credentialsAssumeRole, credentialsWebIdentity:
	default:
		l.at(u.Credentials, "upstream.credentials is %q; write assume_role, web_identity or static", u.Credentials.V)
		return
	}
	// What stands there and is not used was meant to be.
	for _, v := range []struct {
		text
		of, key string
	}{
		{u.AssumeRole.STSEndpoint, credentialsAssumeRole, "sts_endpoint"},
		{u.WebIdentity.STSEndpoint, credentialsWebIdentity, "sts_endpoint"},
		{u.Static.AccessKeyID, credentialsStatic, "access_key_id"},
		{u.Static.SecretAccessKeyFile, credentialsStatic, "secret_access_key_file"},
	} {
		switch {
		case v.V == "":
		case v.of != u.Credentials.V:
			l.at(v.text, "upstream.%s.%s is not used with upstream.credentials: %s; keep one of the two", v.of, v.key, u.Credentials.V)
		case v.key == "sts_endpoint":
			endpoint(v.text, "upstream."+v.of+"."+v.key)
		}
	}
	if u.Credentials.V == credentialsWebIdentity && len(c.ServiceKeys) > 0 {
		l.at(c.ServiceKeys[0].AccessKeyID, "service_keys do not work with upstream.credentials: web_identity: a service has no ID token to exchange")
	}
	if n := c.Limits.LoginsPerMinute; n.V < 1 {
		l.found = append(l.found, n.Fault(c.file, "limits.logins_per_minute is %d; at least 1 is wanted", n.V))
	}
}
