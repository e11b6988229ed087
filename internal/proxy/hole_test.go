package proxy_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A store on a file system reads a//b as a/b, so a key with empty segments needs
// what both of its readings need.
func TestEmptySegmentsAreNoWayRound(t *testing.T) {
	c := start(t, nil)
	c.write("datamap.yaml", strings.Replace(dataMap, "[lake/customers/, secret-bucket]", "[lake/customers/, secret-bucket, lake/public/secret/]", 1))
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		io.WriteString(w, path.Clean(r.URL.Path))
		return true
	})
	keys := c.login(bob)
	for _, key := range []string{"public/secret/x", "public//secret/x", "public///secret//x", "/public/secret/x"} {
		response, body := c.raw(keys, http.MethodGet, "/lake/"+key, sigv4.UnsignedPayload, nil)
		if response.StatusCode != 403 || !strings.Contains(body, "SENSITIVE") {
			t.Errorf("%q: %d %s", key, response.StatusCode, body)
		}
		c.wantNothingUpstream()
	}
	if response, body := c.raw(keys, http.MethodGet, "/lake/public//x", sigv4.UnsignedPayload, nil); response.StatusCode != 200 {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

// A condition that says nothing is refused: dropped, it would hold nothing back.
func TestEmptyConditions(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	keys := c.login(nil)
	for _, name := range []string{"If-None-Match", "If-Match", "X-Amz-Server-Side-Encryption-Customer-Key"} {
		response, body := c.raw(keys, http.MethodPut, "/lake/customers/x", sigv4.UnsignedPayload, strings.NewReader("changed"), name, "")
		if response.StatusCode != 400 || !strings.Contains(body, "InvalidArgument") {
			t.Errorf("%s: %d %s", name, response.StatusCode, body)
		}
		c.wantNothingUpstream()
		c.wantOneRefusal("InvalidArgument", "is empty")
	}
	if got, _ := c.stored("lake", "customers/x"); got != "hello" {
		t.Errorf("the object is now %q", got)
	}
}

// A copy is done when the upstream says so in full.
func TestACopyThatIsNotConfirmedIsNoCopy(t *testing.T) {
	c := start(t, nil)
	alice := c.s3(c.login(nil))
	for _, body := range []string{"", "  ", "<html/>", "<Error></Error>", "<CopyObjectResult><ETag>x", "<CopyObjectResult></CopyObjectResult>"} {
		c.store.answerWith(func(w http.ResponseWriter, _ *http.Request) bool { io.WriteString(w, body); return true })
		_, err := alice.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/y"), CopySource: aws.String("lake/customers/x")})
		if err == nil {
			t.Errorf("%q passed for a copy", body)
		}
	}
}

// Who hangs up while a provider is asked does not make it look down.
func TestAClientThatHangsUpHarmsNoOtherLogin(t *testing.T) {
	c := start(t, nil)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	real, arrived := c.provider.Config.Handler, make(chan bool, 10)
	var slow atomic.Bool
	slow.Store(true)
	c.provider.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			arrived <- true
			time.Sleep(300 * time.Millisecond)
		}
		real.ServeHTTP(w, r)
	})
	c.launch(nil)
	token := c.provider.token(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "RoleSessionName": {"mallory"}, "WebIdentityToken": {token[:len(token)-8] + "AAAAAAAA"}}
	r := must(http.NewRequestWithContext(ctx, http.MethodPost, c.URL()+"/", strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	done := make(chan bool)
	go func() {
		defer close(done)
		if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
			response.Body.Close()
		}
	}()
	<-arrived
	hangUp()
	<-done
	slow.Store(false)
	if _, err := c.assume(roleEveryone, token); err != nil {
		t.Errorf("a login after that: %v", err)
	}
}
