package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCommands is a day of a person who knows the commands.
func TestCommands(t *testing.T) {
	w := newWorld(t, settings{})
	cli := newCLI(t, w, "sidecar")

	t.Run("before anything", func(t *testing.T) {
		if got := w.run(t, "status").must(t); !strings.Contains(got.err, "gimme s3 --address") {
			t.Errorf("status does not say how to begin: %q, %q", got.out, got.err)
		}
		w.run(t, "whoami", "--profile", "sidecar").fails(t, 2)
		w.untouched(t)
	})
	t.Run("login", func(t *testing.T) {
		w.run(t, "init", w.sidecar.address, "--profile", "sidecar", "--yes").must(t)
		w.login(t, "alice", "login").says(t, "alice@example.com", engineerRole)
		w.untouched(t)
	})
	t.Run("whoami", func(t *testing.T) {
		if got := w.run(t, "whoami", "--profile", "sidecar").silent(t); got.out != "alice@example.com\n" {
			t.Errorf("stdout is %q", got.out)
		}
		var who struct{ Issuer, Subject, Email, Role, Caller string }
		decode(t, w.run(t, "whoami", "--json", "--check").silent(t).out, &who)
		if who.Issuer != w.issuer || who.Subject != "alice" || who.Email != "alice@example.com" || who.Role != engineerRole || !strings.Contains(who.Caller, ":assumed-role/data-engineering/") {
			t.Errorf("whoami says %+v", who)
		}
	})
	t.Run("status", w.tellsStatus)
	t.Run("exec", func(t *testing.T) { w.exec(t, cli) })
	t.Run("env", func(t *testing.T) { w.environments(t, cli) })
	t.Run("nothing was written for the SDKs", w.untouched)
	t.Run("nobody was asked again", func(t *testing.T) { w.asked(t, "authorization", 1) })
}

// TestLoginKeepsSettings does what `gimme login` says comes next.
func TestLoginKeepsSettings(t *testing.T) {
	w := newWorld(t, settings{})
	w.login(t, "alice", "login").says(t, "gimme s3 --profile sidecar --refresh")
	w.run(t, "s3", "--profile", "sidecar", "--refresh").silent(t)
	w.run(t, "whoami").silent(t)
	w.asked(t, "authorization", 1)
}

func (w *world) tellsStatus(t *testing.T) {
	text := w.run(t, "status").silent(t).out
	for _, want := range []string{"sidecar", w.sidecar.address, "alice@example.com", engineerRole, w.state(), w.settingsFile()} {
		if !strings.Contains(text, want) {
			t.Errorf("status does not tell %q:\n%s", want, text)
		}
	}
	var all struct {
		Profiles []struct {
			Profile, Email, Role string
			Expires              time.Time
			Valid, Silent        bool
			Rests                string `json:"refresh_token_at"`
		}
	}
	decode(t, w.run(t, "status", "--json").silent(t).out, &all)
	if len(all.Profiles) != 1 || !all.Profiles[0].Valid || !all.Profiles[0].Silent || all.Profiles[0].Rests == "" || time.Until(all.Profiles[0].Expires) < 50*time.Minute {
		t.Errorf("status says %+v", all)
	}
}

// exec runs programs that know nothing of gimme.
func (w *world) exec(t *testing.T, cli *cli) {
	if got := w.run(t, "exec", "--profile", "sidecar", "--", cli.path, "s3", "cp", "s3://acme-lake/customers/2026.csv", "-").must(t); got.out != contents("customers/2026.csv") {
		t.Errorf("the aws CLI got %q", got.out)
	}
	stale := []string{"AWS_ACCESS_KEY_ID=AKIASTALE", "AWS_SECRET_ACCESS_KEY=stale-secret", "AWS_SESSION_TOKEN=stale-token", "AWS_SECURITY_TOKEN=stale-old-token",
		"AWS_PROFILE=stale-profile", "AWS_DEFAULT_PROFILE=stale-profile", "AWS_ENDPOINT_URL=http://stale.example", "AWS_ENDPOINT_URL_S3=http://stale.example",
		"AWS_CREDENTIAL_EXPIRATION=stale", "AWS_WEB_IDENTITY_TOKEN_FILE=/stale", "AWS_ROLE_ARN=stale", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://stale.example", "KEPT=yes"}
	got := finish(t, command{path: gimme, args: []string{"exec", "--profile", "sidecar", "--", "env"}, env: w.env(stale...)}).must(t)
	if strings.Contains(got.out, "stale") || !strings.Contains(got.out, "KEPT=yes\n") || !strings.Contains(got.out, "HOME="+w.home+"\n") {
		t.Errorf("the child's environment is\n%s", got.out)
	}
	seen := make(map[string]int)
	for line := range strings.Lines(got.out) {
		name, _, _ := strings.Cut(line, "=")
		seen[name]++
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("%s stands %d times in the child's environment", name, n)
		}
	}
	for script, want := range map[string]int{"exit 7": 7, "exit 0": 0, "kill -TERM $$": -1} { // -1: a signal ended it, as a shell would see
		if got := w.run(t, "exec", "--profile", "sidecar", "--", "sh", "-c", script); got.code != want {
			t.Errorf("%s: exit code %d, want %d: %s", script, got.code, want, got.err)
		}
	}
	for _, args := range [][]string{{"exec", "--profile", "sidecar"}, {"exec", "--profile", "sidecar", "--"}} {
		w.run(t, args...).fails(t, 2)
	}
	if got := w.run(t, "exec", "--profile", "sidecar", "--", "/no/such/program"); got.code == 0 || !strings.Contains(got.err, "/no/such/program") {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	// Arguments arrive as they are.
	if got := w.run(t, "exec", "--profile", "sidecar", "--", "printf", "%s|", "a b", "$HOME", "--profile", "*").must(t); got.out != "a b|$HOME|--profile|*|" {
		t.Errorf("the arguments came to be %q", got.out)
	}
}

// environments has shells and programs read what `gimme env` prints.
func (w *world) environments(t *testing.T, cli *cli) {
	got := finish(t, command{path: "/bin/sh", args: []string{"-c", `eval "$("$1" env --profile sidecar --format shell)" && exec "$2" s3 cp s3://acme-lake/customers/2026.csv -`, "sh", gimme, cli.path}, env: w.env()}).must(t)
	if got.out != contents("customers/2026.csv") {
		t.Errorf("the aws CLI got %q", got.out)
	}
	var vars map[string]string
	decode(t, w.run(t, "env", "--profile", "sidecar", "--format", "json").silent(t).out, &vars)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3"} {
		if vars[name] == "" {
			t.Errorf("%s is missing: %v", name, vars)
		}
	}
	dotenv := w.run(t, "env", "--profile", "sidecar", "--format", "dotenv").silent(t).out
	if !strings.Contains(dotenv, "AWS_SESSION_TOKEN=") || strings.Contains(dotenv, "export ") {
		t.Errorf("dotenv is %s", dotenv)
	}
	w.run(t, "env", "--profile", "sidecar", "--format", "toml").fails(t, 2, "toml", "shell")
}

// TestInit configures gimme from the sidecar's own document, once it was seen.
func TestInit(t *testing.T) {
	w := newWorld(t, settings{})
	x := startOnTerminal(t, command{path: gimme, args: []string{"init", w.sidecar.address, "--profile", "sidecar"}, env: w.env()}, false)
	eventually(t, "the document is shown", func() bool { return strings.Contains(x.text(), w.issuer) && strings.Contains(x.text(), "?") })
	if text := readFile(t, w.settingsFile()); text != "" {
		t.Errorf("it is written before anybody agreed: %s", text)
	}
	x.types(t, "n\n")
	if code := x.wait(t); code == 0 || readFile(t, w.settingsFile()) != "" {
		t.Errorf("exit code %d after a no: %s", code, readFile(t, w.settingsFile()))
	}
	x = startOnTerminal(t, command{path: gimme, args: []string{"init", w.sidecar.address, "--profile", "sidecar"}, env: w.env()}, false)
	eventually(t, "the document is shown", func() bool { return strings.Contains(x.text(), w.issuer) && strings.Contains(x.text(), "?") })
	x.types(t, "y\n")
	if code := x.wait(t); code != 0 || !strings.Contains(readFile(t, w.settingsFile()), w.sidecar.address) {
		t.Errorf("exit code %d: %s\n%s", code, x.text(), readFile(t, w.settingsFile()))
	}
	w.login(t, "alice", "s3")
	w.run(t, "init", "http://"+freeAddress(t)).fails(t, 1)
	w.run(t, "init", "http://192.0.2.1").fails(t, 2, "https")
}

// TestRolePicker has a person choose who may take several roles.
func TestRolePicker(t *testing.T) {
	w := newWorld(t, settings{})
	everybody := strings.NewReplacer("groups: [staff]", "everyone: true").Replace(readFile(t, w.sidecar.path("proxy.yaml")))
	writeFile(t, w.sidecar.path("proxy.yaml"), everybody)
	w.sidecar.restart(t)

	got := begin(t, w.env(), "s3", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address)
	_, ended := got.as(t, "alice", nil)
	if ended.code != 2 && ended.code != 1 || !strings.Contains(ended.err, engineerRole) || !strings.Contains(ended.err, staffRole) || !strings.Contains(ended.err, "--role") {
		t.Errorf("without a terminal: exit code %d: %s", ended.code, ended.err)
	}
	w.untouched(t)

	x := startOnTerminal(t, command{path: gimme, args: []string{"s3", "--no-browser", "--profile", "sidecar", "--address", w.sidecar.address}, env: w.env()}, false)
	eventually(t, "the roles or the provider's address are shown", func() bool {
		return strings.Contains(x.text(), staffRole) || loginAddress.MatchString(x.text())
	})
	if address := loginAddress.FindString(x.text()); address != "" {
		if _, err := signIn(x.address(t), "alice", nil); err != nil {
			t.Fatal(err)
		}
	}
	x.shows(t, staffRole)
	x.types(t, "2\n")
	if code := x.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, x.text())
	}
	events := w.sidecar.events(t)
	if last := events[len(events)-1]; last.Kind != "session" || last.Role != staffRole {
		t.Errorf("the last event is %+v", last)
	}
}

// TestDryRun shows what would be written, and writes nothing.
func TestDryRun(t *testing.T) {
	w := newWorld(t, settings{})
	w.run(t, "init", w.sidecar.address, "--yes").must(t)
	w.login(t, "alice", "login")
	got := w.run(t, "s3", "--profile", "sidecar", "--dry-run").silent(t)
	for _, want := range []string{"+[sidecar]", "+[profile sidecar]", w.credentialsFile(), w.configFile()} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the diff lacks %q:\n%s", want, got.out)
		}
	}
	if strings.Contains(got.out+got.err, "g1.") {
		t.Errorf("the diff holds the session: %s", got.out)
	}
	w.untouched(t)
}

// TestCompletionAndManual print what shells and man read.
func TestCompletionAndManual(t *testing.T) {
	w := &world{home: t.TempDir()}
	for shell, want := range map[string]string{"bash": "complete -o", "zsh": "#compdef", "fish": "complete -c gimme", "powershell": "Register-ArgumentCompleter"} {
		if got := w.run(t, "completion", shell).must(t); !strings.Contains(got.out, want) || got.err != "" {
			t.Errorf("%s: %q, %q", shell, clip(got.out), got.err)
		}
	}
	w.run(t, "completion", "tcsh").fails(t, 2, "zsh")
	script := filepath.Join(w.home, "completion")
	writeFile(t, script, w.run(t, "completion", "bash").out)
	got := finish(t, command{path: "bash", args: []string{"-n", script}, env: environment(w.home)})
	if got.code != 0 {
		t.Errorf("bash cannot read it: %s", got.err)
	}
	pages := filepath.Join(w.home, "man")
	w.run(t, "man", "--dir", pages).must(t)
	for _, page := range []string{"gimme.1", "gimme-s3.1", "gimme-credential-process.1", "gimme-logout.1"} {
		if text := readFile(t, filepath.Join(pages, page)); !strings.HasPrefix(text, ".") || !strings.Contains(text, ".TH") {
			t.Errorf("%s is %q", page, clip(text))
		}
	}
}
