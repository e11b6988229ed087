package discovery_test

import (
	"slices"
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
		"region with space":    {func(d *discovery.Document) { d.Region = "us east" }, "region"},
	} {
		t.Run(name, func(t *testing.T) {
			d := document()
			row.change(&d)
			if err := d.Check(); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Check = %v; want %q in it", err, row.want)
			}
		})
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
