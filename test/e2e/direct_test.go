package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The names of the test's own network.
const (
	insideVariable = "GIMME_E2E_INSIDE"
	loginHost      = "login.example.test"
	loginAddr      = "192.0.2.10" // of the block for documentation (RFC 5737)
)

// TestDirect logs in without a sidecar, at an STS that checks ID tokens as AWS
// does: it fetches the provider's keys over https on port 443, and never from a
// loopback address. So all of it happens in a network namespace, in which the
// provider has a public name and address; the test starts itself again there.
func TestDirect(t *testing.T) {
	need(t, versitygw)
	need(t, nodeParts)
	if isolated(t, true) {
		direct(t)
	}
}

// network lays out the namespace.
func network(t *testing.T) {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	writeFile(t, hosts, "127.0.0.1 localhost\n"+loginAddr+" "+loginHost+"\n")
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "addr", "add", loginAddr + "/32", "dev", "lo"},
		{"mount", "--bind", hosts, "/etc/hosts"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
}

// A cloud is an S3 with an IAM and an STS, as AWS has them.
type cloud struct {
	s3, sts string // endpoints
	home    string
	aws     string // path of the aws CLI
}

func startCloud(t *testing.T) *cloud {
	t.Helper()
	path, folder := need(t, versitygw), t.TempDir()
	for _, name := range []string{"iam", "data"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sts, gateway, socket := freeAddress(t), freeAddress(t), filepath.Join(folder, "iam.sock")
	common := func(address string, more ...string) command {
		args := []string{"--keep-alive", "-q", "--health", "/healthz", "-p", address, "-a", upstreamKey, "-s", upstreamSecret}
		return command{path: path, dir: folder, env: environment(folder), args: append(args, more...)}
	}
	client := &http.Client{Timeout: time.Second}
	start(t, common(sts, "iam", "--dir", filepath.Join(folder, "iam"), "--private-ports", socket)).ready(t, client, "http://"+sts+"/healthz")
	start(t, common(gateway, "--iam-standalone-endpoint", socket, "posix", filepath.Join(folder, "data"))).ready(t, client, "http://"+gateway+"/healthz")
	return &cloud{s3: "http://" + gateway, sts: "http://" + sts, home: t.TempDir(), aws: need(t, awsCLI)}
}

// admin runs the aws CLI as the owner of the account.
func (c *cloud) admin(t *testing.T, args ...string) string {
	t.Helper()
	env := environment(c.home, "AWS_ACCESS_KEY_ID="+upstreamKey, "AWS_SECRET_ACCESS_KEY="+upstreamSecret, "AWS_DEFAULT_REGION=us-east-1")
	return finish(t, command{path: c.aws, args: append([]string{"--endpoint-url", c.sts, "--output", "json"}, args...), env: env}).must(t).out
}

// trust makes a role for whoever logs in at the provider, that reads the
// bucket, and returns its ARN.
func (c *cloud) trust(t *testing.T, thumbprint string) string {
	t.Helper()
	c.admin(t, "iam", "create-open-id-connect-provider", "--url", "https://"+loginHost, "--client-id-list", "gimme", "--thumbprint-list", thumbprint)
	var providers struct {
		OpenIDConnectProviderList []struct{ Arn string }
	}
	decode(t, c.admin(t, "iam", "list-open-id-connect-providers"), &providers)
	var role struct{ Role struct{ Arn string } }
	decode(t, c.admin(t, "iam", "create-role", "--role-name", "reader", "--assume-role-policy-document", `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "`+providers.OpenIDConnectProviderList[0].Arn+`"},
		"Condition": {"StringEquals": {"`+loginHost+`:aud": "gimme"}}}]}`), &role)
	c.admin(t, "iam", "put-role-policy", "--role-name", "reader", "--policy-name", "read", "--policy-document", `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::`+bucket+`", "arn:aws:s3:::`+bucket+`/*"]}]}`)
	return role.Role.Arn
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func direct(t *testing.T) {
	network(t)
	made := newCertificate(t, []string{loginHost})
	p := startProvider(t, place{Issuer: "https://" + loginHost, Host: loginAddr, Port: 443, Cert: made.chain, Key: made.key})
	c := startCloud(t)
	owner := s3Client(c.s3, upstreamKey, upstreamSecret, "")
	if _, err := owner.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("readme.txt"), Body: strings.NewReader("direct")}); err != nil {
		t.Fatal(err)
	}
	role := c.trust(t, made.thumbprint)

	t.Run("forged", func(t *testing.T) { c.refusesForged(t, p, role) })
	t.Run("no such role", func(t *testing.T) {
		l := c.login(t, made, role+"s")
		if _, got := l.as(t, "alice", made.roots); got.code != 1 || !strings.Contains(got.err, "AccessDenied") {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
		if _, err := os.Stat(filepath.Join(c.home, ".aws")); err == nil {
			t.Error("files were written")
		}
	})
	t.Run("log in and read", func(t *testing.T) { c.readsAs(t, made.roots, c.login(t, made, role), role) })
}

// login begins a login in direct mode.
func (c *cloud) login(t *testing.T, made certificate, role string) *login {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, made.authority)
	return beginLogin(t, environment(c.home, "SSL_CERT_FILE="+ca), "--profile", "data", "--issuer", "https://"+loginHost,
		"--client-id", "gimme", "--role-arn", role, "--region", "us-east-1", "--sts-endpoint", c.sts, "--force")
}

// readsAs finishes a login and uses the profile.
func (c *cloud) readsAs(t *testing.T, roots *x509.CertPool, l *login, role string) {
	_, got := l.as(t, "alice", roots)
	got.must(t)
	if !strings.Contains(got.err, "alice@example.com") || !strings.Contains(got.err, role) {
		t.Errorf("gimme says %s", got.err)
	}
	run := func(args ...string) result {
		return finish(t, command{path: c.aws, args: args, env: environment(c.home, "AWS_PROFILE=data")})
	}
	if got := run("s3", "ls", "s3://"+bucket+"/", "--endpoint-url", c.s3).must(t); !strings.Contains(got.out, "readme.txt") {
		t.Errorf("listed %q", got.out)
	}
	if got := run("s3", "cp", "s3://"+bucket+"/readme.txt", "-", "--endpoint-url", c.s3).must(t); got.out != "direct" {
		t.Errorf("read %q", got.out)
	}
	if got := run("s3", "rm", "s3://"+bucket+"/readme.txt", "--endpoint-url", c.s3); got.code == 0 || !strings.Contains(got.err, "AccessDenied") {
		t.Errorf("delete: exit code %d: %s", got.code, got.err)
	}
	if got := run("sts", "get-caller-identity", "--endpoint-url", c.sts).must(t); !strings.Contains(got.out, ":assumed-role/reader/") {
		t.Errorf("the STS says %s", got.out)
	}
	if config := readFile(t, filepath.Join(c.home, ".aws", "config")); strings.Contains(config, "services") || !strings.Contains(config, "[profile data]") {
		t.Errorf("the config is:\n%s", config)
	}
}

// refusesForged shows that this STS looks: a token of the provider is accepted,
// one that only looks like it is not.
func (c *cloud) refusesForged(t *testing.T, p *provider, role string) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ token, want string }{
		"genuine": {p.idToken(t, "alice", nil), "<SessionToken>"},
		"forged":  {signJWT(t, stranger, p.claims("alice", nil)), "<Code>InvalidIdentityToken</Code>"},
		"expired": {p.idToken(t, "alice", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "<Code>ExpiredTokenException</Code>"},
	} {
		response, err := http.PostForm(c.sts, url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"test"}, "RoleArn": {role}, "WebIdentityToken": {row.token},
		})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(body), row.want) {
			t.Errorf("%s: %s %v: %s", name, response.Status, err, body)
		}
	}
}
