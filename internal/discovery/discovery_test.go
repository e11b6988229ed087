package discovery_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/discovery"
)

func document() discovery.Document {
	return discovery.Document{Version: 1, Issuer: "https://idp.example", ClientID: "gimme", Scopes: []string{"openid", "email"}, Region: "eu-west-1"}
}

func TestDocumentCheck(t *testing.T) {
	if err := document().Check(); err != nil {
		t.Fatal(err)
	}
	loopback := document()
	loopback.Issuer = "http://127.0.0.1:8080/realm/"
	if err := loopback.Check(); err != nil {
		t.Errorf("an issuer on loopback: %v", err)
	}
	for name, row := range map[string]struct {
		change func(*discovery.Document)
		want   string
	}{
		"version 0":            {func(d *discovery.Document) { d.Version = 0 }, "version is 0; this program knows version 1"},
		"version 2":            {func(d *discovery.Document) { d.Version = 2 }, "version is 2"},
		"no issuer":            {func(d *discovery.Document) { d.Issuer = "" }, `issuer ""`},
		"issuer in plain http": {func(d *discovery.Document) { d.Issuer = "http://idp.example" }, "not an https URL"},
		"issuer no URL":        {func(d *discovery.Document) { d.Issuer = "idp.example" }, "issuer"},
		"issuer javascript":    {func(d *discovery.Document) { d.Issuer = "javascript://x/%0aalert()" }, "not an https URL"},
		"issuer with query":    {func(d *discovery.Document) { d.Issuer = "https://idp.example?x" }, "is not an https URL"},
		"issuer with password": {func(d *discovery.Document) { d.Issuer = "https://a:b@idp.example" }, "is not an https URL"},
		"no client":            {func(d *discovery.Document) { d.ClientID = "" }, "client_id"},
		"client with line end": {func(d *discovery.Document) { d.ClientID = "a\nb" }, "client_id"},
		"no scopes":            {func(d *discovery.Document) { d.Scopes = nil }, `no "openid"`},
		"no openid":            {func(d *discovery.Document) { d.Scopes = []string{"email"} }, `no "openid"`},
		"scope with space":     {func(d *discovery.Document) { d.Scopes = []string{"openid", "a b"} }, "is not a scope"},
		"many scopes":          {func(d *discovery.Document) { d.Scopes = slices.Repeat([]string{"openid"}, 33) }, "33 entries"},
		"no region":            {func(d *discovery.Document) { d.Region = "" }, "region"},
		"region with line end": {func(d *discovery.Document) { d.Region = "us-east-1\n[default]" }, "region"},
		"idp of words":         {func(d *discovery.Document) { d.IDP = "my idp" }, "idp"},
		"idp with line end":    {func(d *discovery.Document) { d.IDP = "okta\n" }, "idp"},
		"long idp":             {func(d *discovery.Document) { d.IDP = strings.Repeat("a", 33) }, "idp"},
		"redirect elsewhere":   {func(d *discovery.Document) { d.RedirectHost = "evil.example" }, `redirect_host: "evil.example" is not one of 127.0.0.1, localhost and [::1]`},
		"redirect to all":      {func(d *discovery.Document) { d.RedirectHost = "0.0.0.0" }, "redirect_host"},
		"redirect with port":   {func(d *discovery.Document) { d.RedirectHost = "localhost:8000" }, "redirect_host"},
		"redirect in capitals": {func(d *discovery.Document) { d.RedirectHost = "LOCALHOST" }, "redirect_host"},
		"low port":             {func(d *discovery.Document) { d.Ports = []int{1023} }, "ports: port 1023 is not one from 1024 to 65535"},
		"high port":            {func(d *discovery.Document) { d.Ports = []int{65536} }, "port 65536"},
		"port 0":               {func(d *discovery.Document) { d.Ports = []int{0} }, "port 0"},
		"the same port":        {func(d *discovery.Document) { d.Ports = []int{1024, 1025, 1024} }, "port 1024 stands twice"},
		"17 ports":             {func(d *discovery.Document) { d.Ports = many() }, "17 ports; at most 16"},
		"secret with line end": {func(d *discovery.Document) { d.ClientSecret = "hunter2\n" }, "client_secret is not 1 to 256 visible characters"},
		"long secret":          {func(d *discovery.Document) { d.ClientSecret = strings.Repeat("hunter2", 40) }, "client_secret"},
		"empty parameter":      {func(d *discovery.Document) { d.Parameters = map[string]string{"": "x"} }, "is not the name of a parameter"},
		"parameter with blank": {func(d *discovery.Document) { d.Parameters = map[string]string{"a b": "x"} }, "is not the name of a parameter"},
		"parameter in pieces":  {func(d *discovery.Document) { d.Parameters = map[string]string{"a&state": "x"} }, "is not the name of a parameter"},
		"parameter in capital": {func(d *discovery.Document) { d.Parameters = map[string]string{"State": "x"} }, "small letters"},
		"value with line end":  {func(d *discovery.Document) { d.Parameters = map[string]string{"acr_values": "x\n"} }, "the value of parameter acr_values"},
		"empty value":          {func(d *discovery.Document) { d.Parameters = map[string]string{"acr_values": ""} }, "the value of parameter acr_values"},
		"long value":           {func(d *discovery.Document) { d.Parameters = map[string]string{"a": strings.Repeat("x", 513)} }, "the value of parameter a"},
		"17 parameters":        {func(d *discovery.Document) { d.Parameters = manyParameters() }, "17 parameters; at most 16"},
		"region with space":    {func(d *discovery.Document) { d.Region = "us east" }, "region"},
	} {
		t.Run(name, func(t *testing.T) {
			d := document()
			row.change(&d)
			if err := d.Check(); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Check = %v; want %q in it", err, row.want)
			}
		})
	}
}

func many() []int {
	var ports []int
	for p := range 17 {
		ports = append(ports, 2000+p)
	}
	return ports
}

func manyParameters() map[string]string {
	m := map[string]string{}
	for _, p := range many() {
		m[strconv.Itoa(p)] = "x"
	}
	return m
}

// A sidecar may say how its provider wants to be asked, up to the limits.
func TestDocumentOfALogin(t *testing.T) {
	d := document()
	d.IDP, d.ClientSecret, d.Ports, d.Parameters = "a-kind-of-next-year", "public", many()[1:], manyParameters()
	delete(d.Parameters, "2000")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
		d.RedirectHost = host
		if err := d.Check(); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	good := map[string]string{"acr_values": "mfa", "prompt": "select_account", "max_age": "0", "domain_hint": "a.example", "connector_id": "ldap", "x.y-z": "1"}
	if err := discovery.CheckParameters(good); err != nil {
		t.Error(err)
	}
}

// Nothing that protects a login can be replaced, neither by a sidecar nor in a
// profile.
func TestParametersThatProtect(t *testing.T) {
	for _, name := range []string{
		"response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "scope", "state", "nonce", "code",
		"code_challenge", "code_challenge_method", "code_verifier", "grant_type", "request", "request_uri", "id_token_hint",
		"assertion", "client_assertion", "client_assertion_type", "device_code", "refresh_token", "registration",
	} {
		d := document()
		d.Parameters = map[string]string{"acr_values": "mfa", name: "x"}
		if err := d.Check(); err == nil || err.Error() != "parameters: parameter "+name+" is gimme's own" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRolesCheck(t *testing.T) {
	for arn, taken := range map[string]bool{
		"arn:aws:iam::111122223333:role/a/b+c=d,e.f@g-h_i": true,
		"arn:minio:iam:::role/x":                           true,
		"":                                                 false,
		"role/x":                                           false,
		"arn:aws:iam::1:role/x\n[y]":                       false,
		"arn:aws:iam::1:role/x y":                          false,
		"arn:" + strings.Repeat("a", 3000):                 false,
	} {
		err := discovery.Roles{Roles: []discovery.Role{{ARN: arn}}}.Check()
		if taken != (err == nil) {
			t.Errorf("role %q: %v", arn, err)
		}
	}
	if err := (discovery.Roles{Roles: make([]discovery.Role, 1001)}).Check(); err == nil || !strings.Contains(err.Error(), "1001 roles") {
		t.Errorf("1001 roles: %v", err)
	}
	if err := (discovery.Roles{}).Check(); err != nil {
		t.Errorf("no roles: %v", err)
	}
}

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{
		"https://s3.sidecar.example", "https://s3.sidecar.example:8443", "https://10.0.0.1", "https://[2001:db8::1]:443",
		"http://127.0.0.1:8700", "http://127.9.9.9", "http://localhost:8700", "http://[::1]:8700",
	} {
		if err := discovery.CheckAddress(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                                   "not a URL",
		"s3.sidecar.example":                 "not a URL",
		"s3.sidecar.example:443":             "not a URL",
		"ftp://s3.sidecar.example":           "not a URL",
		"https:s3.sidecar.example":           "not a URL",
		"https://":                           "not a URL",
		"https://s3.sidecar.example/":        "write https://s3.sidecar.example",
		"https://s3.sidecar.example/path":    "write https://s3.sidecar.example",
		"https://s3.sidecar.example?q":       "write https://s3.sidecar.example",
		"https://s3.sidecar.example#f":       "write https://s3.sidecar.example",
		"https://user:pw@s3.example":         "user name or password; write https://s3.example",
		"HTTPS://s3.example":                 "write https://s3.example",
		"https://:443":                       "no host",
		"https://s3.example:":                "port",
		"https://s3.example:0":               "port",
		"https://s3.example:65536":           "port",
		"https://s3.example:x":               "not a URL",
		"https://a%0ab":                      "not a URL",
		"https://a<b":                        "no host",
		"https://bücher.example":             "not a host name",
		"http://s3.sidecar.example":          "plain http, which is for loopback addresses alone; write https://s3.sidecar.example",
		"http://10.0.0.1":                    "plain http",
		"http://0.0.0.0:8700":                "plain http",
		"http://localhost.evil.example":      "plain http",
		"http://127.0.0.1.evil.example":      "plain http",
		"http://127.0.0.1@evil.example":      "user name",
		"http://evil.example\\@127.0.0.1":    "not a URL",
		"http://[::ffff:10.0.0.1]":           "plain http",
		"https://s3.sidecar.example\r\nX: y": "not a URL",
	} {
		if err := discovery.CheckAddress(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q in it", bad, err, want)
		}
	}
	if err := discovery.CheckAddress("https://user:hunter2@s3.example"); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the password is in %q", err)
	}
}
