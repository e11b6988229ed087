package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// outcome waits for the end of a request, and asserts that it was allowed once
// and that its end names the order.
func (c *sidecar) wantCut(o revocation.Order) {
	c.t.Helper()
	var all []audit.Event
	c.eventually("the outcome is on record", func() bool {
		all = append(all, c.requests()...)
		return len(all) > 1
	})
	if len(all) != 2 || all[0].Decision != audit.Allowed || all[1].Kind != audit.KindOutcome {
		c.t.Fatalf("want a decision and an outcome, got %+v", all)
	}
	if e := all[1].Error; !strings.Contains(e, "revoked at") || !strings.Contains(e, strings.TrimRight(o.Reason, ".")) {
		c.t.Errorf("the outcome says %q", e)
	}
}

// A download that is under way ends, and not as a short body that looks whole.
func TestADownloadIsCutWhenItsSessionIsRevoked(t *testing.T) {
	for name, length := range map[string]string{"of known length": "1000000000", "chunked": ""} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil)
			keys := c.login(nil)
			gone := make(chan struct{})
			c.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				for r.Context().Err() == nil {
					w.Write(bytes.Repeat([]byte("x"), 16<<10))
					w.(http.Flusher).Flush()
					time.Sleep(time.Millisecond) // a slow store
				}
				close(gone)
				return true
			})
			out, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			if _, err := io.ReadFull(out.Body, make([]byte, 100<<10)); err != nil {
				t.Fatal(err)
			}
			o := c.revoke(revocation.Order{Scope: revocation.User, User: "alice-1"}, time.Now())
			began := time.Now()
			if _, err := io.Copy(io.Discard, out.Body); err == nil {
				t.Error("the body ended as if it were whole")
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			<-gone
			c.wantCut(o)
		})
	}
}

// An upload that is under way becomes no object, and the client learns why.
func TestAnUploadIsCutWhenItsSessionIsRevoked(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	arrived, ended := make(chan struct{}), make(chan error, 1)
	c.store.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		if _, err := io.ReadFull(r.Body, make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		close(arrived)
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
		panic(http.ErrAbortHandler)
	})
	url, err := s3.NewPresignClient(c.s3(keys)).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")})
	if err != nil {
		t.Fatal(err)
	}
	body, feed := io.Pipe()
	request, err := http.NewRequest(http.MethodPut, url.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = 1 << 30
	for name, values := range url.SignedHeader {
		if !strings.EqualFold(name, "Host") && !strings.EqualFold(name, "Content-Length") {
			request.Header[name] = values
		}
	}
	answered := make(chan string, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answered <- "" // the connection was cut, which is as good
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answered <- string(text)
	}()
	go func() {
		for {
			if _, err := feed.Write(make([]byte, 32<<10)); err != nil {
				return
			}
			time.Sleep(time.Millisecond) // or all of it is sent before the order is seen
		}
	}()
	defer feed.Close()
	<-arrived
	o := c.revoke(revocation.Order{Scope: revocation.User, User: "alice-1"}, time.Now())
	if err := <-ended; err == nil {
		t.Error("the body ended as if it were whole")
	}
	if text := <-answered; text != "" && !strings.Contains(text, "was revoked at") {
		t.Errorf("the client is told %q", text)
	}
	c.wantCut(o)
	c.store.answerWith(nil)
	if _, there := c.stored("lake", "public/a.txt"); there {
		t.Error("the object is there")
	}
}
