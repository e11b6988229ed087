package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestStockWebIdentity is a machine on which there is no gimme: the SDKs' own web
// identity providers get sessions at the sidecar, by the five variables that
// docs/clients.md has.
func TestStockWebIdentity(t *testing.T) {
	g := newGitHub(t)
	w := newWorld(t, settings{Workload: g.issuer.url})
	token := filepath.Join(t.TempDir(), "token")
	variables := map[string]string{
		"AWS_ROLE_ARN": engineerRole, "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_SESSION_NAME": "pipeline",
		"AWS_ENDPOINT_URL_STS": w.sidecar.address, "AWS_ENDPOINT_URL_S3": w.sidecar.address, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
		"AWS_S3_FORCE_PATH_STYLE": "true",
	}
	var env []string
	for name, value := range variables {
		env = append(env, name+"="+value)
	}
	writeFile(t, token, g.token(t, w.sidecar.address))
	const object = "customers/2026.csv"

	t.Run("aws CLI", func(t *testing.T) {
		cli := newCLI(t, w, "none")
		if len(cli.before) > 0 {
			t.Log("this aws CLI knows no endpoints of its own for STS: it is too old for this")
			return
		}
		got := finish(t, command{path: cli.path, args: []string{"s3", "cp", "s3://" + bucket + "/" + object, "-"}, env: environment(w.home, env...)}).must(t)
		if got.out != contents(object) {
			t.Errorf("read %q", got.out)
		}
		who := finish(t, command{path: cli.path, args: []string{"sts", "get-caller-identity"}, env: environment(w.home, env...)}).must(t)
		var caller struct{ Arn string }
		if err := json.Unmarshal([]byte(who.out), &caller); err != nil || !strings.Contains(caller.Arn, ":assumed-role/data-engineering/") {
			t.Errorf("%v: %s", err, who.out)
		}
	})
	t.Run("@aws-sdk", func(t *testing.T) {
		node := need(t, nodeParts)
		got := finish(t, command{path: "node", args: []string{filepath.Join(node, "s3.mjs"), "get", bucket, object}, dir: node, env: environment(w.home, env...)}).must(t)
		var answer told
		if err := json.Unmarshal([]byte(got.out), &answer); err != nil || answer.Body != contents(object) {
			t.Errorf("%v: %s", err, got.out)
		}
	})
	t.Run("boto3", func(t *testing.T) {
		python := need(t, boto3)
		script, err := filepath.Abs(filepath.Join("python", "s3.py"))
		if err != nil {
			t.Fatal(err)
		}
		version := finish(t, command{path: python, args: []string{"-c", "import boto3; print(tuple(map(int, boto3.__version__.split('.')[:2])) < (1, 28))"}, env: environment(w.home)}).must(t)
		if strings.TrimSpace(version.out) == "True" {
			t.Log("this boto3 knows no endpoints of its own for STS: it is too old for this")
			return
		}
		got := finish(t, command{path: python, args: []string{script, "get", bucket, object}, env: environment(w.home, env...)}).must(t)
		var answer told
		if err := json.Unmarshal([]byte(got.out), &answer); err != nil || answer.Body != contents(object) {
			t.Errorf("%v: %s", err, got.out)
		}
	})
	t.Run("aws-sdk-go-v2", func(t *testing.T) {
		for name, value := range variables {
			t.Setenv(name, value)
		}
		t.Setenv("HOME", w.home)
		loaded, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil))
		if err != nil {
			t.Fatal(err)
		}
		client := s3.NewFromConfig(loaded, func(o *s3.Options) { o.UsePathStyle = true })
		got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(object)})
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		if text, err := io.ReadAll(got.Body); err != nil || string(text) != contents(object) {
			t.Errorf("%q, %v", text, err)
		}
	})
	t.Run("a query", func(t *testing.T) {
		raw := g.token(t, w.sidecar.address)
		q := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {engineerRole}, "RoleSessionName": {"pipeline"}, "WebIdentityToken": {raw}}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r, err := http.NewRequestWithContext(t.Context(), method, w.sidecar.address+"/?"+q.Encode(), nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), "<SessionToken>") {
				t.Errorf("%s: %d %s %v", method, response.StatusCode, body, err)
			}
		}
		for _, file := range []string{"audit.jsonl"} {
			if strings.Contains(readFile(t, filepath.Join(w.sidecar.folder, file)), raw) {
				t.Errorf("the token stands in %s", file)
			}
		}
	})
	t.Run("a token for somebody else", func(t *testing.T) {
		at := w.sidecar.mark(t)
		writeFile(t, token, g.token(t, "https://elsewhere.example"))
		node := need(t, nodeParts)
		got := finish(t, command{path: "node", args: []string{filepath.Join(node, "s3.mjs"), "get", bucket, object}, dir: node, env: environment(w.home, env...)})
		if !strings.Contains(got.out, "InvalidIdentityToken") || strings.Contains(got.out, contents(object)) {
			t.Errorf("%s%s", got.out, got.err)
		}
		if e := at.refused(t); !slices.Contains([]string{"session"}, e.Kind) {
			t.Errorf("the event is %+v", e)
		}
	})
}
