package awsfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/awsfile"
)

func process(name, path string) awsfile.Profile {
	return awsfile.Profile{Name: name, Region: "eu-west-1", Endpoint: endpoint, Process: []string{path, "credential-process", "--profile", name}}
}

func processConfig(line string) string {
	return strings.Replace(ourConfig, "services = gimme-sidecar\n", "services = gimme-sidecar\ncredential_process = "+line+" credential-process --profile sidecar\n", 1)
}

func TestCheckProcess(t *testing.T) {
	for _, path := range []string{"/usr/bin/gimme", "/a b/gimme", "/été/gimme-1.2", "/x (86)/gimme", "/a=b,c/gimme@1"} {
		if err := awsfile.CheckProcess(process("p", path).Process); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	refused := [][]string{nil, {"/usr/bin/gimme"}, {"/usr/bin/gimme", "x", "--profile", "p"}, {"/usr/bin/gimme", "credential-process", "--profile", "a b"},
		{"/usr/bin/gimme", "credential-process", "--profile", "p", "$x"}}
	for _, path := range []string{"gimme", "./gimme", "~/gimme", "/usr/bin/other", ""} {
		refused = append(refused, process("p", path).Process)
	}
	for _, r := range "'\"`$;&|<>#%!*?[]{}^\\\n\r\t\x00\u00a0\u2028" {
		refused = append(refused, process("p", "/a"+string(r)+"b/gimme").Process)
	}
	for _, argv := range refused {
		if err := awsfile.CheckProcess(argv); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v", argv, err)
		}
		f := files(t, "-", "-")
		p := process("p", "")
		if p.Process = argv; argv != nil {
			if _, err := f.Write(t.Context(), p); err == nil {
				t.Errorf("%q is written", argv)
			}
			onlyFiles(t, filepath.Dir(f.Config))
		}
	}
}

// A profile goes from keys to a process and back; at each end nothing of the
// other is left, and the owner's own things stand where they stood.
func TestProcessAndBack(t *testing.T) {
	for _, test := range []struct{ name, credentials, afterwards string }{
		{"only keys", "[a]\nx = 1\n\n[sidecar]\n" + ourKeys, "[a]\nx = 1\n"},
		{"keys of an old tool", "[sidecar]\naws_access_key_id=a\naws_secret_access_key=b\naws_security_token=c\n[z]\ny = 1\n", "[z]\ny = 1\n"},
		{"a comment", "[sidecar]\n# mine\n" + ourKeys, "[sidecar]\n# mine\n"},
		{"a comment at the header", "[sidecar] # mine\n" + ourKeys, "[sidecar] # mine\n"},
		{"a key of the owner", "[sidecar]\n" + ourKeys + "mine = 1\n", "[sidecar]\nmine = 1\n"},
		{"nothing", "[a]\nx = 1\n", "[a]\nx = 1\n"},
		{"no file", "-", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := files(t, test.credentials, "-")
			p := process("sidecar", "/opt/my tools/gimme")
			if err := f.Check(p); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				write(t, f, p)
				if diff := cmp.Diff(processConfig(`"/opt/my tools/gimme"`), read(t, f.Config)); diff != "" {
					t.Errorf("config (-want +got):\n%s", diff)
				}
				if test.credentials == "-" {
					onlyFiles(t, filepath.Dir(f.Config), "config")
				} else if diff := cmp.Diff(test.afterwards, read(t, f.Credentials)); diff != "" {
					t.Errorf("credentials (-want +got):\n%s", diff)
				}
			}
			found, err := f.Find("sidecar")
			if err != nil || len(found.ProcessArgs) != 4 || found.ProcessArgs[0] != "/opt/my tools/gimme" || found.AccessKeyID != "" || found.Shadowed || !found.Ours || found.Foreign != nil {
				t.Errorf("found %+v, %v", found, err)
			}
			write(t, f, profile("sidecar", endpoint))
			if diff := cmp.Diff(ourConfig, read(t, f.Config)); diff != "" {
				t.Errorf("config with keys again (-want +got):\n%s", diff)
			}
			if !strings.Contains(read(t, f.Credentials), ourKeys) {
				t.Error("the keys are not back")
			}
		})
	}
}

func TestProcessRefused(t *testing.T) {
	for _, test := range []struct{ name, credentials, config, want string }{
		{"long-lived key", "[sidecar]\naws_access_key_id = AKIA\naws_secret_access_key = x\n", "", "long-lived"},
		{"key in the configuration", "", "[profile sidecar]\naws_access_key_id = A\naws_secret_access_key = x\naws_session_token = t\n", "config:2"},
		{"somebody else's process", "", "[profile sidecar]\ncredential_process = /bin/other x\n", "config:2"},
		{"another of the same form", "", "[profile sidecar]\ncredential_process = /bin/granted credential-process --profile sidecar\n", "config:2"},
		{"gimme's of another profile", "", "[profile sidecar]\ncredential_process = /bin/gimme credential-process --profile b\n", "config:2"},
		{"a process in the credentials file", "[sidecar]\ncredential_process = /bin/gimme credential-process --profile sidecar\n", "", "credentials:2"},
		{"endpoints ignored", "", "[profile sidecar]\nignore_configured_endpoint_urls = True\n", "config:2"},
		{"services in the credentials file", "[sidecar]\nservices = mine\n", "", "credentials:2"},
		{"defaults", "[DEFAULT]\nregion = x\n", "", "credentials:2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := files(t, test.credentials, test.config)
			if _, err := f.Write(t.Context(), process("sidecar", "/bin/gimme")); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if read(t, f.Credentials) != test.credentials || read(t, f.Config) != test.config {
				t.Error("a file was changed")
			}
		})
	}
}

func TestDiff(t *testing.T) {
	credentials := "[own]\naws_access_key_id = AKIAOWN\naws_secret_access_key = long+lived\n#aws_secret_access_key: commented\n\n[sidecar]\naws_access_key_id = old\naws_secret_access_key = oldsecret\naws_session_token = oldtoken\n"
	f := files(t, credentials, "[profile z]\ncredential_process = other --password p4ss\n")
	diff, err := f.Diff(profile("sidecar", endpoint))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("CRED", f.Credentials, "CONF", f.Config).Replace(`--- CONF
+++ CONF
@@ -1,2 +1,13 @@
 [profile z]
 credential_process = [secret]
+
+[profile sidecar]
+region = eu-west-1
+services = gimme-sidecar
+s3 =
+  addressing_style = path
+  signature_version = s3v4
+
+[services gimme-sidecar]
+s3 =
+  endpoint_url = https://s3.sidecar.example
--- CRED
+++ CRED
@@ -4,6 +4,7 @@
 #aws_secret_access_key: [secret]
 
 [sidecar]
-aws_access_key_id = old
-aws_secret_access_key = [secret]
-aws_session_token = [secret]
+aws_access_key_id = GIMMEAK1
+aws_secret_access_key = [secret]
+aws_session_token = [secret]
+x_security_token_expires = 2030-01-02T02:04:05Z
`)
	if d := cmp.Diff(want, diff); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if read(t, f.Credentials) != credentials {
		t.Error("Diff writes")
	}
	onlyFiles(t, filepath.Dir(f.Config), "config", "credentials")
	write(t, f, profile("sidecar", endpoint))
	if diff, err := f.Diff(profile("sidecar", endpoint)); diff != "" || err != nil {
		t.Errorf("nothing would change: %q, %v", diff, err)
	}
	gone, err := f.DiffRemove("sidecar")
	if err != nil || !strings.Contains(gone, "-aws_secret_access_key = [secret]") || strings.Contains(gone, "s3cr3t") || strings.Contains(gone, "g1.tok") {
		t.Errorf("removal: %s, %v", gone, err)
	}
}

func TestRemove(t *testing.T) {
	for _, test := range []struct{ name, credentials, config, wantCredentials, wantConfig string }{
		{"nothing of ours", "[sidecar]\naws_access_key_id = a\naws_secret_access_key = b\n", "[profile sidecar]\nregion = x\n", "=", "="},
		{"another tool's keys", "[sidecar]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n", "", "=", "="},
		{"others' process", "", "[profile sidecar]\ncredential_process = /bin/x\nregion = y\n", "=", "="},
		{
			"what the owner added", "[sidecar]\n" + ourKeys + "mine = 1\n", strings.Replace(ourConfig, "s3 =\n", "output = json\ns3 =\n  # why\n  max_queue_size = 3\n", 1),
			"[sidecar]\nmine = 1\n", "[profile sidecar]\nregion = eu-west-1\noutput = json\ns3 =\n  # why\n  max_queue_size = 3\n",
		},
		{
			"other services", "", strings.ReplaceAll(ourConfig, "sidecar.example", "sidecar.example") + "sqs =\n  endpoint_url = q\n",
			"=", "\n[services gimme-sidecar]\nsqs =\n  endpoint_url = q\n",
		},
		{"an addressing style of one's own", "", strings.Replace(ourConfig, "= path", "= auto", 1), "=", "[profile sidecar]\nregion = eu-west-1\ns3 =\n  addressing_style = auto\n"},
		{"direct", "[sidecar]\n" + ourKeys, "[profile sidecar]\nregion = eu-west-1\n", "", ""},
		{"a process", "", processConfig("/bin/gimme"), "", ""},
		{"in the middle", "[a]\nb = 1\n\n[sidecar]\n" + ourKeys + "\n# about c\n[c]\nd = 1\n", "", "[a]\nb = 1\n\n# about c\n[c]\nd = 1\n", ""},
		{"directly behind a comment", "[a]\n# c\n[sidecar]\n" + ourKeys + "[c]\n", "", "[a]\n# c\n[c]\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := files(t, test.credentials, test.config)
			for range 2 {
				if _, err := f.Remove(t.Context(), "sidecar"); err != nil {
					t.Fatal(err)
				}
				for _, file := range [][3]string{{f.Credentials, test.credentials, test.wantCredentials}, {f.Config, test.config, test.wantConfig}} {
					want := file[2]
					if want == "=" {
						want = file[1]
					}
					if diff := cmp.Diff(want, read(t, file[0])); diff != "" {
						t.Errorf("%s (-want +got):\n%s", filepath.Base(file[0]), diff)
					}
				}
			}
		})
	}
	f := files(t, "-", "-")
	if _, err := f.Remove(t.Context(), "sidecar"); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(f.Config)); len(entries) != 0 {
		t.Errorf("made %v", entries)
	}
}

func TestFind(t *testing.T) {
	f := files(t, "[sidecar]\n"+ourKeys, strings.Replace(processConfig("/bin/gimme"), "[services", "sso_session = x\n[services", 1))
	got, err := f.Find("sidecar")
	want := awsfile.Found{
		Credentials: true, Config: true, AccessKeyID: "GIMMEAK1", Temporary: true, Static: true, Expires: time.Date(2030, 1, 2, 2, 4, 5, 0, time.UTC),
		Process: "/bin/gimme credential-process --profile sidecar", ProcessArgs: []string{"/bin/gimme", "credential-process", "--profile", "sidecar"},
		Region: "eu-west-1", Endpoint: endpoint, Services: "gimme-sidecar", Ours: true, Foreign: []string{"sso_session"}, Shadowed: true,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, f := range map[string]awsfile.Files{"no files": files(t, "-", "-"), "others": files(t, "[a]\nb = c\n", "[profile b]\n")} {
		if got, err := f.Find("sidecar"); err != nil || cmp.Diff(awsfile.Found{}, got) != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := files(t, "junk", "-").Find("sidecar"); err == nil {
		t.Error("a broken file is no fault")
	}
}
