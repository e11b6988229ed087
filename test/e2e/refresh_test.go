package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestCredentialProcess has every SDK come by its keys through gimme, over a
// profile that holds none, and renew them without anybody noticing.
func TestCredentialProcess(t *testing.T) {
	w := newWorld(t, settings{})
	cli := newCLI(t, w, "sidecar")
	if err := os.Mkdir(filepath.Dir(w.configFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	// Keys of the profile would shadow the process for ever.
	writeFile(t, w.credentialsFile(), "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = kept\n")
	w.login(t, "alice", "s3", "--refresh")
	if text := readFile(t, w.credentialsFile()); strings.Contains(text, "[sidecar]") || !strings.Contains(text, "[other]") {
		t.Errorf("the credentials file is now:\n%s", text)
	}
	if text := readFile(t, w.configFile()); !strings.Contains(text, "credential_process = "+gimme+" credential-process --profile sidecar") {
		t.Errorf("the config file is now:\n%s", text)
	}

	// A machine reads stdout.
	var given struct {
		Version                                                int
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
	}
	got := w.run(t, "credential-process", "--profile", "sidecar").silent(t)
	if err := json.Unmarshal([]byte(got.out), &given); err != nil || given.Version != 1 || given.AccessKeyId == "" || given.SecretAccessKey == "" || given.SessionToken == "" || got.err != "" {
		t.Fatalf("%v: %q, %q", err, got.out, got.err)
	}
	if at, err := time.Parse(time.RFC3339, given.Expiration); err != nil || time.Until(at) < 50*time.Minute {
		t.Errorf("expiration %q, %v", given.Expiration, err)
	}
	read := w.sdks(t, cli)
	for name, program := range read {
		t.Run(name, program)
	}
	w.asked(t, "token refresh_token", 0)
	w.asked(t, "authorization", 1)

	for round := 1; round <= 2; round++ {
		w.age(t, time.Minute)
		for name, program := range read {
			t.Run(name+" after the end", program)
		}
		for _, c := range w.asked(t, "token refresh_token", round) {
			if c.Status != 200 || c.Body["refresh_token"] == nil || c.Body["refresh_token"] == c.Params["refresh_token"] {
				t.Errorf("the refresh was answered %d, and rotated nothing", c.Status)
			}
		}
	}
	again := w.run(t, "credential-process", "--profile", "sidecar").silent(t)
	if again.out == got.out {
		t.Error("the credentials were not renewed")
	}
	w.asked(t, "authorization", 1)
	w.asked(t, "token", 3)
}

// sdks are programs that read an object over the profile.
func (w *world) sdks(t *testing.T, cli *cli) map[string]func(*testing.T) {
	node, python := need(t, nodeParts), need(t, boto3)
	script, err := filepath.Abs(filepath.Join("python", "s3.py"))
	if err != nil {
		t.Fatal(err)
	}
	const key = "customers/2026.csv"
	other := func(p program) func(*testing.T) {
		return func(t *testing.T) {
			if got := p.run(t, w, "get", bucket, key); got.Body != contents(key) {
				t.Errorf("got %+v", got)
			}
		}
	}
	return map[string]func(*testing.T){
		"aws CLI": func(t *testing.T) {
			if got := cli.run(t, "s3", "cp", "s3://acme-lake/"+key, "-").must(t); got.out != contents(key) {
				t.Errorf("got %q", got.out)
			}
		},
		"boto3":      other(program{path: python, args: []string{script}}),
		"JavaScript": other(program{path: "node", args: []string{filepath.Join(node, "s3.mjs")}, dir: node}),
		"Go": func(t *testing.T) {
			// The process inherits this test's environment, which is made the person's.
			kept := w.env()
			for _, v := range os.Environ() {
				if name, _, _ := strings.Cut(v, "="); !slices.ContainsFunc(kept, func(k string) bool { return strings.HasPrefix(k, name+"=") }) {
					t.Setenv(name, "")
				}
			}
			t.Setenv("HOME", w.home)
			loaded, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigProfile("sidecar"), config.WithRetryMaxAttempts(1),
				config.WithSharedConfigFiles([]string{w.configFile()}), config.WithSharedCredentialsFiles([]string{w.credentialsFile()}))
			if err != nil {
				t.Fatal(err)
			}
			object, err := s3.NewFromConfig(loaded).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
			if err != nil {
				t.Fatal(err)
			}
			object.Body.Close()
		},
	}
}

// TestOneLoginIsEnough runs gimme again while what it has is good.
func TestOneLoginIsEnough(t *testing.T) {
	w := newWorld(t, settings{})
	w.login(t, "alice", "s3")
	first := readFile(t, w.credentialsFile())
	w.run(t, "s3", "--profile", "sidecar").silent(t)
	w.run(t, "s3", "--profile", "other", "--address", w.sidecar.address).silent(t)
	if second := readFile(t, w.credentialsFile()); setting(t, w, "aws_session_token") == "" || !strings.HasPrefix(second, first) {
		t.Errorf("the file was\n%s\nand is\n%s", first, second)
	}
	w.asked(t, "authorization", 1)

	// Renewed without a person, as long as the provider agrees.
	w.age(t, time.Minute)
	w.run(t, "s3", "--profile", "sidecar").silent(t)
	w.asked(t, "authorization", 1)
	w.asked(t, "token refresh_token", 1)
	if strings.HasPrefix(readFile(t, w.credentialsFile()), first) {
		t.Error("the profile still has the old credentials")
	}

	// A wholly new login has the provider ask again.
	w.login(t, "alice", "s3", "--force")
	calls := w.asked(t, "authorization", 2)
	if last := calls[len(calls)-1]; !strings.Contains(last.Params["prompt"], "login") {
		t.Errorf("the provider was not told to ask anew: %v", last.Params)
	}
}

// TestRefreshEnds uses a refresh token that the provider has withdrawn: a
// person is asked, and what is written stays until they have answered.
func TestRefreshEnds(t *testing.T) {
	w := newWorld(t, settings{})
	w.login(t, "alice", "s3")
	token := w.calls(t, "token")[0].Body["refresh_token"].(string)
	w.revoke(t, token)
	w.age(t, time.Minute)
	before := readFile(t, w.credentialsFile())
	got := w.run(t, "credential-process", "--profile", "sidecar")
	if got.code != 4 || got.out != "" || !strings.Contains(got.err, "gimme login") && !strings.Contains(got.err, "gimme s3") {
		t.Errorf("exit code %d: %q, %q", got.code, got.out, got.err)
	}
	if readFile(t, w.credentialsFile()) != before {
		t.Error("the profile was changed")
	}
	for _, c := range w.calls(t, "token refresh_token") {
		if c.Status != 400 || c.Body["error"] != "invalid_grant" {
			t.Errorf("the provider answered %d %v", c.Status, c.Body)
		}
	}
	w.login(t, "alice", "s3")
	w.asked(t, "authorization", 2)
}

// TestNoRefreshTokens is a provider that gives none: it is said once, and the
// next login is a login.
func TestNoRefreshTokens(t *testing.T) {
	w := newWorld(t, settings{Quirk: quirk{NoRefresh: true}})
	w.login(t, "alice", "s3")
	w.run(t, "s3", "--profile", "sidecar").silent(t)
	w.age(t, time.Minute)
	w.login(t, "alice", "s3")
	w.asked(t, "authorization", 2)
	w.asked(t, "token refresh_token", 0)
}
