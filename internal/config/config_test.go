package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

const role = "arn:aws:iam::111122223333:role/data"

func load(t *testing.T, text string) *config.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	f, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func lookup(m map[string]string) config.Lookup {
	return func(name string) (string, bool) { text, ok := m[name]; return text, ok }
}

func resolve(f *config.File, flags, env map[string]string, name string) (config.Profile, error) {
	return config.Resolve(lookup(flags), func(k string) string { return env[k] }, f, name)
}

const file = `# my profiles
profiles:
  # the lake
  sidecar:
    address: https://s3.sidecar.example # behind the VPN
    role: data-engineering
    scopes: [openid, groups]

  data:
    issuer: https://idp.example
    client_id: gimme
    role_arn: ` + role + `
    duration: 1h30m
`

func TestResolve(t *testing.T) {
	type m = map[string]string
	for _, test := range []struct {
		name       string
		profile    string
		flags, env m
		want       config.Profile
		err        string
	}{
		{name: "file alone", profile: "sidecar", want: config.Profile{Address: "https://s3.sidecar.example", Role: "data-engineering", Scopes: []string{"openid", "groups"}}},
		{name: "direct", profile: "data", want: config.Profile{Issuer: "https://idp.example", ClientID: "gimme", RoleARN: role, Duration: 90 * time.Minute}},
		{name: "flag before environment before file", profile: "sidecar", flags: m{"region": "eu-1"}, env: m{"GIMME_REGION": "eu-2", "GIMME_ROLE": "x"}, want: config.Profile{Address: "https://s3.sidecar.example", Role: "x", Region: "eu-1", Scopes: []string{"openid", "groups"}}},
		{name: "a flag turns the profile round", profile: "data", flags: m{"address": "https://a.example"}, want: config.Profile{Address: "https://a.example", Duration: 90 * time.Minute}},
		{name: "environment for the other way", profile: "sidecar", flags: m{"address": "https://a.example"}, env: m{"GIMME_ISSUER": "https://i.example"}, want: config.Profile{Address: "https://a.example", Role: "data-engineering", Scopes: []string{"openid", "groups"}}},
		{name: "nothing", profile: "new", err: `profile "new" is new, and no address is given`},
		{name: "half", profile: "new", flags: m{"issuer": "https://i.example"}, err: `profile "new": without a sidecar, --client-id and --role-arn must be given too`},
		{name: "role alone", profile: "new", flags: m{"role": "x"}, err: `profile "new": with a sidecar, --address must be given too`},
		{name: "both", profile: "new", flags: m{"issuer": "https://i.example", "address": "https://a.example"}, err: "flags: address is for use with a sidecar and issuer for use without a sidecar; give only one of them"},
		{name: "plain address", profile: "new", flags: m{"address": "http://a.example"}, err: "--address: "},
		{name: "duration", profile: "sidecar", env: m{"GIMME_DURATION": "5m"}, err: `GIMME_DURATION: "5m" is not a time from 15m to 12h`},
		{name: "duration with parts of seconds", profile: "sidecar", flags: m{"duration": "1h0.5s"}, err: `--duration: `},
		{name: "role-arn", profile: "data", flags: m{"role-arn": "x"}, err: `--role-arn: "x" is not the ARN of a role`},
		{name: "empty flag", profile: "sidecar", flags: m{"address": ""}, err: "--address: "},
		{name: "scopes", profile: "sidecar", flags: m{"scopes": " "}, err: "--scopes: no scope is given"},
		{name: "region", profile: "sidecar", flags: m{"region": "a b"}, err: "--region: "},
		{name: "line break", profile: "data", flags: m{"client-id": "a\nb"}, err: `--client-id: "a\nb" is empty or holds blanks`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := resolve(load(t, file), test.flags, test.env, test.profile)
			if test.err != "" {
				if e, ok := errors.AsType[*config.UsageError](err); !ok || !strings.HasPrefix(e.Text, test.err) {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFaultsAreReportedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := "profiles:\n  a:\n    adress: x\n    region: EU\n    duration: 1m\n  b:\n    address: https://a.example\n    issuer: https://i.example\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	faults, ok := errors.AsType[strictyaml.Faults](err)
	if !ok {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, strings.TrimPrefix(f.String(), path))
	}
	want := []string{
		`:3:5: unknown key "adress", did you mean "address"?`,
		`:4:13: region: "EU" is not a region, such as eu-west-1`,
		`:5:15: duration: "1m" is not a time from 15m to 12h, such as 1h`,
		`:7: profile "b": address is for use with a sidecar and issuer for use without a sidecar; give only one of them`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSave(t *testing.T) {
	side := config.Profile{Address: "https://s3.sidecar.example", Role: "data-engineering", Scopes: []string{"openid", "groups"}}
	moved := side
	moved.Address, moved.Role, moved.Duration = "https://new.example", "", time.Hour
	for _, test := range []struct {
		name, text, profile string
		p                   config.Profile
		saved               bool
		want                string
	}{
		{"no file", "", "sidecar", side, true, "# Profiles of gimme: how to get credentials, by name. It holds no secrets.\nprofiles:\n  sidecar:\n    address: https://s3.sidecar.example\n    role: data-engineering\n    scopes: [openid, groups]\n"},
		{"comments alone", "# mine\n", "x", config.Profile{Address: "https://a.example"}, true, "# mine\nprofiles:\n  x:\n    address: https://a.example\n"},
		{"unchanged", file, "sidecar", side, false, file},
		{"changed", file, "sidecar", moved, true, strings.NewReplacer("https://s3.sidecar.example", "https://new.example", "    role: data-engineering\n", "", "groups]\n\n", "groups]\n    duration: 1h\n").Replace(file)},
		{"further", file, "123", config.Profile{Address: "https://a.example"}, true, strings.Replace(file, "groups]\n\n", "groups]\n", 1) + "  '123':\n    address: https://a.example\n"},
		{"in one line", "profiles: {a: {address: 'https://a.example'}}\n", "a", config.Profile{Address: "https://b.example"}, true, "profiles:\n  a:\n    address: https://b.example\n"},
		{"no profiles", "profiles: # none yet\n", "a", config.Profile{Address: "https://b.example"}, true, "profiles: # none yet\n  a:\n    address: https://b.example\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := load(t, test.text)
			saved, err := f.Save(t.Context(), test.profile, test.p)
			if err != nil || saved != test.saved {
				t.Fatalf("%v, %v", saved, err)
			}
			got, err := os.ReadFile(f.Path())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := config.Load(f.Path())
			if err != nil {
				t.Fatal(err)
			}
			if saved, err := again.Save(t.Context(), test.profile, test.p); saved || err != nil {
				t.Errorf("saved again: %v, %v", saved, err)
			}
		})
	}
}

func TestPath(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOME": "/h"}, "/h/.config/gimme/config.yaml"},
		{map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/gimme/config.yaml"},
		{map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/gimme/config.yaml"},
		{map[string]string{"HOME": "/h", "GIMME_CONFIG": "/c.yaml"}, "/c.yaml"},
	} {
		if got, err := config.Path(func(k string) string { return test.env[k] }); err != nil || got != test.want {
			t.Errorf("%v: %q, %v", test.env, got, err)
		}
	}
	if _, err := config.Path(func(string) string { return "" }); err == nil {
		t.Error("no home, no error")
	}
}
