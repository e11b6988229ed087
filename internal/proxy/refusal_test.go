package proxy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// An ID token that is not right, or a role that is not open, is no session.
func TestSTSRefuses(t *testing.T) {
	c := start(t, nil)
	other := newProvider(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := c.provider.token(t, nil)
	for _, test := range []struct {
		name, role, token, code, sentence string
	}{
		{"wrong issuer", roleEveryone, other.token(t, nil), "InvalidIdentityToken", other.URL},
		{"wrong audience", roleEveryone, c.provider.token(t, map[string]any{"aud": "another"}), "InvalidIdentityToken", "another"},
		{"expired", roleEveryone, c.provider.token(t, map[string]any{"iat": now.Add(-30 * time.Minute).Unix(), "exp": now.Add(-10 * time.Minute).Unix()}), "ExpiredTokenException", "gimme s3"},
		{"old", roleEveryone, c.provider.token(t, map[string]any{"iat": now.Add(-2 * time.Hour).Unix()}), "", ""},
		{"forged with another key", roleEveryone, sign(t, stranger, "k1", map[string]any{"iss": c.provider.URL, "aud": "gimme", "sub": "alice-1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}), "InvalidIdentityToken", ""},
		{"changed", roleEveryone, good[:len(good)-8] + "AAAAAAAA", "InvalidIdentityToken", ""},
		{"not a token", roleEveryone, "not.a.token", "InvalidIdentityToken", ""},
		{"groups left out by the provider", roleEveryone, c.provider.token(t, map[string]any{"hasgroups": true, "groups": nil}), "IDPRejectedClaim", "group"},
		{"role for another group", roleEngineers, c.provider.token(t, bob), "AccessDenied", "bob@example.com may not take role \"" + roleEngineers + "\": it is for members of data-engineering."},
		{"no groups at all", roleEngineers, c.provider.token(t, map[string]any{"groups": nil}), "AccessDenied", "data-engineering"},
		{"role that does not exist", "arn:aws:iam::111122223333:role/admin", good, "AccessDenied", "no such role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.assume(test.role, test.token)
			if test.code == "" {
				if err == nil {
					t.Fatal("want a refusal")
				}
				api, _ := errors.AsType[smithy.APIError](err)
				test.code = api.ErrorCode()
			}
			wantCode(t, err, test.code, test.sentence)
			c.wantNothingUpstream()
			if e := c.wantOneRefusal(test.code, test.sentence); e.Kind != audit.KindSession || e.Session != nil {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestSTSFormIsReadStrictly(t *testing.T) {
	c := start(t, nil)
	token := c.provider.token(t, nil)
	form := func(changes ...string) string {
		v := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "RoleSessionName": {"alice"}, "WebIdentityToken": {token}}
		for i := 0; i < len(changes); i += 2 {
			v.Set(changes[i], changes[i+1])
		}
		return v.Encode()
	}
	const kind = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, contentType, body, code string
	}{
		{"a session policy", kind, form("Policy", "{}"), "ValidationError"},
		{"twice", kind, form() + "&RoleArn=x", "ValidationError"},
		{"another action", kind, form("Action", "AssumeRole"), "InvalidAction"},
		{"another version", kind, form("Version", "2012"), "ValidationError"},
		{"too short a session", kind, form("DurationSeconds", "60"), "ValidationError"},
		{"no number", kind, form("DurationSeconds", "1h"), "ValidationError"},
		{"a number that wraps round", kind, form("DurationSeconds", "-36028797018960368"), "ValidationError"},
		{"an odd name", kind, form("RoleSessionName", "a b"), "ValidationError"},
		{"no form", "application/json", form(), "ValidationError"},
		{"malformed", kind, "Action=%zz", "ValidationError"},
		{"large", kind, form("RoleSessionName", strings.Repeat("x", 40<<10)), "ValidationError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL()+"/", strings.NewReader(test.body)))
			r.Header.Set("Content-Type", test.contentType)
			response := must(http.DefaultTransport.RoundTrip(r))
			defer response.Body.Close()
			body := must(io.ReadAll(response.Body))
			if response.StatusCode != 400 || !bytes.Contains(body, []byte("<Code>"+test.code+"</Code>")) || bytes.Contains(body, []byte("SecretAccessKey")) {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			c.wantOneRefusal(test.code, "")
		})
	}
}

func TestASessionLastsNoLongerThanItsLimits(t *testing.T) {
	c := start(t, nil)
	for role, limit := range map[string]time.Duration{roleEveryone: time.Hour, roleEngineers: 30 * time.Minute} {
		keys, err := c.assume(role, c.provider.token(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(keys.Expires); left > limit || left < limit-time.Minute {
			t.Errorf("%s: %v left of %v", role, left, limit)
		}
	}
}

// signed makes a PUT, signed by code that is not ours, that edit then changes.
func (c *sidecar) signed(keys aws.Credentials, body string, edit func(*http.Request)) *http.Response {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), http.MethodPut, c.URL()+"/lake/customers/put", strings.NewReader(body)))
	sum := sha256.Sum256([]byte(body))
	digest := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", digest)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(c.t.Context(), keys, r, digest, "s3", region, time.Now()); err != nil {
		c.t.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	response := must(http.DefaultTransport.RoundTrip(r))
	c.t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestS3Refuses(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	if response := c.signed(keys, "hello", nil); response.StatusCode != 200 {
		t.Fatalf("the request that the others are made from is refused: %d %s", response.StatusCode, must(io.ReadAll(response.Body)))
	}
	if got, _ := c.stored("lake", "customers/put"); got != "hello" {
		t.Fatalf("stored %q", got)
	}
	c.events()
	twin := start(t, nil) // another deployment: another key file
	foreign := twin.login(nil)
	wrong := keys
	wrong.SecretAccessKey = strings.Repeat("x", 40)
	tokenless := keys
	tokenless.SessionToken = ""
	crossed := c.login(bob)
	crossed.SessionToken = keys.SessionToken

	for _, test := range []struct {
		name     string
		keys     aws.Credentials
		edit     func(*http.Request)
		code     string
		touching bool // the body is only found wrong on its way
	}{
		{"wrong secret", wrong, nil, "SignatureDoesNotMatch", false},
		{"no session token", tokenless, nil, "InvalidAccessKeyId", false},
		{"another's session token", crossed, nil, "InvalidToken", false},
		{"session of another deployment", foreign, nil, "InvalidToken", false},
		{"anonymous", keys, func(r *http.Request) { r.Header.Del("Authorization") }, "AccessDenied", false},
		{"unsigned copy source", keys, func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "lake/public/x") }, "AccessDenied", false},
		{"unsigned ACL", keys, func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "AccessDenied", false},
		{"another path", keys, func(r *http.Request) { r.URL.Path += "2" }, "SignatureDoesNotMatch", false},
		{"another method", keys, func(r *http.Request) { r.Method = http.MethodDelete }, "", false},
		{"a parameter more", keys, func(r *http.Request) { r.URL.RawQuery = "acl" }, "SignatureDoesNotMatch", false},
		{"signed long ago", keys, func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") }, "", false},
		{"condition that is not signed", keys, func(r *http.Request) { r.Header.Set("If-None-Match", "*") }, "", false},
		{"another body", keys, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("hullo")) }, "XAmzContentSHA256Mismatch", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := c.signed(test.keys, "hello", test.edit)
			body := string(must(io.ReadAll(response.Body)))
			if response.StatusCode < 400 || !strings.Contains(body, "<Code>"+test.code) || !strings.Contains(body, "<RequestId>") {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			if got, _ := c.stored("lake", "customers/put"); got != "hello" {
				t.Errorf("the object is now %q", got)
			}
			events := c.events()
			if test.touching {
				if len(events) != 2 || events[1].Kind != audit.KindOutcome || !strings.Contains(events[1].Error, test.code) {
					t.Errorf("events: %+v", events)
				}
				return
			}
			c.wantNothingUpstream()
			if len(events) != 1 || events[0].Decision != audit.Blocked || !strings.Contains(body, events[0].ID) || !strings.HasPrefix(events[0].Error, test.code) {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

func TestAnExpiredSessionSaysHowToLogInAgain(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "sessions: {", "sessions: {lifetime: 1s, ", 1)
	})
	keys := c.login(nil)
	time.Sleep(1100 * time.Millisecond)
	_, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "ExpiredToken", "Log in again: gimme s3")
	c.wantNothingUpstream()
	if e := c.wantOneRefusal("ExpiredToken", "expired"); e.Principal == nil || e.Principal.Email != "alice@example.com" {
		t.Errorf("got %+v", e)
	}
}

func TestARoleThatIsClosedEndsItsSessions(t *testing.T) {
	c := start(t, nil)
	keys, err := c.assume(roleEngineers, c.provider.token(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.launch(func(config string) string {
		return strings.Replace(config, "groups: [data-engineering]", "groups: [others]", 1)
	})
	_, err = c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "InvalidToken", "no longer open to you")
	c.wantNothingUpstream()
	c.wantOneRefusal("InvalidToken", "no longer open")
}

// A session outlives a restart: it is sealed, not stored.
func TestASessionOutlivesARestart(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	keys := c.login(nil)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.launch(nil)
	if _, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")}); err != nil {
		t.Error(err)
	}
}

// A full disk is a writer that takes nothing once it is full.
type disk struct {
	full  atomic.Bool
	taken atomic.Int64
}

func (d *disk) Write(p []byte) (int, error) {
	if d.full.Load() {
		return 0, errors.New("no space left on device")
	}
	d.taken.Add(1)
	return len(p), nil
}

// What cannot be recorded is not served.
func TestAFullDiskStopsEverything(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	d := &disk{}
	c.stdout = d
	c.launch(func(config string) string { return strings.Replace(config, "file: audit.jsonl", `file: "-"`, 1) })
	keys := c.login(nil)
	d.full.Store(true)
	written := d.taken.Load()

	_, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	wantCode(t, err, "ServiceUnavailable", "what is not recorded is not served")
	_, err = c.s3(keys).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x"), Body: strings.NewReader("changed")})
	wantCode(t, err, "ServiceUnavailable", "what is not recorded is not served")
	c.wantNothingUpstream()
	if _, err := c.assume(roleEveryone, c.provider.token(t, nil)); err == nil {
		t.Error("a session was issued without a record")
	}
	if d.taken.Load() != written {
		t.Error("the disk was not full")
	}
	if !strings.Contains(c.log.String(), "no space left on device") {
		t.Error("the log does not say why")
	}
	d.full.Store(false)
	if got, _ := c.stored("lake", "customers/x"); got != "hello" {
		t.Errorf("the object is now %q", got)
	}
	if _, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")}); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

// A request that breaks the rules of HTTP, or bends them, over a raw
// connection.
func TestRawRequests(t *testing.T) {
	c := start(t, nil)
	c.login(nil)
	for name, test := range map[string]struct{ request, why string }{
		"OPTIONS *":           {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"absolute form":       {"GET http://evil.example/lake/customers/x HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"upgrade":             {"GET /lake/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", ""},
		"no host":             {"GET /lake/x HTTP/1.0\r\n\r\n", ""},
		"HTTP/1.0":            {"GET /lake/customers/x HTTP/1.0\r\nHost: h\r\n\r\n", "HTTP/1.1 is wanted"},
		"secrets in place":    {"GET http://h/a?X-Amz-Signature=canary-signature&X-Amz-Security-Token=canary-token HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"a secret as key id":  {"GET /lake/x HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=canary+secret+0123456789012345678901234567/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64) + "\r\n\r\n", ""},
		"dot segments":        {"GET /lake/../secret-bucket/x HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"double slash":        {"GET //lake//x HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"bad escape in query": {"GET /lake?prefix=%zz HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"CONNECT":             {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", ""},
		"POST form":           {"POST /lake HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 0\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL(), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(conn, test.request)
			answer := make([]byte, 4096)
			n, err := io.ReadAtLeast(conn, answer, 12)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(answer[:n]); !strings.HasPrefix(text, "HTTP/1.1 4") && !strings.HasPrefix(text, "HTTP/1.0 4") && !strings.HasPrefix(text, "HTTP/1.1 501") {
				t.Errorf("got %s", text)
			}
			c.wantNothingUpstream()
			if events := c.events(); len(events) != 1 || events[0].Decision != audit.Blocked || strings.Contains(events[0].Error, "canary") || !strings.Contains(events[0].Error, test.why) {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	arrived, release := make(chan bool), make(chan bool)
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		close(arrived)
		<-release
		io.WriteString(w, "late")
		return true
	})
	got := make(chan string, 1)
	go func() {
		out, err := alice.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
		if err != nil {
			got <- err.Error()
			return
		}
		body, _ := io.ReadAll(out.Body)
		got <- string(body)
	}()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- c.stop() }()
	for !strings.Contains(c.log.String(), "requests under way are finished") {
		time.Sleep(time.Millisecond)
	}
	close(release)
	if text := <-got; text != "late" {
		t.Errorf("got %q", text)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
