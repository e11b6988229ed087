package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
)

// A pod is where a program runs that knows nothing of gimme: there is a file with
// an ID token, and the variables that every AWS SDK reads.
type pod struct {
	*world
	token string // the file
}

const podSession = "nightly-report"

func newPod(t *testing.T) *pod {
	t.Helper()
	w := newWorld(t, settings{})
	p := &pod{w, filepath.Join(w.home, "token")}
	writeFile(t, p.token, w.idToken(t, "alice", nil))
	w.more = []string{"AWS_ROLE_ARN=" + engineerRole, "AWS_WEB_IDENTITY_TOKEN_FILE=" + p.token, "AWS_ROLE_SESSION_NAME=" + podSession,
		"AWS_ENDPOINT_URL_STS=" + w.sidecar.address, "AWS_ENDPOINT_URL_S3=" + w.sidecar.address, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"}
	return p
}

// wantOneLogin asserts that since the mark one session was issued, for alice and
// the role, and that the token stands nowhere.
func (p *pod) wantOneLogin(t *testing.T, at mark) {
	t.Helper()
	var sessions []event
	for _, e := range at.since(t) {
		if e.Kind == "session" {
			sessions = append(sessions, e)
		}
	}
	if len(sessions) != 1 || sessions[0].Decision != "allowed" || sessions[0].Principal.Email != "alice@example.com" || sessions[0].Role != engineerRole {
		t.Errorf("sessions: %+v", sessions)
	}
	p.wantNoToken(t)
}

func (p *pod) wantNoToken(t *testing.T) {
	t.Helper()
	token := readFile(t, p.token)
	all := readFile(t, p.sidecar.path("audit.jsonl")) + p.sidecar.out.String() + p.sidecar.err.String()
	if signature := token[strings.LastIndex(token, ".")+1:]; strings.Contains(all, signature) {
		t.Error("the token is in a log")
	}
}

// TestWebIdentityOfTheCommandLine has the aws CLI log in by itself.
func TestWebIdentityOfTheCommandLine(t *testing.T) {
	p := newPod(t)
	path := need(t, awsCLI)
	if !servesProfiles(t, path) {
		// Debian's is older than 2.13, and can be told of no other STS than AWS's.
		t.Log("this aws CLI reads no AWS_ENDPOINT_URL_STS; the SDKs tell the story")
		return
	}
	run := func(args ...string) result {
		return finish(t, command{path: path, args: args, env: p.env(), dir: p.home})
	}
	at := p.sidecar.mark(t)
	if got := run("s3", "cp", "s3://acme-lake/customers/2026.csv", "-").must(t); got.out != contents("customers/2026.csv") {
		t.Errorf("read %q", got.out)
	}
	p.wantOneLogin(t, at)
	var who struct{ Arn string }
	if err := json.Unmarshal([]byte(run("sts", "get-caller-identity").must(t).out), &who); err != nil || who.Arn != "arn:aws:sts::111122223333:assumed-role/data-engineering/"+podSession {
		t.Errorf("the caller is %+v, %v", who, err)
	}
	if at := p.sidecar.mark(t); run("s3", "ls", "s3://acme-lake/customers/").must(t).out == "" || strings.Contains(at.since(t)[0].Kind, "session") {
		t.Error("the CLI does not keep its session, as docs/clients.md has it")
	}
	writeFile(t, p.token, p.idToken(t, "bob", nil))
	p.more = append(p.more, "AWS_ROLE_SESSION_NAME=another") // the CLI keeps sessions by what it asks for
	at = p.sidecar.mark(t)
	if got := run("s3", "ls", "s3://acme-lake/customers/"); got.code == 0 || !strings.Contains(got.err, "bob@example.com may not take role") || !strings.Contains(got.err, "AccessDenied") {
		t.Errorf("bob: %+v", got)
	}
	at.refused(t)
	p.wantNoToken(t)
}

// TestWebIdentityOfTheGoSDK is a Go program without a line about the sidecar.
func TestWebIdentityOfTheGoSDK(t *testing.T) {
	p := newPod(t)
	for _, setting := range p.env("AWS_CONFIG_FILE="+filepath.Join(p.home, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(p.home, "none"), "AWS_ACCESS_KEY_ID=", "AWS_PROFILE=") {
		if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
		}
	}
	loaded, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := p.sidecar.mark(t)
	client := s3.NewFromConfig(loaded)
	for range 3 {
		got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("customers/2026.csv")})
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
	}
	p.wantOneLogin(t, at)
	who, err := awssts.NewFromConfig(loaded).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Arn) != "arn:aws:sts::111122223333:assumed-role/data-engineering/"+podSession {
		t.Errorf("the caller is %+v, %v", who, err)
	}
}

// TestWebIdentityOfOtherSDKs runs the programs that know profiles alone, and now
// have no profile either.
func TestWebIdentityOfOtherSDKs(t *testing.T) {
	for name, find := range map[string]func(t *testing.T) program{
		"JavaScript": func(t *testing.T) program {
			folder := need(t, nodeParts)
			return program{path: "node", args: []string{filepath.Join(folder, "s3.mjs")}, dir: folder}
		},
		"Python": func(t *testing.T) program {
			script, err := filepath.Abs(filepath.Join("python", "s3.py"))
			if err != nil {
				t.Fatal(err)
			}
			python := need(t, boto3)
			if old := finish(t, command{path: python, args: []string{"-c", "import boto3; print(tuple(map(int, boto3.__version__.split('.')[:2])) < (1, 28))"}, env: environment(t.TempDir())}).must(t); strings.Contains(old.out, "True") {
				t.Log("this boto3 reads no AWS_ENDPOINT_URL_STS; the other SDKs tell the story")
				return program{}
			}
			return program{path: python, args: []string{script}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			program := find(t)
			if program.path == "" {
				return
			}
			p := newPod(t)
			at := p.sidecar.mark(t)
			got := finish(t, command{path: program.path, args: append(program.args, "get", bucket, "customers/2026.csv"), env: p.env(), dir: program.dir}).must(t)
			var answer told
			if err := json.Unmarshal([]byte(got.out), &answer); err != nil || answer.Body != contents("customers/2026.csv") {
				t.Fatalf("got %s%s", got.out, got.err)
			}
			p.wantOneLogin(t, at)
		})
	}
}
