package proxy

import (
	"net/url"

	"github.com/gimme-broker/gimme/internal/alert"
	"github.com/gimme-broker/gimme/internal/response"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// Alerts say where alerts of responses go, beside the audit log.
type Alerts struct {
	// URL is a webhook, https, or http on loopback. Default none.
	URL text `yaml:"url"`

	// SigningKeyFile holds the key that alerts are signed with, and nothing else;
	// its mode is 0600 or stricter. Required with url.
	SigningKeyFile text `yaml:"signing_key_file"`

	// CAFile holds PEM certificates to trust for the webhook instead of the
	// system's.
	CAFile text `yaml:"ca_file"`
}

// readResponses judges the responses, and reads what alerts need.
func (c *Config) readResponses(l *faultList) {
	var labels []string
	if c.loaded.rules != nil {
		labels = c.loaded.rules.set.Labels()
	}
	rules, found := response.Rules(c.file, c.Responses, labels)
	l.found = append(l.found, found...)
	c.loaded.responses = rules
	a := c.Alerts
	if a.URL.V == "" {
		for _, v := range []struct {
			text
			key string
		}{{a.URL, "url"}, {a.SigningKeyFile, "signing_key_file"}, {a.CAFile, "ca_file"}} {
			if v.Line != 0 {
				l.at(v.text, "alerts.url is missing: the webhook that alerts are posted to")
				break
			}
		}
		return
	}
	if u, err := url.Parse(a.URL.V); err != nil || !secureURL(u) || u.RawQuery != "" {
		l.at(a.URL, "alerts.url: an https URL without user, query and fragment is wanted (http for loopback alone)")
	}
	c.loaded.alerts = alert.Options{URL: a.URL.V, Roots: c.readRoots(l, a.CAFile)}
	if !l.need(a.SigningKeyFile, a.URL, "alerts.signing_key_file", "the file with the key that alerts are signed with; make it with: (umask 077; openssl rand -base64 32 > alert-key)") {
		return
	}
	key, err := readSecret(c.path(a.SigningKeyFile.V))
	if err == nil {
		err = alert.CheckKey(key)
	}
	if err != nil {
		l.at(a.SigningKeyFile, "alerts.signing_key_file: %v", err)
	}
	c.loaded.alerts.Key = key
}

// responseWarnings say which alerts reach nobody but the audit log.
func (c *Config) responseWarnings() []strictyaml.Fault {
	l := &faultList{file: c.file}
	for i, r := range c.loaded.responses {
		if c.Alerts.URL.V == "" && r.Enforced() && r.Does(response.Alert) {
			l.at(c.Responses[i].Name, "response %q alerts nobody: without alerts.url it only writes an event", r.Name)
		}
	}
	return l.found
}
