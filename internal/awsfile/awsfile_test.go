package awsfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/awsfile"
	"github.com/gimme-broker/gimme/internal/secret"
)

func profile(name, endpoint string) awsfile.Profile {
	return awsfile.Profile{
		Name: name, AccessKeyID: "GIMMEAK1", SecretAccessKey: secret.New("s3cr3t/+="), SessionToken: secret.New("g1.tok_en-"),
		Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), Region: "eu-west-1", Endpoint: endpoint,
	}
}

const endpoint = "https://s3.sidecar.example"

// files makes the two files in a fresh folder; "-" makes none.
func files(t *testing.T, credentials, config string) awsfile.Files {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".aws")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := awsfile.Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	for path, text := range map[string]string{f.Credentials: credentials, f.Config: config} {
		if text == "-" {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, f awsfile.Files, p awsfile.Profile) []string {
	t.Helper()
	notices, err := f.Write(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return notices
}

const ourKeys = `aws_access_key_id = GIMMEAK1
aws_secret_access_key = s3cr3t/+=
aws_session_token = g1.tok_en-
x_security_token_expires = 2030-01-02T02:04:05Z
`

const ourConfig = `[profile sidecar]
region = eu-west-1
services = gimme-sidecar
s3 =
  addressing_style = path
  signature_version = s3v4

[services gimme-sidecar]
s3 =
  endpoint_url = https://s3.sidecar.example
`

func TestWrite(t *testing.T) {
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	for _, test := range []struct {
		name                    string
		profile, endpoint       string
		credentials, config     string
		wantCreds, wantConfig   string
		wantNotices, unaffected int
	}{
		{name: "no files", credentials: "-", config: "-", wantCreds: "[sidecar]\n" + ourKeys, wantConfig: ourConfig},
		{name: "empty files", wantCreds: "[sidecar]\n" + ourKeys, wantConfig: ourConfig},
		{
			name:        "others stay",
			credentials: "# mine\n\n\n[work]  # c\naws_access_key_id=AKIA1\n\taws_secret_access_key : x;y\n\n[zzz]\na = b",
			config:      "[default]\ns3 =\n    max_concurrent_requests = 20\n  # nested\nregion=us-east-2\n; end",
			wantCreds:   "# mine\n\n\n[work]  # c\naws_access_key_id=AKIA1\n\taws_secret_access_key : x;y\n\n[zzz]\na = b\n[sidecar]\n" + ourKeys,
			wantConfig:  "[default]\ns3 =\n    max_concurrent_requests = 20\n  # nested\nregion=us-east-2\n; end\n" + ourConfig,
		},
		{
			name:        "in the middle, with keys of the owner",
			credentials: "[a]\nx = 1\n[sidecar]\n# keep\nAWS_ACCESS_KEY_ID=old\naws_session_token: old\nmine = 1 # c\naws_security_token = stale\n\n# about b\n[b]\ny = 2\n",
			config:      "[profile sidecar]\noutput = json\ns3 =\n    max_queue_size = 1\n    addressing_style = auto\n\n[profile b]\ny = 2\n[services gimme-sidecar]\ns3 =\n  endpoint_url = https://old\ndynamodb =\n  endpoint_url = https://d\n",
			wantCreds: "[a]\nx = 1\n[sidecar]\n# keep\naws_access_key_id = GIMMEAK1\naws_session_token = g1.tok_en-\nmine = 1 # c\n" +
				"aws_secret_access_key = s3cr3t/+=\nx_security_token_expires = 2030-01-02T02:04:05Z\n\n# about b\n[b]\ny = 2\n",
			wantConfig: "[profile sidecar]\noutput = json\ns3 =\n    max_queue_size = 1\n    addressing_style = path\n    signature_version = s3v4\nregion = eu-west-1\nservices = gimme-sidecar\n\n[profile b]\ny = 2\n[services gimme-sidecar]\ns3 =\n  endpoint_url = https://s3.sidecar.example\ndynamodb =\n  endpoint_url = https://d\n",
		},
		{
			name:        "line ends of Windows",
			credentials: "[a]\r\nx = 1\r\n", config: "[default]\r\nregion = x\r\n",
			wantCreds: crlf("[a]\nx = 1\n\n[sidecar]\n" + ourKeys), wantConfig: crlf("[default]\nregion = x\n\n" + ourConfig),
		},
		{
			name: "direct, after a sidecar", endpoint: "-",
			credentials: "[sidecar]\n" + ourKeys, config: "# top\n" + ourConfig + "\n# about z\n[profile z]\na = 1\n",
			wantCreds: "[sidecar]\n" + ourKeys, wantConfig: "# top\n[profile sidecar]\nregion = eu-west-1\n\n# about z\n[profile z]\na = 1\n",
		},
		{
			name: "direct keeps what is the owner's", endpoint: "-",
			config:    "[profile sidecar]\nservices = mine\ns3 =\n  addressing_style = path\n",
			wantCreds: "[sidecar]\n" + ourKeys, wantConfig: "[profile sidecar]\nservices = mine\ns3 =\n  addressing_style = path\nregion = eu-west-1\n",
		},
		{
			name: "default", profile: "default",
			wantCreds:  "[default]\n" + ourKeys,
			wantConfig: strings.NewReplacer("[profile sidecar]", "[default]", "gimme-sidecar", "gimme-default").Replace(ourConfig),
		},
		{
			name: "default by its long name", profile: "default", endpoint: "-",
			config:    "[profile default]\noutput = json",
			wantCreds: "[default]\n" + ourKeys, wantConfig: "[profile default]\noutput = json\nregion = eu-west-1\n",
		},
		{
			name:      "a value where a block is wanted",
			config:    "[profile sidecar]\ns3 = x\nregion = a\n  b\n  c\nlast = 1",
			wantCreds: "[sidecar]\n" + ourKeys,
			wantConfig: "[profile sidecar]\ns3 =\n  addressing_style = path\n  signature_version = s3v4\nregion = eu-west-1\nlast = 1\nservices = gimme-sidecar\n\n" +
				ourConfig[strings.Index(ourConfig, "[services"):],
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := profile("sidecar", endpoint)
			if test.profile != "" {
				p.Name = test.profile
			}
			if test.endpoint == "-" {
				p.Endpoint = ""
			}
			f := files(t, test.credentials, test.config)
			if err := f.Check(p); err != nil {
				t.Errorf("Check: %v", err)
			}
			for range 2 { // the second time changes nothing
				write(t, f, p)
				if diff := cmp.Diff(test.wantCreds, read(t, f.Credentials)); diff != "" {
					t.Errorf("credentials (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.wantConfig, read(t, f.Config)); diff != "" {
					t.Errorf("config (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestRefusedFilesAreUntouched(t *testing.T) {
	for _, test := range []struct {
		name, credentials, config string
		want                      string // FILE:line: text, FILE being credentials or config
	}{
		{"duplicate section", "[a]\nx = 1\n[a]\n", "", "credentials:3: [a] stands twice"},
		{"duplicate key", "[a]\nX = 1\nx = 2\n", "", `credentials:3: key "x" stands twice in [a]`},
		{"junk", "[a]\njunk line\n", "", "credentials:2: neither a [section] nor a key = value"},
		{"no key", "[a]\n= 1\n", "", "credentials:2: neither"},
		{"key before a section", "a = 1\n", "", "credentials:1: a key stands before any [section]"},
		{"byte order mark", "\ufeff[a]\n", "", "credentials:1: the file begins with a byte order mark"},
		{"not UTF-8", "[a]\nb = \xff\n", "", "credentials:2: the line holds control characters or is not UTF-8"},
		{"lone carriage return", "[a]\rb = 1\n", "", "credentials:1: the line holds control characters"},
		{"unusual blank", "[a]\n\u00a0b = 1\n", "", "credentials:2: the line begins with an unusual blank"},
		{"open bracket", "[a\n", "", "credentials:1: a [section] without an end"},
		{"no name", "[ ]\n", "", "credentials:1: a [section] without an end or a name"},
		{"rest", "[a] b\n", "", "credentials:1: something follows the [section]"},
		{"second bracket", "[a] # ]\n", "", "credentials:1: something follows the [section]"},
		{"indented section", "[a]\nb = 1\n  [c]\n", "", "credentials:3: a [section] is indented"},
		{"quoted name", "", "[profile \"sidecar\"]\n", `config:1: not every SDK reads [profile "sidecar"] as [profile sidecar]`},
		{"blanks in the name", "[ sidecar ]\n", "", "credentials:1: not every SDK reads"},
		{"nested junk", "", "[profile x]\ns3 =\n  junk\n", "config:3: a key = value is wanted under s3"},
		{"nested twice", "", "[profile sidecar]\ns3 =\n  addressing_style = a\n  addressing_style = b\n", "config:4: addressing_style stands twice under s3, first on line 3"},
		{"long-lived key", "[sidecar]\naws_access_key_id = AKIA\naws_secret_access_key = x\n", "", `credentials:2: profile "sidecar" holds a long-lived access key`},
		{"other credentials", "", "[profile sidecar]\nsso_session = x\n", `config:2: profile "sidecar" gets its credentials with sso_session`},
		{"process", "[sidecar]\ncredential_process = x\n", "", "credentials:2: profile"},
		{"other services", "", "[profile sidecar]\nservices = mine\n", `config:2: profile "sidecar" has a services section of its own, "mine"`},
		{"too large", "#" + strings.Repeat("x", 4<<20), "", "credentials: 4194305 bytes"},
		{"a quote that one reader never closes", "[sidecar]\nq = `a\n", "", "credentials:1: section [sidecar] is not plain enough"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := files(t, test.credentials, test.config)
			check := f.Check(profile("sidecar", endpoint))
			notices, err := f.Write(t.Context(), profile("sidecar", endpoint))
			for _, err := range []error{check, err} {
				fault, ok := errors.AsType[*awsfile.Fault](err)
				if !ok || !strings.HasPrefix(strings.TrimPrefix(fault.Error(), filepath.Dir(f.Config)+"/"), test.want) {
					t.Errorf("error %v, want %s", err, test.want)
				}
			}
			if read(t, f.Credentials) != test.credentials || read(t, f.Config) != test.config || notices != nil {
				t.Error("a file was changed")
			}
			onlyFiles(t, filepath.Dir(f.Config), "config", "credentials")
		})
	}
}

// onlyFiles checks that nothing else lies in dir, but for locks.
func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			got = append(got, e.Name())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in the folder (-want +got):\n%s", diff)
	}
}

func TestBadProfilesWriteNothing(t *testing.T) {
	change := func(f func(*awsfile.Profile)) awsfile.Profile {
		p := profile("sidecar", endpoint)
		f(&p)
		return p
	}
	for name, p := range map[string]awsfile.Profile{
		"bracket":            change(func(p *awsfile.Profile) { p.Name = "a]b" }),
		"line break":         change(func(p *awsfile.Profile) { p.Name = "a\n[b" }),
		"blank":              change(func(p *awsfile.Profile) { p.Name = "a b" }),
		"no name":            change(func(p *awsfile.Profile) { p.Name = "" }),
		"region":             change(func(p *awsfile.Profile) { p.Region = "eu\nx = y" }),
		"endpoint":           change(func(p *awsfile.Profile) { p.Endpoint = "https://a # b" }),
		"token's line break": change(func(p *awsfile.Profile) { p.SessionToken = secret.New("a\nb") }),
		"comment in secret":  change(func(p *awsfile.Profile) { p.SecretAccessKey = secret.New("a#b") }),
		"no key":             change(func(p *awsfile.Profile) { p.AccessKeyID = "" }),
	} {
		t.Run(name, func(t *testing.T) {
			f := files(t, "-", "-")
			if _, err := f.Write(t.Context(), p); err == nil {
				t.Error("no error")
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has a line break", err)
			}
			onlyFiles(t, filepath.Dir(f.Config))
		})
	}
}

func TestModes(t *testing.T) {
	f := files(t, "", "-")
	if err := os.Chmod(f.Credentials, 0o644); err != nil {
		t.Fatal(err)
	}
	notices := write(t, f, profile("sidecar", endpoint))
	if len(notices) != 1 || !strings.Contains(notices[0], "0644") {
		t.Errorf("notices %q", notices)
	}
	for _, path := range []string{f.Credentials, f.Config, f.Config + ".lock"} {
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	if err := os.Chmod(f.Config, 0o640); err != nil {
		t.Fatal(err)
	}
	if notices := write(t, f, profile("sidecar", endpoint)); len(notices) != 1 || !strings.Contains(notices[0], "0640") {
		t.Errorf("notices of an unchanged file %q", notices)
	}
}

func TestNewFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", ".aws")
	f := awsfile.Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	if err := f.Check(profile("sidecar", endpoint)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); err == nil {
		t.Error("Check made the folder")
	}
	write(t, f, profile("sidecar", endpoint))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
}

func TestSymlinksStay(t *testing.T) {
	f := files(t, "-", "-")
	dotfiles := t.TempDir()
	for link, target := range map[string]string{
		f.Credentials: filepath.Join(dotfiles, "creds"), // dangling
		f.Config:      "other/config",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	write(t, f, profile("sidecar", endpoint))
	for _, path := range []string{f.Credentials, f.Config} {
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", path, err)
		}
	}
	if read(t, filepath.Join(dotfiles, "creds")) != "[sidecar]\n"+ourKeys || read(t, f.Config) != ourConfig {
		t.Error("targets were not written")
	}
	loop := files(t, "-", "-")
	if err := os.Symlink("credentials", loop.Credentials); err != nil {
		t.Fatal(err)
	}
	if err := loop.Check(profile("sidecar", endpoint)); err == nil {
		t.Error("a link to itself is accepted")
	}
}

func TestUnwritableFolders(t *testing.T) {
	f := files(t, "[a]\nb = 1\n", "")
	blocked := awsfile.Files{Credentials: filepath.Join(f.Config, "credentials"), Config: f.Config}
	missing := awsfile.Files{Credentials: "/proc/self/fdinfo/x/credentials", Config: f.Config}
	folder := awsfile.Files{Credentials: filepath.Dir(f.Config), Config: f.Config}
	for name, f := range map[string]awsfile.Files{"file as folder": blocked, "folder that cannot be made": missing, "folder as file": folder} {
		if err := f.Check(profile("sidecar", endpoint)); err == nil {
			t.Errorf("%s: Check finds nothing", name)
		}
		if _, err := f.Write(t.Context(), profile("sidecar", endpoint)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if read(t, f.Config) != "" {
			t.Errorf("%s: config was written all the same", name)
		}
	}
}

func TestTwentyAtOnce(t *testing.T) {
	f := files(t, "# top\n[own]\nk = v\n", "-")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := f.Write(t.Context(), profile(fmt.Sprintf("p%d", i), endpoint)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	credentials, config := read(t, f.Credentials), read(t, f.Config)
	if !strings.HasPrefix(credentials, "# top\n[own]\nk = v\n") {
		t.Error("the owner's section changed")
	}
	for i := range 20 {
		if strings.Count(credentials, fmt.Sprintf("[p%d]\n%s", i, ourKeys)) != 1 || strings.Count(config, fmt.Sprintf("[profile p%d]\n", i)) != 1 {
			t.Errorf("profile p%d is not whole", i)
		}
	}
	onlyFiles(t, filepath.Dir(f.Config), "config", "credentials")
}

func TestBothInOneFile(t *testing.T) {
	f := files(t, "", "-")
	f.Config = f.Credentials
	write(t, f, profile("sidecar", endpoint))
	if diff := cmp.Diff(ourConfig+"\n[sidecar]\n"+ourKeys, read(t, f.Config)); diff != "" {
		t.Error(diff)
	}
}

func TestLocate(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want awsfile.Files
	}{
		{map[string]string{"HOME": "/h"}, awsfile.Files{Credentials: "/h/.aws/credentials", Config: "/h/.aws/config"}},
		{map[string]string{"HOME": "/h", "AWS_CONFIG_FILE": "~/c", "AWS_SHARED_CREDENTIALS_FILE": "/x/y"}, awsfile.Files{Credentials: "/x/y", Config: "/h/c"}},
		{map[string]string{"AWS_CONFIG_FILE": "/c", "AWS_SHARED_CREDENTIALS_FILE": "/x/y"}, awsfile.Files{Credentials: "/x/y", Config: "/c"}},
	} {
		got, err := awsfile.Locate(func(k string) string { return test.env[k] })
		if err != nil || got != test.want {
			t.Errorf("%v: %v, %v", test.env, got, err)
		}
	}
	if _, err := awsfile.Locate(func(string) string { return "" }); err == nil {
		t.Error("no home, no error")
	}
}
