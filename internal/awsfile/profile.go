package awsfile

import (
	"fmt"
	"time"
)

// Keys with which a profile gets credentials in another way. Where one of them
// stands, SDKs would not look at what gimme writes, or the owner would lose it.
var foreignKeys = []string{
	"role_arn", "source_profile", "credential_source", "web_identity_token_file",
	"sso_session", "sso_start_url", "sso_account_id", "login_session", "credential_process",
}

// credentials edits the credentials file.
func (p Profile) credentials(d *document) error {
	s, err := d.find(p.Name)
	if err != nil {
		return err
	}
	if s != nil {
		if err := p.refuseForeign(d, s); err != nil {
			return err
		}
		if k := s.key("aws_access_key_id"); k != nil && s.key("aws_session_token") == nil && s.key("aws_security_token") == nil {
			return &Fault{File: d.file, Line: k.line, Text: fmt.Sprintf("profile %q holds a long-lived access key, which gimme does not overwrite", p.Name), Taken: true}
		}
	}
	return d.set(s, p.Name, edit{
		set: []setting{
			{"aws_access_key_id", "", p.AccessKeyID},
			{"aws_secret_access_key", "", p.SecretAccessKey.Reveal()},
			{"aws_session_token", "", p.SessionToken.Reveal()},
			{"x_security_token_expires", "", p.Expires.UTC().Format(time.RFC3339)},
		},
		// botocore prefers it to aws_session_token; old tools leave it behind.
		drop: []setting{{key: "aws_security_token"}},
	})
}

// configuration edits the configuration file.
func (p Profile) configuration(d *document) error {
	s, err := d.find(configSection(p.Name)...)
	if err != nil {
		return err
	}
	services := "gimme-" + p.Name
	ours := false
	if s != nil {
		if err := p.refuseForeign(d, s); err != nil {
			return err
		}
		if k := s.key("services"); k != nil {
			if ours = k.value == services; !ours && p.Endpoint != "" {
				return &Fault{File: d.file, Line: k.line, Text: fmt.Sprintf("profile %q has a services section of its own, %q", p.Name, k.value), Taken: true}
			}
		}
	}
	// One edit at a time: each takes one key under s3.
	edits := []edit{{set: []setting{{"region", "", p.Region}}}}
	nested := []setting{
		{"s3", "addressing_style", "path"},
		{"s3", "signature_version", "s3v4"}, // botocore presigns with Version 2 at an endpoint that is not AWS's
	}
	switch {
	case p.Endpoint != "":
		edits[0].set = append(edits[0].set, setting{"services", "", services})
		for _, x := range nested {
			edits = append(edits, edit{set: []setting{x}})
		}
	case ours:
		edits[0].drop = []setting{{key: "services"}}
		for _, x := range nested {
			edits = append(edits, edit{drop: []setting{x}})
		}
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

func (p Profile) services(d *document, name string) error {
	s, err := d.find(name)
	if err != nil {
		return err
	}
	if p.Endpoint != "" {
		return d.set(s, name, edit{set: []setting{{"s3", "endpoint_url", p.Endpoint}}})
	}
	if s != nil {
		d.remove(s)
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

func (p Profile) refuseForeign(d *document, s *section) error {
	for _, name := range foreignKeys {
		if k := s.key(name); k != nil {
			return &Fault{File: d.file, Line: k.line, Text: fmt.Sprintf("profile %q gets its credentials with %s, which gimme does not replace", p.Name, name), Taken: true}
		}
	}
	return nil
}
