package awsfile

import (
	"fmt"
	"strings"
	"time"
)

// Keys with which a profile gets credentials in another way. Where one of them
// stands, SDKs would not look at what gimme writes, or the owner would lose it.
var foreignKeys = []string{
	"role_arn", "source_profile", "credential_source", "web_identity_token_file",
	"sso_session", "sso_start_url", "sso_account_id", "login_session", "credential_process",
}

// temporaryKeys are those of temporary credentials, as gimme and older tools
// write them.
var temporaryKeys = []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "x_security_token_expires"}

// credentials edits the credentials file.
func (p Profile) credentials(d *document) error {
	s, err := d.find(p.Name)
	if err != nil {
		return err
	}
	e := edit{}
	if s != nil {
		if err := p.refuse(d, s, false); err != nil {
			return err
		}
		if k := s.key("aws_access_key_id"); k != nil && !temporary(s) {
			return &Fault{File: d.file, Line: k.line, Text: fmt.Sprintf("profile %q holds a long-lived access key, which gimme does not overwrite", p.Name), Taken: true}
		}
		if s.key("region") != nil { // it comes before that of the configuration
			e.set = append(e.set, setting{"region", "", p.Region})
		}
	}
	if p.Process != nil { // keys would come before it
		for _, name := range temporaryKeys {
			e.drop = append(e.drop, setting{key: name})
		}
		return d.take(s, p.Name, e, false)
	}
	e.set = append(e.set,
		setting{"aws_access_key_id", "", p.AccessKeyID},
		setting{"aws_secret_access_key", "", p.SecretAccessKey.Reveal()},
		setting{"aws_session_token", "", p.SessionToken.Reveal()},
		setting{"x_security_token_expires", "", p.Expires.UTC().Format(time.RFC3339)})
	// botocore prefers it to aws_session_token; old tools leave it behind.
	e.drop = []setting{{key: "aws_security_token"}}
	return d.set(s, p.Name, e)
}

// sidecarKeys are what a profile needs under s3 for a sidecar.
func sidecarKeys() []setting {
	return []setting{
		{"s3", "addressing_style", "path"},
		{"s3", "signature_version", "s3v4"}, // botocore presigns with Version 2 at an endpoint that is not AWS's
	}
}

func servicesName(profile string) string { return "gimme-" + profile }

// configuration edits the configuration file.
func (p Profile) configuration(d *document) error {
	s, err := d.find(configSection(p.Name)...)
	if err != nil {
		return err
	}
	services := servicesName(p.Name)
	ours := false
	if s != nil {
		if err := p.refuse(d, s, true); err != nil {
			return err
		}
		if k := s.key("aws_access_key_id"); k != nil && p.Process != nil {
			return &Fault{File: d.file, Line: k.line, Text: fmt.Sprintf("profile %q holds an access key, which some SDKs take before a credential_process", p.Name), Taken: true}
		}
		k := s.key("services")
		ours = k != nil && k.value == services
	}
	// One edit at a time: each takes one key under s3.
	edits := []edit{{set: []setting{{"region", "", p.Region}}}}
	switch {
	case p.Endpoint != "":
		edits[0].set = append(edits[0].set, setting{"services", "", services})
		for _, x := range sidecarKeys() {
			edits = append(edits, edit{set: []setting{x}})
		}
	case ours:
		edits[0].drop = []setting{{key: "services"}}
		for _, x := range sidecarKeys() {
			edits = append(edits, edit{drop: []setting{x}})
		}
	}
	if p.Process != nil {
		edits[0].set = append(edits[0].set, setting{"credential_process", "", commandLine(p.Process)})
	}
	for _, e := range edits {
		if s, err = d.find(configSection(p.Name)...); err != nil {
			return err
		}
		if err := d.set(s, configSection(p.Name)[0], e); err != nil {
			return err
		}
	}
	return p.services(d, "services "+services)
}

// settle takes the process out of the configuration when there are keys.
func (p Profile) settle(d *document) error {
	s, err := d.find(configSection(p.Name)...)
	if err != nil || s == nil || p.Process != nil || s.key("credential_process") == nil {
		return err
	}
	return d.set(s, s.name, edit{drop: []setting{{key: "credential_process"}}})
}

func (p Profile) services(d *document, name string) error {
	s, err := d.find(name)
	if err != nil {
		return err
	}
	if p.Endpoint != "" {
		return d.set(s, name, edit{set: []setting{{"s3", "endpoint_url", p.Endpoint}}})
	}
	if s != nil {
		return d.take(s, name, edit{drop: []setting{{key: "s3", sub: "endpoint_url"}}}, false)
	}
	return nil
}

// configSection gives the names that a profile's section may have in the
// configuration file, the one to write first.
func configSection(profile string) []string {
	if profile == "default" {
		return []string{"default", "profile default"}
	}
	return []string{"profile " + profile}
}

// refuse finds what would lead SDKs away from what gimme writes, or would be
// lost by it. process says that a credential_process of gimme's own may be there.
func (p Profile) refuse(d *document, s *section, process bool) error {
	fault := func(k *key, format string, args ...any) error {
		return &Fault{File: d.file, Line: k.line, Text: fmt.Sprintf("profile %q ", p.Name) + fmt.Sprintf(format, args...), Taken: true}
	}
	for _, name := range foreignKeys {
		if k := s.key(name); k != nil && (name != "credential_process" || !process || len(k.more) > 0 || ownProcess(k.value, p.Name) == nil) {
			return fault(k, "gets its credentials with %s, which gimme does not replace", name)
		}
	}
	if p.Endpoint == "" {
		return nil
	}
	if k := s.key("services"); k != nil && k.value != servicesName(p.Name) {
		return fault(k, "has a services section of its own, %q", k.value)
	}
	if k := s.key("ignore_configured_endpoint_urls"); k != nil && strings.EqualFold(k.value, "true") {
		return fault(k, "has %s, so that requests would not go to the sidecar", k.name)
	}
	return nil
}

func temporary(s *section) bool {
	return s.key("aws_session_token") != nil || s.key("aws_security_token") != nil
}
