package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// everything is a profile in which each setting that is not bound to a way is
// made, as YAML has it.
const everything = `profiles:
  # the lake
  sidecar:
    address: https://s3.sidecar.example
    scopes: [openid, groups] # no more
    flow: paste
    idp: okta
    redirect_host: '[::1]'
    ports: [18271, 28271]
    client_secret: public
    parameters:
      acr_values: mfa # always
      domain_hint: a.example
    login_hint: alice@example.com
    remember: false
    token_store: file
    identity: token_command
    audience: api://x
    token_file: /run/my token
    token_env: TOKEN
    token_command: [vault, -field=token, two words]
    token_url: https://tokens.example
`

func whole() config.Profile {
	return config.Profile{
		Address: "https://s3.sidecar.example", Scopes: []string{"openid", "groups"},
		Flow: "paste", IDP: "okta", RedirectHost: "[::1]", Ports: []int{18271, 28271}, ClientSecret: "public",
		Parameters: map[string]string{"acr_values": "mfa", "domain_hint": "a.example"}, LoginHint: "alice@example.com", Remember: "false", TokenStore: "file",
		Identity: "token_command", Audience: "api://x", TokenFile: "/run/my token", TokenEnv: "TOKEN",
		TokenCommand: []string{"vault", "-field=token", "two words"}, TokenURL: "https://tokens.example",
	}
}

func TestEverySettingInTheFile(t *testing.T) {
	f := load(t, everything)
	got, err := resolve(f, nil, nil, "sidecar")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole(), got); diff != "" {
		t.Error(diff)
	}
	if saved, err := f.Save(t.Context(), "sidecar", got); saved || err != nil {
		t.Errorf("saved what stood there: %v, %v", saved, err)
	}
}

// Lists and mappings may stand in the file as the flags have them.
func TestTextsInTheFile(t *testing.T) {
	f := load(t, strings.NewReplacer(
		"[openid, groups]", "openid groups", "[18271, 28271]", `"18271,28271"`, "\n      acr_values: mfa # always\n      domain_hint: a.example", " acr_values=mfa domain_hint=a.example",
		"false", `"false"`, "[vault, -field=token, two words]", "vault -field=token",
	).Replace(everything))
	want := whole()
	want.TokenCommand = []string{"vault", "-field=token"}
	if got, err := resolve(f, nil, nil, "sidecar"); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

// What is written can be read, and comments stay where they are.
func TestSaveEverySetting(t *testing.T) {
	f := load(t, "# mine\nprofiles: {other: {address: 'https://o.example'}}\n")
	if saved, err := f.Save(t.Context(), "sidecar", whole()); !saved || err != nil {
		t.Fatal(saved, err)
	}
	again, err := config.Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := again.Profile("sidecar"); cmp.Diff(whole(), got) != "" {
		t.Error(cmp.Diff(whole(), got))
	}
	changed := whole()
	changed.Ports, changed.Parameters, changed.Remember, changed.TokenCommand = []int{30000}, map[string]string{"acr_values": "mfa", "prompt": "login"}, "", nil
	f = load(t, everything)
	if _, err := f.Save(t.Context(), "sidecar", changed); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"  # the lake\n", "scopes: [openid, groups] # no more\n", "    ports: [30000]\n", "      prompt: login\n"} {
		if !strings.Contains(string(got), line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	for _, gone := range []string{"remember", "token_command:", "domain_hint"} {
		if strings.Contains(string(got), gone) {
			t.Errorf("%q is still in\n%s", gone, got)
		}
	}
}

func TestValuesThatCannotBe(t *testing.T) {
	for _, test := range []struct{ flag, text, want string }{
		{"flow", "popup", `"popup" is not one of auto, browser, device, paste`},
		{"idp", "octa", `"octa" is not one of entra, okta, `},
		{"redirect-host", "0.0.0.0", "not one of 127.0.0.1, localhost and [::1]"},
		{"redirect-host", "", "not one of 127.0.0.1"},
		{"ports", "80", "port 80 is not one from 1024 to 65535"},
		{"ports", "18271,18271", "port 18271 stands twice"},
		{"ports", "a", `"a" is not a port`},
		{"ports", ",", "no port is given"},
		{"ports", strings.Repeat("18271,", 17), "17 ports; at most 16"},
		{"client-secret", "hunter2 ", "it is empty or holds blanks"},
		{"parameters", "prompt", `"prompt" is not NAME=VALUE`},
		{"parameters", "state=x", "parameter state is gimme's own"},
		{"parameters", "STATE=x", "small letters"},
		{"parameters", "prompt=", "the value of parameter prompt"},
		{"parameters", " ", "no parameter is given"},
		{"parameters", "prompt=login prompt=none", "parameter prompt stands twice"},
		{"login-hint", "a b", "holds blanks"},
		{"remember", "yes", `"yes" is not one of true, false`},
		{"token-store", "keyring", "is not one of auto, file"},
		{"identity", "githab", `"githab" is not one of person, auto, github`},
		{"audience", "a\x1b[2J", "unusual characters"},
		{"token-file", "a\nb", "control characters"},
		{"token-env", "", "is empty"},
		{"token-command", "  ", "no command is given"},
		{"token-command", "a\x00b", "control characters"},
		{"token-url", "a b", "holds blanks"},
	} {
		_, err := resolve(load(t, file), map[string]string{test.flag: test.text}, nil, "sidecar")
		if e, ok := errors.AsType[*config.UsageError](err); !ok || !strings.HasPrefix(e.Text, "--"+test.flag+": ") || !strings.Contains(e.Text, test.want) || strings.Contains(e.Text, "hunter2") {
			t.Errorf("--%s %q: %v, want %s", test.flag, test.text, err, test.want)
		}
	}
}

func TestValuesThatCannotBeInTheFile(t *testing.T) {
	for yaml, want := range map[string]string{
		"scopes: [openid, a b]":                 `:4:13: scopes: "a b" is not a scope`,
		"parameters: {prompt: login state=x}":   ":4:17: parameters: the value of parameter prompt",
		"parameters: {state: x}":                ":4:17: parameters: parameter state is gimme's own",
		"parameters: {}":                        ":4:17: parameters: no parameter is given",
		"parameters: [a]":                       ":4:17: a mapping is wanted here, not a list",
		"ports: []":                             ":4:12: ports: no port is given",
		"ports: [80]":                           ":4:12: ports: port 80",
		"ports: [a]":                            `:4:13: a whole number is wanted here, not "a"`,
		"token_command: []":                     ":4:20: token_command: no command is given",
		`token_command: [sh, ""]`:               `:4:20: token_command: "" is empty`,
		`client_secret: "hunter2 "`:             ":4:20: client_secret: it is empty or holds blanks",
		"remember: 1":                           `:4:15: true or false is wanted here, not "1"`,
		"remember: maybe":                       `:4:15: remember: "maybe" is not one of true, false`,
		`remember: ""`:                          `:4:15: remember: "" is not one of true, false`,
		"token_comand: [a]":                     `:4:5: unknown key "token_comand", did you mean "token_command"?`,
		"login-hint: a":                         `:4:5: unknown key "login-hint", did you mean "login_hint"?`,
		"parameters: {a: x, a: y}":              `:4:24: key "a" stands twice`,
		"redirect_host: https://evil.example/a": ":4:20: redirect_host: ",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte("profiles:\n  a:\n    address: https://a.example\n    "+yaml+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path)
		faults, ok := errors.AsType[strictyaml.Faults](err)
		if !ok || len(faults) != 1 || !strings.HasPrefix(faults[0].String(), path+want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
}

// A job's environment says how that job logs in, and nothing of it is kept for
// the runs of a person. What a flag says is kept, and so is what is connected to.
func TestTheEnvironmentOfOneRun(t *testing.T) {
	env := map[string]string{"GIMME_IDENTITY": "token_env", "GIMME_TOKEN_ENV": "T", "GIMME_AUDIENCE": "x", "GIMME_FLOW": "device", "GIMME_REMEMBER": "false", "GIMME_IDP": "okta", "GIMME_REGION": "eu-1"}
	f := load(t, strings.Replace(file, "    role: data-engineering\n", "    role: data-engineering\n    flow: paste # over ssh\n", 1))
	got, err := resolve(f, map[string]string{"audience": "y", "login-hint": "alice"}, env, "sidecar")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Profile{
		Address: "https://s3.sidecar.example", Role: "data-engineering", Scopes: []string{"openid", "groups"}, Region: "eu-1", IDP: "okta",
		Flow: "device", Remember: "false", Identity: "token_env", TokenEnv: "T", Audience: "y", LoginHint: "alice",
		FromEnvironment: []string{"flow", "remember", "identity", "token_env"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if saved, err := f.Save(t.Context(), "sidecar", got); !saved || err != nil {
		t.Fatal(saved, err)
	}
	again, err := config.Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := again.Profile("sidecar")
	want.Flow, want.Remember, want.Identity, want.TokenEnv, want.FromEnvironment = "paste", "", "", "", nil
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
	if saved, err := again.Save(t.Context(), "sidecar", got); saved || err != nil {
		t.Errorf("saved again: %v, %v", saved, err)
	}
	var passing []string
	for _, s := range config.Settings() {
		if s.Passing() {
			passing = append(passing, s.Key)
		}
	}
	if diff := cmp.Diff(strings.Fields("flow login_hint remember token_store identity audience token_file token_env token_command token_url"), passing); diff != "" {
		t.Error(diff)
	}
}

// What is said of one provider is not taken to another, its client's secret
// least of all.
func TestSettingsOfAnotherProvider(t *testing.T) {
	const text = `profiles:
  data:
    issuer: https://idp.example
    client_id: gimme
    role_arn: ` + role + `
    idp: okta
    redirect_host: localhost
    ports: [18271]
    client_secret: hunter2
    parameters: {acr_values: mfa}
    flow: paste
`
	for name, test := range map[string]struct {
		flags, env map[string]string
		theirs     bool
	}{
		"the same":               {theirs: true},
		"the same, said again":   {flags: map[string]string{"issuer": "https://idp.example", "client-id": "gimme"}, theirs: true},
		"another issuer":         {flags: map[string]string{"issuer": "https://other.example"}},
		"another client":         {env: map[string]string{"GIMME_CLIENT_ID": "other"}},
		"a sidecar":              {flags: map[string]string{"address": "https://s3.sidecar.example"}},
		"an issuer with a slash": {flags: map[string]string{"issuer": "https://idp.example/"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolve(load(t, text), test.flags, test.env, "data")
			if err != nil {
				t.Fatal(err)
			}
			want := config.Profile{}
			if test.theirs {
				want = config.Profile{IDP: "okta", RedirectHost: "localhost", Ports: []int{18271}, ClientSecret: "hunter2", Parameters: map[string]string{"acr_values": "mfa"}}
			}
			is := config.Profile{IDP: got.IDP, RedirectHost: got.RedirectHost, Ports: got.Ports, ClientSecret: got.ClientSecret, Parameters: got.Parameters}
			if diff := cmp.Diff(want, is); diff != "" || got.Flow != "paste" {
				t.Errorf("flow %q, and %s", got.Flow, diff)
			}
		})
	}
	got, err := resolve(load(t, text), map[string]string{"issuer": "https://other.example", "client-secret": "s"}, map[string]string{"GIMME_IDP": "dex"}, "data")
	if err != nil || got.ClientSecret != "s" || got.IDP != "dex" || got.Ports != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// A program brings its token, and needs a role alone where there is no sidecar.
func TestAProgramNeedsNoIssuer(t *testing.T) {
	flags := map[string]string{"role-arn": role}
	for name, test := range map[string]struct {
		env map[string]string
		ok  bool
	}{
		"a person":              {},
		"a job":                 {map[string]string{"GITHUB_ACTIONS": "true"}, true},
		"any job":               {map[string]string{"CI": "true"}, true},
		"a person in a job":     {map[string]string{"CI": "true", "GIMME_IDENTITY": "person"}, false},
		"a program on a laptop": {map[string]string{"GIMME_IDENTITY": "token_file"}, true},
	} {
		_, err := resolve(load(t, ""), flags, test.env, "x")
		if (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "--issuer and --client-id must be given too") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := resolve(load(t, ""), map[string]string{"issuer": "https://i.example"}, map[string]string{"CI": "1"}, "x"); err == nil || !strings.Contains(err.Error(), "--role-arn must be given too") {
		t.Errorf("without a role: %v", err)
	}
}

func TestRemove(t *testing.T) {
	f := load(t, file)
	if err := f.Remove(t.Context(), "nobody"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(f.Path()); string(got) != file {
		t.Errorf("changed for nobody: %s", got)
	}
	if err := f.Remove(t.Context(), "data"); err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(file, "\n  data:")
	if got, _ := os.ReadFile(f.Path()); strings.TrimSpace(string(got)) != strings.TrimSpace(before) {
		t.Errorf("%s", cmp.Diff(before, string(got)))
	}
	again, err := config.Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Remove(t.Context(), "sidecar"); err != nil {
		t.Fatal(err)
	}
	if last, err := config.Load(f.Path()); err != nil || len(last.Names()) != 0 {
		t.Errorf("%v, %v", last, err)
	} else if _, err := last.Save(t.Context(), "new", config.Profile{Address: "https://a.example"}); err != nil {
		t.Error(err)
	}
	none := load(t, "")
	if err := none.Remove(t.Context(), "data"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(none.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

// Every setting has names that cannot be mistaken for another's.
func TestNamesOfSettings(t *testing.T) {
	var flags, variables []string
	for _, s := range config.Settings() {
		flags, variables = append(flags, s.Flag()), append(variables, s.Variable())
		if s.Usage == "" || !slices.Contains([]string{"", config.GroupLogin, config.GroupWorkload}, s.Group) {
			t.Errorf("%s: usage %q, group %q", s.Key, s.Usage, s.Group)
		}
	}
	if slices.Sort(flags); len(slices.Compact(flags)) != len(variables) {
		t.Errorf("%v", flags)
	}
}

// A cached credential-process pays this every time.
func BenchmarkLoadResolve(b *testing.B) {
	path := filepath.Join(b.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		b.Fatal(err)
	}
	none := func(string) (string, bool) { return "", false }
	for b.Loop() {
		f, err := config.Load(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := config.Resolve(none, func(string) string { return "" }, f, "sidecar"); err != nil {
			b.Fatal(err)
		}
	}
}
