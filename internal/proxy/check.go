package proxy

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// faultList gathers faults of one file.
type faultList struct {
	file  string
	found strictyaml.Faults
}

func (l *faultList) at(v text, format string, args ...any) {
	l.found = append(l.found, v.Fault(l.file, format, args...))
}

// need reports a key that must not be left out, at the place where it stands
// empty, or else near another key of the same mapping.
func (l *faultList) need(v, near text, key, meaning string) bool {
	if v.V == "" && v.Line != 0 {
		near = v
	}
	if v.V == "" {
		l.at(near, "%s is missing: %s", key, meaning)
	}
	return v.V != ""
}

// choice reports a value that is neither of two.
func (l *faultList) choice(v text, key, one, other string) {
	if v.V != one && v.V != other {
		l.at(v, "%s is %q; write %s or %s%s", key, v.V, one, other, strictyaml.Meant(v.V, []string{one, other}))
	}
}

// Compiled when they are first needed: the client has this room in it, too, and
// starts more often than it checks a sidecar's configuration.
var (
	roleARN = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}$`)
	})
	shortName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9-]{1,32}$`) })
)

// check judges the values that stand in the file itself.
func (c *Config) check() strictyaml.Faults {
	l := &faultList{file: c.file}
	c.checkListener(l)
	c.checkIssuers(l)
	c.checkRoles(l)
	for _, r := range []text{c.Region, c.Upstream.Region} {
		if !shortName().MatchString(r.V) {
			l.at(r, "%q is not the name of a region, such as eu-west-1", r.V)
		}
	}
	l.need(c.Sessions.KeyFile, text{}, "sessions.key_file", "the file with the keys that sessions are sealed with; it is made on first start")
	if err := session.CheckDeployment(c.Sessions.Deployment.V); err != nil {
		l.at(c.Sessions.Deployment, "sessions.deployment: %v", err)
	}
	c.checkDuration(l, c.Sessions.Lifetime, "sessions.lifetime")
	c.checkUpstream(l)
	c.checkListening(l)
	c.checkServiceKeys(l)
	c.checkAdmin(l)
	l.need(c.Policy.DataMap, text{}, "policy.data_map", "the file that says where which data lives")
	if len(c.Policy.Policies) == 0 {
		l.at(text{}, "policy.policies is missing: the files or folders with policies")
	}
	l.choice(c.Policy.Unlabelled, "policy.unlabelled", "deny", "allow")
	l.choice(c.Policy.Mode, "policy.mode", modeEnforce, modeMonitor)
	l.choice(c.Policy.ExplainToCaller, "policy.explain_to_caller", explainFull, explainBrief)
	l.choice(c.Policy.Listing, "policy.listing", listingFilter, listingStrict)
	c.checkAudit(l)
	return l.found
}

func (c *Config) checkListener(l *faultList) {
	host, port, err := net.SplitHostPort(c.Listen.V)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		l.at(c.Listen, "listen %q is not host:port", c.Listen.V)
		return
	}
	if host == "localhost" {
		l.at(c.Listen, "listen %q: an address is wanted, such as 127.0.0.1:%s", c.Listen.V, port)
		return
	}
	plain := c.TLS.CertFile.V == "" && c.TLS.KeyFile.V == ""
	if ip, err := netip.ParseAddr(host); plain && !c.InsecurePlainHTTP && (err != nil || !ip.IsLoopback()) {
		l.at(c.Listen, "listen %q is not a loopback address, and there is no certificate: set tls.cert_file and tls.key_file, or insecure_plain_http: true behind a load balancer that ends TLS", c.Listen.V)
	}
	if (c.TLS.CertFile.V == "") != (c.TLS.KeyFile.V == "") {
		l.at(c.TLS.CertFile, "tls needs both cert_file and key_file")
	}
	if ip, err := netip.ParseAddr(host); c.Address.V == "" && (host == "" || err == nil && ip.IsUnspecified()) {
		l.at(c.Listen, "address is missing: with listen %q nobody can tell under which URL people reach the sidecar", c.Listen.V)
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
		l.at(text{}, "issuers is missing: the OpenID providers whose ID tokens are accepted")
	}
	issuers, aliases := map[string]bool{}, map[string]bool{}
	for _, i := range c.Issuers {
		if l.need(i.Issuer, i.ClientID, "issuer", "the provider's identifier, an https URL") {
			if err := idtoken.CheckIssuer(i.Issuer.V); err != nil {
				l.at(i.Issuer, "%v", err)
			} else if i.ClientID.V != "" {
				if err := i.document(c.Region.V).Check(); err != nil { // as clients will
					l.at(i.Issuer, "clients would refuse this: %v", err)
				}
			}
		}
		i.checkClaims(l)
		c.checkDuration(l, i.MaxTokenAge, "max_token_age")
		l.need(i.ClientID, i.Issuer, "client_id", "the client that ID tokens must be for")
		if issuers[i.Issuer.V] {
			l.at(i.Issuer, "issuer %q stands twice", i.Issuer.V)
		}
		for _, d := range i.EmailDomains {
			if d == "" || strings.Contains(d, "@") {
				l.at(i.Issuer, "email_domains: %q is not a domain, such as example.com", d)
			}
		}
		if a := i.Alias; a.V != "" && !shortName().MatchString(a.V) {
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
		l.at(text{}, "roles is missing: the IAM roles that sessions may be for, and the groups that may take them")
	}
	seen := map[string]bool{}
	for _, r := range c.Roles {
		switch {
		case !roleARN().MatchString(r.ARN.V):
			l.at(r.ARN, "arn %q is not the ARN of an IAM role, such as arn:aws:iam::111122223333:role/analyst", r.ARN.V)
		case seen[r.ARN.V]:
			l.at(r.ARN, "role %q stands twice", r.ARN.V)
		case r.Everyone && len(r.Groups) > 0:
			l.at(r.ARN, "role %q has groups and everyone: true; choose one", r.ARN.V)
		case !r.Everyone && len(r.Groups) == 0:
			l.at(r.ARN, "role %q needs groups or everyone: true", r.ARN.V)
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
		l.at(d.text, "%s %q: a duration from 1s to 12h is wanted, such as 1h", key, d.V)
	}
}

// secureURL accepts https, and http where nobody else can listen.
func secureURL(u *url.URL) bool {
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && idtoken.IsLoopback(u.Hostname())
}
