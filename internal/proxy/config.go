package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A Config is the sidecar's configuration file. It is decoded strictly; the
// comments below are its manual, which docs/operating.md repeats with
// examples. Paths are relative to the folder of the configuration file.
type Config struct {
	// Listen is the address and port to listen on. Default 127.0.0.1:8700.
	Listen strictyaml.Value[string] `yaml:"listen"`

	// Address is the URL under which people reach the sidecar, such as
	// https://s3.sidecar.example. Default: made from listen.
	Address strictyaml.Value[string] `yaml:"address"`

	// TLS is the certificate. Without it the sidecar speaks plain HTTP, and
	// then only on loopback.
	TLS TLS `yaml:"tls"`

	// InsecurePlainHTTP permits plain HTTP on an address that is not loopback,
	// for a load balancer in front that ends TLS. Whoever can read that
	// network reads the data. Default false.
	InsecurePlainHTTP bool `yaml:"insecure_plain_http"`

	// Region is the region that profiles are written with. Clients may sign
	// for any. Default us-east-1.
	Region string `yaml:"region"`

	// Issuers are the OpenID providers whose ID tokens are accepted. The
	// first is the one that people log in at. At least one.
	Issuers []Issuer `yaml:"issuers"`

	// Roles are the IAM roles that sessions may be for. At least one.
	Roles []Role `yaml:"roles"`

	Sessions Sessions `yaml:"sessions"`
	Upstream Upstream `yaml:"upstream"`
	Policy   Policy   `yaml:"policy"`
	Audit    Audit    `yaml:"audit"`

	file   string // as given to Load
	folder string
	loaded loaded
}

// TLS names a certificate chain and its key, both PEM files.
type TLS struct {
	CertFile strictyaml.Value[string] `yaml:"cert_file"`
	KeyFile  strictyaml.Value[string] `yaml:"key_file"`
}

// An Issuer is an OpenID provider.
type Issuer struct {
	// Issuer is its identifier, byte for byte as in its metadata.
	Issuer strictyaml.Value[string] `yaml:"issuer"`

	// ClientID is the client that ID tokens must be for. Register one that
	// nothing else uses.
	ClientID strictyaml.Value[string] `yaml:"client_id"`

	// Alias, if set, stands before the subjects and groups of this issuer,
	// divided by a colon, wherever roles and policies name them. With several
	// issuers each needs its own.
	Alias strictyaml.Value[string] `yaml:"alias"`

	// Scopes are what the client asks for. Default openid, email, profile.
	Scopes []string `yaml:"scopes"`

	// GroupsClaim is the claim that lists groups. Default groups.
	GroupsClaim string `yaml:"groups_claim"`

	// EmailDomains are the domains of which this issuer is the authority. Only
	// a verified address in one of them counts when a policy names a user by
	// e-mail. Default none: e-mail addresses decide nothing.
	EmailDomains []string `yaml:"email_domains"`

	// CAFile holds PEM certificates to trust for this issuer instead of the
	// system's.
	CAFile strictyaml.Value[string] `yaml:"ca_file"`
}

// A Role is an IAM role that sessions may be for.
type Role struct {
	ARN strictyaml.Value[string] `yaml:"arn"`

	// Groups are those whose members may take the role.
	Groups []strictyaml.Value[string] `yaml:"groups"`

	// Everyone says that whoever can log in may take the role.
	Everyone bool `yaml:"everyone"`

	// MaxSession limits the life of a session for this role. Default: the
	// limit of sessions.lifetime.
	MaxSession Duration `yaml:"max_session"`
}

// Sessions says how sessions are sealed.
type Sessions struct {
	// Deployment is part of what a session is sealed for: a session of another
	// deployment is refused even if the keys are the same. Default "default".
	Deployment string `yaml:"deployment"`

	// KeyFile holds the keys. It is made, with mode 0600, when it does not
	// exist. Replicas share it. Required.
	KeyFile strictyaml.Value[string] `yaml:"key_file"`

	// Lifetime is how long a session lasts at most. Default 1h, at most 12h.
	Lifetime Duration `yaml:"lifetime"`
}

// Upstream is the real S3.
type Upstream struct {
	// Endpoint is its URL, such as https://s3.eu-west-1.amazonaws.com. Plain
	// HTTP is accepted for loopback alone. Required.
	Endpoint strictyaml.Value[string] `yaml:"endpoint"`

	// Region is what requests to it are signed for. Default us-east-1.
	Region string `yaml:"region"`

	// CAFile holds PEM certificates to trust for it instead of the system's.
	CAFile strictyaml.Value[string] `yaml:"ca_file"`

	// Credentials says how the sidecar comes by credentials for it:
	// assume_role (the default: the role of the session is assumed, with the
	// person's name on it) or static (one key pair for everyone).
	Credentials strictyaml.Value[string] `yaml:"credentials"`

	Static     Static     `yaml:"static"`
	AssumeRole AssumeRole `yaml:"assume_role"`
}

// Static is one key pair, for stores that have no STS.
type Static struct {
	AccessKeyID strictyaml.Value[string] `yaml:"access_key_id"`

	// SecretAccessKeyFile holds the secret and nothing else; its mode is 0600
	// or stricter.
	SecretAccessKeyFile strictyaml.Value[string] `yaml:"secret_access_key_file"`
}

// AssumeRole says where roles are assumed. The sidecar's own identity comes
// from the AWS SDK's default chain.
type AssumeRole struct {
	// STSEndpoint is the URL of the STS. Default: AWS's own of the upstream's
	// region.
	STSEndpoint strictyaml.Value[string] `yaml:"sts_endpoint"`
}

// Policy says what decides.
type Policy struct {
	// DataMap is the file that says where which data lives. Required.
	DataMap strictyaml.Value[string] `yaml:"data_map"`

	// Policies are files, or folders whose *.yaml and *.yml files are read.
	// Required.
	Policies []strictyaml.Value[string] `yaml:"policies"`

	// Unlabelled is deny (the default) or allow: what happens to data that no
	// entry of the data map covers.
	Unlabelled strictyaml.Value[string] `yaml:"unlabelled"`
}

// Audit says where events go.
type Audit struct {
	// File is appended to; "-" is standard output. Required.
	File strictyaml.Value[string] `yaml:"file"`
}

// A Duration is a time.Duration written as in 90s or 1h30m.
type Duration struct{ strictyaml.Value[string] }

// Or returns the duration, or fallback when none was written. It must not be
// called before check has found the text to be a duration.
func (d Duration) Or(fallback time.Duration) time.Duration {
	if d.V == "" {
		return fallback
	}
	parsed, err := time.ParseDuration(d.V)
	if err != nil {
		return fallback
	}
	return parsed
}

// MaxLifetime is the longest life that a session can be given.
const MaxLifetime = 12 * time.Hour

const (
	credentialsAssumeRole = "assume_role"
	credentialsStatic     = "static"
)

// loaded is what Load has read from the files that the configuration names.
type loaded struct {
	rules        *rules
	looked       string // the fingerprint of their files
	certificate  *tls.Certificate
	issuerRoots  []*x509.CertPool // by position in Issuers; nil: the system's
	upstreamRoot *x509.CertPool
	secretKey    secret.Text
}

// Load reads the configuration at path and everything that it names, and
// changes nothing. The error is strictyaml.Faults with all that is wrong.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c := &Config{file: path, folder: filepath.Dir(path)}
	var found strictyaml.Faults
	if err := strictyaml.Decode(path, data, c); err != nil {
		found = append(found, asFaults(path, err)...)
	}
	c.setDefaults()
	found = append(found, c.check()...)
	found = append(found, c.read()...)
	if err := found.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Warnings are what is legal in the data map and the policies and yet probably
// not meant.
func (c *Config) Warnings() []strictyaml.Fault { return c.loaded.rules.warnings }

func asFaults(file string, err error) strictyaml.Faults {
	if f, ok := errors.AsType[strictyaml.Faults](err); ok {
		return f
	}
	return strictyaml.Faults{{File: file, Text: err.Error()}}
}

func (c *Config) setDefaults() {
	set := func(v *string, fallback string) {
		if *v == "" {
			*v = fallback
		}
	}
	set(&c.Listen.V, "127.0.0.1:8700")
	set(&c.Region, "us-east-1")
	set(&c.Sessions.Deployment, "default")
	set(&c.Upstream.Region, "us-east-1")
	set(&c.Upstream.Credentials.V, credentialsAssumeRole)
	set(&c.Policy.Unlabelled.V, "deny")
	for i := range c.Issuers {
		set(&c.Issuers[i].GroupsClaim, "groups")
		if len(c.Issuers[i].Scopes) == 0 {
			c.Issuers[i].Scopes = []string{"openid", "email", "profile"}
		}
	}
}

// path resolves p against the folder of the configuration file.
func (c *Config) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.folder, p)
}

// faultList gathers faults of one file.
type faultList struct {
	file  string
	found strictyaml.Faults
}

func (l *faultList) at(v strictyaml.Value[string], format string, args ...any) {
	l.found = append(l.found, v.Fault(l.file, format, args...))
}

// need reports a key that must not be left out.
func (l *faultList) need(v strictyaml.Value[string], key, meaning string) bool {
	if v.V == "" {
		l.at(v, "%s is missing: %s", key, meaning)
	}
	return v.V != ""
}

var (
	roleARN = regexp.MustCompile(`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}$`)
	alias   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	region  = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// check judges the values that stand in the file itself.
func (c *Config) check() strictyaml.Faults {
	l := &faultList{file: c.file}
	c.checkListener(l)
	c.checkIssuers(l)
	c.checkRoles(l)
	for key, r := range map[string]string{"region": c.Region, "upstream.region": c.Upstream.Region} {
		if !region.MatchString(r) {
			l.at(strictyaml.Value[string]{}, "%s %q is not the name of a region", key, r)
		}
	}
	l.need(c.Sessions.KeyFile, "sessions.key_file", "the file with the keys that sessions are sealed with; it is made on first start")
	c.checkDuration(l, c.Sessions.Lifetime, "sessions.lifetime")
	c.checkUpstream(l)
	l.need(c.Policy.DataMap, "policy.data_map", "the file that says where which data lives")
	if len(c.Policy.Policies) == 0 {
		l.at(strictyaml.Value[string]{}, "policy.policies is missing: the files or folders with policies")
	}
	if u := c.Policy.Unlabelled; u.V != "deny" && u.V != "allow" {
		l.at(u, "policy.unlabelled is %q; write deny or allow", u.V)
	}
	l.need(c.Audit.File, "audit.file", `the file that events are appended to, or "-" for standard output`)
	return l.found
}

func (c *Config) checkListener(l *faultList) {
	host, _, err := net.SplitHostPort(c.Listen.V)
	if err != nil {
		l.at(c.Listen, "listen %q is not host:port", c.Listen.V)
		return
	}
	plain := c.TLS.CertFile.V == "" && c.TLS.KeyFile.V == ""
	if ip, err := netip.ParseAddr(host); plain && !c.InsecurePlainHTTP && (err != nil || !ip.IsLoopback()) {
		l.at(c.Listen, "listen %q is not a loopback address, and there is no certificate: set tls.cert_file and tls.key_file, or insecure_plain_http: true behind a load balancer that ends TLS", c.Listen.V)
	}
	if (c.TLS.CertFile.V == "") != (c.TLS.KeyFile.V == "") {
		l.at(c.TLS.CertFile, "tls needs both cert_file and key_file")
	}
	if c.Address.V == "" {
		return
	}
	if err := discovery.CheckAddress(c.Address.V); err != nil {
		l.at(c.Address, "address: %v", err)
	}
}

func (c *Config) checkIssuers(l *faultList) {
	if len(c.Issuers) == 0 {
		l.at(strictyaml.Value[string]{}, "issuers is missing: the OpenID providers whose ID tokens are accepted")
	}
	issuers, aliases := map[string]bool{}, map[string]bool{}
	for _, i := range c.Issuers {
		if l.need(i.Issuer, "issuer", "the provider's identifier, an https URL") {
			if u, err := url.Parse(i.Issuer.V); err != nil || !secureURL(u) {
				l.at(i.Issuer, "issuer %q: an https URL is wanted (http for loopback alone)", i.Issuer.V)
			}
		}
		l.need(i.ClientID, "client_id", "the client that ID tokens must be for")
		if issuers[i.Issuer.V] {
			l.at(i.Issuer, "issuer %q stands twice", i.Issuer.V)
		}
		if a := i.Alias; a.V != "" && !alias.MatchString(a.V) {
			l.at(a, "alias %q: lower-case letters, digits and hyphens are wanted", a.V)
		}
		if len(c.Issuers) > 1 && (i.Alias.V == "" || aliases[i.Alias.V]) {
			l.at(i.Issuer, "with several issuers each needs an alias of its own, so that their groups are not mistaken for one another")
		}
		issuers[i.Issuer.V], aliases[i.Alias.V] = true, true
	}
}

func (c *Config) checkRoles(l *faultList) {
	if len(c.Roles) == 0 {
		l.at(strictyaml.Value[string]{}, "roles is missing: the IAM roles that sessions may be for, and the groups that may take them")
	}
	seen := map[string]bool{}
	for _, r := range c.Roles {
		switch {
		case !roleARN.MatchString(r.ARN.V):
			l.at(r.ARN, "arn %q is not the ARN of an IAM role, such as arn:aws:iam::111122223333:role/analyst", r.ARN.V)
		case seen[r.ARN.V]:
			l.at(r.ARN, "role %q stands twice", r.ARN.V)
		case r.Everyone == (len(r.Groups) > 0):
			l.at(r.ARN, "role %q needs either groups or everyone: true", r.ARN.V)
		}
		for _, g := range r.Groups {
			if g.V == "" {
				l.at(g, "an empty group")
			}
		}
		c.checkDuration(l, r.MaxSession, "max_session")
		seen[r.ARN.V] = true
	}
}

func (c *Config) checkDuration(l *faultList, d Duration, key string) {
	if d.V == "" {
		return
	}
	if parsed, err := time.ParseDuration(d.V); err != nil || parsed < time.Second || parsed > MaxLifetime {
		l.at(d.Value, "%s %q: a duration from 1s to 12h is wanted, such as 1h", key, d.V)
	}
}

func (c *Config) checkUpstream(l *faultList) {
	u := c.Upstream
	endpoint := func(v strictyaml.Value[string], key string) {
		if p, err := url.Parse(v.V); err != nil || !secureURL(p) || strings.Trim(p.Path, "/") != "" || p.RawQuery != "" {
			l.at(v, "%s %q: an https URL without path is wanted (http for loopback alone)", key, v.V)
		}
	}
	if l.need(u.Endpoint, "upstream.endpoint", "the URL of the real S3, such as https://s3.eu-west-1.amazonaws.com") {
		endpoint(u.Endpoint, "upstream.endpoint")
	}
	switch u.Credentials.V {
	case credentialsStatic:
		l.need(u.Static.AccessKeyID, "upstream.static.access_key_id", "the key pair for the real S3")
		l.need(u.Static.SecretAccessKeyFile, "upstream.static.secret_access_key_file", "a file of mode 0600 that holds the secret")
	case credentialsAssumeRole:
		if u.AssumeRole.STSEndpoint.V != "" {
			endpoint(u.AssumeRole.STSEndpoint, "upstream.assume_role.sts_endpoint")
		}
	default:
		l.at(u.Credentials, "upstream.credentials is %q; write assume_role or static", u.Credentials.V)
	}
}

// secureURL accepts https, and http where nobody else can listen.
func secureURL(u *url.URL) bool {
	if u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
