package awsfile

import (
	"time"
)

// Found is what stands under one profile's name in the two files. Its zero value
// is: nothing.
type Found struct {
	Credentials, Config bool // whether the profile has a section in the file

	AccessKeyID string    // of keys in the credentials file, or else in the configuration file; empty: none
	Temporary   bool      // the keys come with a session token
	Expires     time.Time // of the keys, as gimme and others note it; zero: not noted
	Static      bool      // the keys are as gimme writes them

	Process     string   // the command line of credential_process; empty: none
	ProcessArgs []string // the words of Process when it is gimme's own; else nil

	Region   string
	Endpoint string   // where requests to S3 go; empty: S3 itself
	Services string   // the name of the services section in use; empty: none
	Ours     bool     // gimme wrote something of this profile that Remove would take out
	Foreign  []string // keys with which somebody else has the profile get credentials in another way, such as sso_session
	Shadowed bool     // static keys stand beside Process, and SDKs take those
}

// Find says what stands under the profile's name. Missing files are empty ones;
// a file that SDKs could not read is a *Fault.
func (f Files) Find(name string) (Found, error) {
	var found Found
	if err := CheckName(name); err != nil {
		return found, err
	}
	f, err := f.resolved()
	if err != nil {
		return found, err
	}
	credentials, err := (&fileEdit{path: f.Credentials}).scan()
	if err != nil {
		return found, err
	}
	config, err := (&fileEdit{path: f.Config}).scan()
	if err != nil {
		return found, err
	}
	c, err := credentials.find(name)
	if err != nil {
		return found, err
	}
	s, err := config.find(configSection(name)...)
	if err != nil {
		return found, err
	}
	found.Credentials, found.Config = c != nil, s != nil
	found.keys(c, s)
	found.process(name, c, s)
	found.Region, found.Services = value("region", c, s), value("services", c, s)
	found.Endpoint = value("endpoint_url", c, s)
	if services, err := config.find("services " + found.Services); err == nil && services != nil && found.Services != "" {
		if e := services.nested("s3", "endpoint_url"); e != "" {
			found.Endpoint = e
		}
	}
	services, err := config.find("services " + servicesName(name))
	found.Ours = ownKeys(c) || found.ProcessArgs != nil || found.Services == servicesName(name) || err == nil && services != nil
	return found, nil
}

// keys looks for static keys, first in the credentials file.
func (f *Found) keys(sections ...*section) {
	for _, s := range sections {
		if s == nil || s.key("aws_access_key_id") == nil {
			continue
		}
		f.AccessKeyID, f.Static = s.key("aws_access_key_id").value, ownKeys(s)
		f.Temporary = temporary(s)
		if k := s.key("x_security_token_expires"); k != nil {
			f.Expires, _ = time.Parse(time.RFC3339, k.value)
		}
		return
	}
}

// process looks for other ways to credentials.
func (f *Found) process(name string, sections ...*section) {
	f.Process = value("credential_process", sections...)
	f.ProcessArgs = ownProcess(f.Process, name)
	f.Shadowed = f.Process != "" && f.AccessKeyID != ""
	for _, key := range foreignKeys {
		if value(key, sections...) != "" && (key != "credential_process" || f.ProcessArgs == nil) {
			f.Foreign = append(f.Foreign, key)
		}
	}
}

// value is that of the first section that has the key.
func value(name string, sections ...*section) string {
	for _, s := range sections {
		if s == nil {
			continue
		}
		if k := s.key(name); k != nil {
			return k.value
		}
	}
	return ""
}
