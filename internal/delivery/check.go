package delivery

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

var sinkName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9-]{1,32}$`) })

// checker gathers the faults of sinks.
type checker struct {
	file  string
	found strictyaml.Faults
}

func (c *checker) at(v text, format string, args ...any) {
	c.found = append(c.found, v.Fault(c.file, format, args...))
}

// Check judges sinks that were decoded from file, and the files that they name,
// which it makes absolute: they are relative to folder. It writes nothing and
// connects to nothing.
func Check(file, folder string, sinks []Sink) strictyaml.Faults {
	c := &checker{file: file}
	seen := map[string]bool{}
	for i := range sinks {
		s := &sinks[i]
		if !sinkName().MatchString(s.Name.V) {
			c.at(near(s.Name, s.Type), "audit.sinks: name %q: lower-case letters, digits and hyphens are wanted, 32 at most", s.Name.V)
		}
		if seen[s.Name.V] {
			c.at(s.Name, "audit.sinks: the name %q stands twice", s.Name.V)
		}
		seen[s.Name.V] = true
		k, known := kindOf(s.Type.V)
		if !known {
			c.at(near(s.Type, s.Name), "audit.sinks: type %q is not one of %s%s", s.Type.V, strings.Join(kindNames(), ", "), strictyaml.Meant(s.Type.V, kindNames()))
			continue
		}
		s.resolve(folder)
		c.checkKeys(*s, k)
		c.checkOnly(s.Only)
		c.checkPlaces(*s)
		c.checkWords(*s)
		c.checkFiles(*s)
	}
	return c.found
}

// near is v, or fallback when v was not written.
func near(v, fallback text) text {
	if v.Line == 0 {
		return fallback
	}
	return v
}

// resolve makes the paths absolute.
func (s *Sink) resolve(folder string) {
	for _, v := range []*text{&s.Path, &s.URLFile, &s.SecretFile, &s.CAFile, &s.CertFile, &s.KeyFile} {
		if v.V != "" && !filepath.IsAbs(v.V) {
			v.V = filepath.Join(folder, v.V)
		}
	}
}

// checkKeys reports keys that are missing, and those that the sink's type does
// not have: they were meant for something.
func (c *checker) checkKeys(s Sink, k kind) {
	need := k.need
	if k.secret {
		need = append(slices.Clone(need), "secret_file")
	}
	given := s.given()
	for _, key := range need {
		if _, ok := given[key]; !ok {
			c.at(s.Type, "audit.sinks: a sink of type %s needs %s", k.name, key)
		}
	}
	for key, place := range given {
		if !slices.Contains(need, key) && !slices.Contains(k.may, key) {
			c.at(place, "audit.sinks: a sink of type %s has no %s", k.name, key)
		}
	}
	if (s.CertFile.V == "") != (s.KeyFile.V == "") {
		c.at(near(s.CertFile, s.KeyFile), "audit.sinks: cert_file and key_file go together")
	}
	if k.name == "webhook" && (s.URL.V == "") == (s.URLFile.V == "") {
		c.at(s.Type, "audit.sinks: a webhook needs one of url and url_file")
	}
	if s.User.V != "" && s.SecretFile.V == "" {
		c.at(s.User, "audit.sinks: user needs a password in secret_file")
	}
	if k.name == "kafka" && (s.User.V == "") != (s.Mechanism.V == "") {
		c.at(near(s.User, s.Mechanism), "audit.sinks: user, secret_file and mechanism go together")
	}
}

// given are the keys of one type or another that were written with a value,
// and where.
func (s Sink) given() map[string]text {
	given := map[string]text{}
	for f, v := range reflect.ValueOf(s).Fields() {
		key := f.Tag.Get("yaml")
		switch x := v.Interface().(type) {
		case text:
			if x.V != "" {
				given[key] = x
			}
		case strictyaml.Value[bool]:
			if x.Line != 0 {
				given[key] = text{Line: x.Line, Column: x.Column}
			}
		case strictyaml.Value[int]:
			if x.Line != 0 {
				given[key] = text{Line: x.Line, Column: x.Column}
			}
		case []text:
			if len(x) > 0 {
				given[key] = x[0]
			}
		}
	}
	for _, common := range []string{"name", "type", "format"} {
		delete(given, common)
	}
	return given
}

func (c *checker) checkOnly(o Only) {
	word := func(list []text, key string, known ...string) {
		for _, v := range list {
			if !slices.Contains(known, v.V) {
				c.at(v, "audit.sinks: only.%s: %q is not one of %s%s", key, v.V, strings.Join(known, ", "), strictyaml.Meant(v.V, known))
			}
		}
	}
	word(o.Kind, "kind", string(audit.KindSession), string(audit.KindDecision), string(audit.KindOutcome), string(audit.KindPolicy), string(audit.KindAdmin))
	word(o.Decision, "decision", string(audit.Allowed), string(audit.Blocked), string(audit.WouldBlock))
}

// checkPlaces judges where sinks are, and whether the way there is safe.
func (c *checker) checkPlaces(s Sink) {
	if s.URL.V != "" {
		if err := checkURL(s.URL.V); err != nil {
			c.at(s.URL, "audit.sinks: url: %v", err)
		}
	}
	if s.Address.V != "" {
		network, address, err := splitAddress(s.Address.V)
		if err != nil {
			c.at(s.Address, "audit.sinks: address: %v", err)
		}
		if network == "tcp" || network == "udp" {
			if host, _, _ := net.SplitHostPort(address); !isLoopback(host) && !s.InsecurePlaintext.V {
				c.at(s.Address, "audit.sinks: address %q would be sent events in clear: write tls://, or set insecure_plaintext: true where the network can be trusted", s.Address.V)
			}
		}
	}
	for _, b := range s.Brokers {
		if host, port, err := net.SplitHostPort(b.V); err != nil || host == "" || port == "" {
			c.at(b, "audit.sinks: brokers: %q is not host:port", b.V)
		}
	}
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("an https URL is wanted")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("a URL without user, query and fragment is wanted; secrets stand in files")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fmt.Errorf("%q: an https URL is wanted (http for loopback alone)", s)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkWords judges keys that have a closed set of values.
func (c *checker) checkWords(s Sink) {
	word := func(v text, key string, known ...string) {
		if v.V != "" && !slices.Contains(known, v.V) {
			c.at(v, "audit.sinks: %s is %q; write %s", key, v.V, strings.Join(known, " or "))
		}
	}
	word(s.Format, "format", formats()...)
	word(s.Body, "body", "array", "lines")
	word(s.Confirm, "confirm", "close", "none")
	word(s.Mechanism, "mechanism", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
	if n := s.MessageBytes; n.Line != 0 && (n.V < 1024 || n.V > 1<<20) {
		c.found = append(c.found, n.Fault(c.file, "audit.sinks: message_bytes is %d; 1024 to 1048576 is wanted", n.V))
	}
	if s.Site.V != "" && strings.ContainsAny(s.Site.V, "/:@? ") {
		c.at(s.Site, "audit.sinks: site %q is not a domain, such as datadoghq.eu", s.Site.V)
	}
}

// checkFiles reads the files that are named.
func (c *checker) checkFiles(s Sink) {
	if s.SecretFile.V != "" {
		if _, err := readSecret(s.SecretFile.V); err != nil {
			c.at(s.SecretFile, "audit.sinks: %v", err)
		}
	}
	if s.URLFile.V != "" {
		u, err := readSecret(s.URLFile.V)
		if err == nil && checkSecretURL(u) != nil {
			err = fmt.Errorf("%q does not hold an https URL", s.URLFile.V)
		}
		if err != nil {
			c.at(s.URLFile, "audit.sinks: %v", err)
		}
	}
	if _, err := tlsConfig(s); err != nil {
		c.at(near(s.CAFile, s.CertFile), "audit.sinks: %v", err)
	}
	if s.Path.V != "" {
		if info, err := os.Stat(filepath.Dir(s.Path.V)); err != nil || !info.IsDir() {
			c.at(s.Path, "audit.sinks: path: there is no folder %q", filepath.Dir(s.Path.V))
		}
	}
}
