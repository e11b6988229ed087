package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/alert"
	"github.com/gimme-broker/gimme/internal/response"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A Config is the sidecar's configuration file. It is decoded strictly; the
// comments below are its manual, which docs/operating.md repeats with
// examples. Paths are relative to the folder of the configuration file.
type Config struct {
	// Listen is the address and port to listen on. Default 127.0.0.1:8700.
	Listen text `yaml:"listen"`

	// Address is the URL under which people reach the sidecar, such as
	// https://s3.sidecar.example. Default: made from listen.
	Address text `yaml:"address"`

	// TLS is the certificate. Without it the sidecar speaks plain HTTP, and
	// then only on loopback.
	TLS TLS `yaml:"tls"`

	// InsecurePlainHTTP permits plain HTTP on an address that is not loopback,
	// for a load balancer in front that ends TLS. Whoever can read that
	// network reads the data. Default false.
	InsecurePlainHTTP bool `yaml:"insecure_plain_http"`

	// Domains are host names under which a bucket may stand as the first part of
	// the host: with s3.sidecar.example, the host lake.s3.sidecar.example is the
	// bucket lake. Buckets in the path work under every other host. The
	// certificate has to cover *.DOMAIN. Default none.
	Domains []text `yaml:"domains"`

	// TrustedProxies are the networks of load balancers in front of the sidecar.
	// Only from them X-Forwarded-For is believed: the client is the last address
	// in it that is not theirs. Default none.
	TrustedProxies []text `yaml:"trusted_proxies"`

	// Region is the region that profiles are written with. Clients may sign
	// for any. Default us-east-1.
	Region text `yaml:"region"`

	// Issuers are the OpenID providers whose ID tokens are accepted. The
	// first is the one that people log in at. At least one.
	Issuers []Issuer `yaml:"issuers"`

	// Roles are the IAM roles that sessions may be for. At least one.
	Roles []Role `yaml:"roles"`

	// ServiceKeys are for programs that can hold only a static pair of keys.
	// Default none.
	ServiceKeys []ServiceKey `yaml:"service_keys"`

	// Responses are what is done when a principal does certain things too often.
	// Default none.
	Responses []response.Config `yaml:"responses"`
	Alerts    Alerts            `yaml:"alerts"`

	Sessions Sessions `yaml:"sessions"`
	Upstream Upstream `yaml:"upstream"`
	Policy   Policy   `yaml:"policy"`
	Audit    Audit    `yaml:"audit"`
	Limits   Limits   `yaml:"limits"`
	Admin    Admin    `yaml:"admin"`
	Tracing  Tracing  `yaml:"tracing"`

	file   string // as given to Load
	folder string
	loaded loaded
}

// TLS names a certificate chain and its key, both PEM files.
type TLS struct {
	CertFile text `yaml:"cert_file"`
	KeyFile  text `yaml:"key_file"`
}

// An Issuer is an OpenID provider.
type Issuer struct {
	// Issuer is its identifier, byte for byte as in its metadata.
	Issuer text `yaml:"issuer"`

	// ClientID is the client that ID tokens must be for. Register one that
	// nothing else uses.
	ClientID text `yaml:"client_id"`

	// ClientIDs are further clients that ID tokens may be for. People log in as
	// client_id. Default none.
	ClientIDs []text `yaml:"client_ids"`

	// ClientMethods says for each client how those log in who use it: browser,
	// device or ci. Policies can go by it (auth_method). Default: ci for an issuer
	// with require, otherwise browser.
	ClientMethods map[string]text `yaml:"client_methods"`

	// MaxTokenAge is how long ago an ID token may have been issued. Default 1h.
	MaxTokenAge Duration `yaml:"max_token_age"`

	// SingleUse says that an ID token is good for one session, at each replica.
	// Programs that read a token from a file need it more often. Default false.
	SingleUse bool `yaml:"single_use"`

	// Alias, if set, stands before the subjects and groups of this issuer,
	// divided by a colon, wherever roles and policies name them. With several
	// issuers each needs its own.
	Alias text `yaml:"alias"`

	// Scopes are what the client asks for. Default openid, email, profile.
	Scopes []string `yaml:"scopes"`

	// GroupsClaim is the claim that lists groups. Default groups.
	GroupsClaim string `yaml:"groups_claim"`

	// ClaimGroups are claims of which groups are made, such as
	// repository=acme/lake of the claim repository. Then no claim that lists
	// groups is read. They are for the tokens of CI jobs, which have no groups.
	ClaimGroups []string `yaml:"claim_groups"`

	// Require are claims that a token must have, each with the values of which
	// it must have one. Issuers that speak for everybody, as those of hosted CI
	// systems do, are refused without it.
	Require map[string][]string `yaml:"require"`

	// How the login differs from what providers of this kind usually want.
	// Clients learn it from the discovery document.
	IDP          string            `yaml:"idp"`           // the kind of provider, as in docs/identity-providers.md. Default: guessed from the issuer.
	RedirectHost string            `yaml:"redirect_host"` // 127.0.0.1, localhost or [::1]
	Ports        []int             `yaml:"ports"`         // to wait at for the browser, in order
	ClientSecret string            `yaml:"client_secret"` // for providers that insist on one. Everybody can read it.
	Parameters   map[string]string `yaml:"parameters"`    // further ones of the authorization request

	// EmailDomains are the domains of which this issuer is the authority. Only
	// a verified address in one of them counts when a policy names a user by
	// e-mail. Default none: e-mail addresses decide nothing.
	EmailDomains []string `yaml:"email_domains"`

	// CAFile holds PEM certificates to trust for this issuer instead of the
	// system's.
	CAFile text `yaml:"ca_file"`
}

// A Role is an IAM role that sessions may be for.
type Role struct {
	ARN text `yaml:"arn"`

	// Groups are those whose members may take the role.
	Groups []text `yaml:"groups"`

	// Everyone says that whoever can log in may take the role.
	Everyone bool `yaml:"everyone"`

	// MaxSession limits the life of a session for this role. Default: the
	// limit of sessions.lifetime.
	MaxSession Duration `yaml:"max_session"`
}

// A ServiceKey is a key pair that does not come from a login. gimme proxy
// service-key new makes one. Its secret is derived from the keys of sessions and
// stands nowhere.
type ServiceKey struct {
	AccessKeyID text `yaml:"access_key_id"`

	// Service is the name under which policies know who signs with it.
	Service text `yaml:"service"`

	// Role is the role that its requests are made with, one of roles.
	Role text `yaml:"role"`

	// From are the networks it may be used from. Required.
	From []text `yaml:"from"`

	// Expires is the moment from which it is refused, such as
	// 2027-06-30T00:00:00Z. Required.
	Expires text `yaml:"expires"`

	networks []netip.Prefix // From, read
	expires  time.Time      // Expires, read
}

// Sessions says how sessions are sealed.
type Sessions struct {
	// Deployment is part of what a session is sealed for: a session of another
	// deployment is refused even if the keys are the same. Default "default".
	Deployment text `yaml:"deployment"`

	// KeyFile holds the keys. It is made, with mode 0600, when it does not
	// exist. Replicas share it. Required.
	KeyFile text `yaml:"key_file"`

	// Lifetime is how long a session lasts at most. Default 1h, at most 12h.
	Lifetime Duration `yaml:"lifetime"`

	// Revocations is the file in which revoked sessions are written down. It is
	// made when it does not exist. Default: key_file with .revoked after it.
	Revocations text `yaml:"revocations"`
}

// Upstream is the real S3.
type Upstream struct {
	// Endpoint is its URL, such as https://s3.eu-west-1.amazonaws.com. Plain
	// HTTP is accepted for loopback alone. Required.
	Endpoint text `yaml:"endpoint"`

	// Region is what requests to it are signed for. Default us-east-1.
	Region text `yaml:"region"`

	// CAFile holds PEM certificates to trust for it instead of the system's.
	CAFile text `yaml:"ca_file"`

	// Credentials says how the sidecar comes by credentials for it:
	// assume_role (the default: the role of the session is assumed, with the
	// person's name on it), web_identity (the person's ID token is exchanged at
	// the upstream's STS when the session is issued, and what it gives is sealed
	// into the session) or static (one key pair for everyone).
	Credentials text `yaml:"credentials"`

	// DotSegments is refuse (the default) or keep: what happens to keys with "."
	// or ".." between their slashes. Amazon S3 gives them no meaning; stores that
	// keep objects in a file system take them for another object.
	DotSegments text `yaml:"dot_segments"`

	Static     Static     `yaml:"static"`
	AssumeRole AssumeRole `yaml:"assume_role"`

	WebIdentity WebIdentity `yaml:"web_identity"`
}

// WebIdentity says where ID tokens are exchanged.
type WebIdentity struct {
	// STSEndpoint is the URL of the STS. Default: AWS's own of the upstream's
	// region.
	STSEndpoint text `yaml:"sts_endpoint"`
}

// Limits bound what clients can take. Zero values are the defaults.
type Limits struct {
	// Connections is how many connections are held open at once. Default 4096.
	Connections strictyaml.Value[int] `yaml:"connections"`

	// ConnectionsPerSource is how many of them one client address may hold.
	// Default 512.
	ConnectionsPerSource strictyaml.Value[int] `yaml:"connections_per_source"`

	// LoginsPerMinute is how many calls of the STS endpoint one client address
	// may make in a minute. Default 600.
	LoginsPerMinute strictyaml.Value[int] `yaml:"logins_per_minute"`
}

// Static is one key pair, for stores that have no STS.
type Static struct {
	AccessKeyID text `yaml:"access_key_id"`

	// SecretAccessKeyFile holds the secret and nothing else; its mode is 0600
	// or stricter.
	SecretAccessKeyFile text `yaml:"secret_access_key_file"`
}

// AssumeRole says where roles are assumed. The sidecar's own identity comes
// from the AWS SDK's default chain.
type AssumeRole struct {
	// STSEndpoint is the URL of the STS. Default: AWS's own of the upstream's
	// region.
	STSEndpoint text `yaml:"sts_endpoint"`
}

// A text is what was written, and where.
type text = strictyaml.Value[string]

// A Duration is a time.Duration written as in 90s or 1h30m.
type Duration struct{ text }

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
	credentialsAssumeRole  = "assume_role"
	credentialsStatic      = "static"
	credentialsWebIdentity = "web_identity"
)

const (
	dotSegmentsRefuse = "refuse"
	dotSegmentsKeep   = "keep"
)

// loaded is what Load has read from the files that the configuration names.
type loaded struct {
	rules        *rules
	looked       string // the fingerprint of their files
	certificate  *tls.Certificate
	issuerRoots  []*x509.CertPool // by position in Issuers; nil: the system's
	upstreamRoot *x509.CertPool
	secretKey    secret.Text
	responses    []*response.Rule
	alerts       alert.Options
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
		if reflect.DeepEqual(*c, Config{file: c.file, folder: c.folder}) { // nothing could be read, so nothing is missing
			return nil, found.Err()
		}
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
// not meant, tests of the policies that do not pass, and what there is to
// consider about the certificate and about each service key.
func (c *Config) Warnings() []strictyaml.Fault {
	return slices.Concat(c.listeningWarnings(time.Now()), c.adminWarnings(), c.serviceWarnings(time.Now()), c.responseWarnings(), c.loaded.rules.warnings, c.loaded.rules.failed)
}

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
	set(&c.Region.V, "us-east-1")
	set(&c.Sessions.Deployment.V, "default")
	set(&c.Upstream.Region.V, "us-east-1")
	set(&c.Upstream.Credentials.V, credentialsAssumeRole)
	set(&c.Upstream.DotSegments.V, dotSegmentsRefuse)
	set(&c.Policy.Unlabelled.V, "deny")
	set(&c.Policy.Mode.V, modeEnforce)
	set(&c.Policy.ExplainToCaller.V, explainFull)
	set(&c.Policy.Listing.V, listingFilter)
	set(&c.Audit.Durability.V, string(audit.DurableWrite))
	if c.Sessions.KeyFile.V != "" {
		set(&c.Sessions.Revocations.V, c.Sessions.KeyFile.V+".revoked")
	}
	setInt := func(v *strictyaml.Value[int], fallback int) {
		if v.Line == 0 {
			v.V = fallback
		}
	}
	setInt(&c.Limits.Connections, 4096)
	setInt(&c.Limits.ConnectionsPerSource, 512)
	setInt(&c.Limits.LoginsPerMinute, 600)
	c.setAdminDefaults()
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
