//go:build linux

package proxy_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// A mortal is a sidecar that is a process of its own, `gimme proxy`, so that it
// can be killed.
type mortal struct {
	*sidecar // for its provider, store and files; no server runs in it
	binary   string
	address  string
	cmd      *exec.Cmd
	output   *syncBuffer
	keys     aws.Credentials
}

// buildGimme builds the program, and returns its path.
func buildGimme(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "gimme")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/gimme").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// newMortal lays out the files of a sidecar, with these settings of its log. The
// upstream answers every request.
func newMortal(t *testing.T, binary, log string) *mortal {
	t.Helper()
	m := &mortal{sidecar: &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}, binary: binary, output: &syncBuffer{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	m.files(strings.NewReplacer("admin: {listen: 127.0.0.1:0}", "admin: {listen: off}", "127.0.0.1:0", m.address, "{file: audit.jsonl}", log).Replace(m.config()))
	m.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // a client that was killed sends half of it
		return true
	})
	return m
}

// run starts the process, and returns when it serves.
func (m *mortal) run() {
	m.t.Helper()
	m.cmd = exec.Command(m.binary, "proxy", "--config", filepath.Join(m.folder, "proxy.yaml"))
	m.cmd.Stderr = m.output
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.kill)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", m.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("the sidecar does not come up: %v\n%s", err, m.output)
		}
	}
}

// kill is kill -9.
func (m *mortal) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill() // it may have ended by itself
		_ = m.cmd.Wait()         // with an error, because it was killed
		m.cmd = nil
	}
}

// end stops the process as an operator does.
func (m *mortal) end() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Wait(); err != nil {
		m.t.Fatalf("%v\n%s", err, m.output)
	}
	m.cmd = nil
}

func (m *mortal) url() string { return "http://" + m.address }

// login gives the client a session, which outlives the sidecar.
func (m *mortal) login() {
	m.t.Helper()
	token := m.provider.token(m.t, nil)
	out, err := sts.New(sts.Options{BaseEndpoint: aws.String(m.url()), Region: region, RetryMaxAttempts: 1}).AssumeRoleWithWebIdentity(m.t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(roleEveryone), RoleSessionName: aws.String("alice"), WebIdentityToken: &token,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	k := out.Credentials
	m.keys = aws.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: *k.SecretAccessKey, SessionToken: *k.SessionToken}
}

// client is one that does not try again, so that each of its requests is one.
func (m *mortal) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(m.url()), Region: region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: m.keys},
		HTTPClient:  &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second},
	})
}

// load has n clients ask for objects, each for one that nobody else asks for,
// until stop is called.
func (m *mortal) load(n int) (stop func()) {
	ctx, cancel := context.WithCancel(m.t.Context())
	var clients sync.WaitGroup
	var number atomic.Int64
	for range n {
		clients.Go(func() {
			client := m.client()
			for ctx.Err() == nil {
				key := fmt.Sprintf("customers/%06d", number.Add(1))
				var err error
				if rand.N(4) == 0 {
					_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader("text")})
				} else {
					var out *s3.GetObjectOutput
					if out, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key}); err == nil {
						out.Body.Close()
					}
				}
				if err != nil { // nobody is there just now
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}
