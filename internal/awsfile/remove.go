package awsfile

import "slices"

// A removal takes out what gimme wrote for one profile, the keys first.
type removal struct {
	name string
	keys bool // there were keys of gimme's in the credentials file
}

// ownKeys says whether the static keys of s are as gimme writes them: with an
// expiry, and without what older tools leave.
func ownKeys(s *section) bool {
	if s == nil || s.key("aws_security_token") != nil {
		return false
	}
	for _, name := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "x_security_token_expires"} {
		if s.key(name) == nil {
			return false
		}
	}
	return true
}

func (r *removal) credentials(d *document) error {
	s, err := d.find(r.name)
	if err != nil {
		return err
	}
	r.keys = ownKeys(s)
	if !r.keys {
		return nil
	}
	var e edit
	for _, name := range temporaryKeys {
		e.drop = append(e.drop, setting{key: name})
	}
	return d.take(s, r.name, e, true)
}

func (r *removal) configuration(d *document) error {
	services, err := d.find("services " + servicesName(r.name))
	if err != nil {
		return err
	}
	if services != nil {
		if err := d.take(services, services.name, edit{drop: []setting{{key: "s3", sub: "endpoint_url"}}}, true); err != nil {
			return err
		}
	}
	s, err := d.find(configSection(r.name)...)
	if err != nil || s == nil {
		return err
	}
	var edits []edit
	if value("services", s) == servicesName(r.name) {
		edits = append(edits, edit{drop: []setting{{key: "services"}}})
		for _, x := range sidecarKeys() {
			if s.nested(x.key, x.sub) == x.value {
				edits = append(edits, edit{drop: []setting{x}})
			}
		}
	}
	if ownProcess(value("credential_process", s), r.name) != nil {
		edits = append(edits, edit{drop: []setting{{key: "credential_process"}}})
	}
	if edits == nil && !r.keys {
		return nil
	}
	for _, e := range edits {
		if s, err = d.find(configSection(r.name)...); err != nil {
			return err
		}
		if err := d.set(s, s.name, e); err != nil {
			return err
		}
	}
	if s, err = d.find(configSection(r.name)...); err != nil {
		return err
	}
	// A region that nothing stands beside was gimme's, or does nothing.
	if !slices.ContainsFunc(s.keys, func(k *key) bool { return k.name != "region" }) && d.quiet(s, "region") {
		return d.take(s, s.name, edit{drop: []setting{{key: "region"}}}, true)
	}
	return nil
}
