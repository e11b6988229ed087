package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// revocations is the sidecar's file, as another process has it.
func (c *sidecar) revocations() *revocation.List {
	c.t.Helper()
	l, err := revocation.Open(filepath.Join(c.folder, "session-keys.revoked"))
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// revoke gives an order as gimme proxy revoke does.
func (c *sidecar) revoke(o revocation.Order, at time.Time) revocation.Order {
	c.t.Helper()
	o.Reason, o.By = "the laptop was stolen.", "operator carol"
	o = revocation.New(o, at)
	if err := c.revocations().Give(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
	return o
}

// requests are the events of requests since the last call.
func (c *sidecar) requests() []audit.Event {
	c.t.Helper()
	var list []audit.Event
	for _, e := range c.events() {
		if e.Kind != audit.KindAdmin {
			list = append(list, e)
		}
	}
	return list
}

// wantOneRevoked asserts that a request was refused because of an order, with
// one event that says so, and that nothing went upstream.
func (c *sidecar) wantOneRevoked(o revocation.Order, code string) {
	c.t.Helper()
	events := c.requests()
	if len(events) != 1 {
		c.t.Fatalf("want one event, got %+v", events)
	}
	e := events[0]
	if e.Decision != audit.Blocked || e.Response.Code != code || e.Revocation == nil || e.Revocation.Order != o.ID || e.Revocation.By != "operator carol" {
		c.t.Errorf("event %+v, revocation %+v", e, e.Revocation)
	}
	c.wantNothingUpstream()
}

func (c *sidecar) get(keys aws.Credentials) error {
	_, err := c.s3(keys).GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")})
	return err
}

func presigned(t testing.TB, client *s3.Client) string {
	t.Helper()
	url, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/a.txt")})
	if err != nil {
		t.Fatal(err)
	}
	return url.URL
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// An order holds from the next request on, for the session, presigned URLs and
// the STS, for those whom it is about and for nobody else, until it is cleared.
func TestRevokedSessions(t *testing.T) {
	root := func(c *sidecar) string {
		data, err := os.ReadFile(filepath.Join(c.folder, "session-keys"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(data), "\nactive ")
		return rest[:8]
	}
	for name, row := range map[string]struct {
		order  func(c *sidecar, session string) revocation.Order
		others bool // are hit, too
	}{
		"session": {order: func(_ *sidecar, id string) revocation.Order {
			return revocation.Order{Scope: revocation.Session, Session: id}
		}},
		"subject": {order: func(*sidecar, string) revocation.Order {
			return revocation.Order{Scope: revocation.User, User: "alice-1"}
		}},
		"e-mail": {order: func(*sidecar, string) revocation.Order {
			return revocation.Order{Scope: revocation.User, User: "Alice@Example.com"}
		}},
		"subject of an issuer": {order: func(c *sidecar, _ string) revocation.Order {
			return revocation.Order{Scope: revocation.User, User: "alice-1", Issuer: c.provider.URL}
		}},
		"suspended": {order: func(*sidecar, string) revocation.Order {
			return revocation.Order{Scope: revocation.User, User: "alice-1", Suspend: true}
		}},
		"login": {order: func(c *sidecar, _ string) revocation.Order {
			return revocation.Order{Scope: revocation.Login, IdPSession: "idp-session-1", Issuer: c.provider.URL}
		}},
		"issuer": {others: true, order: func(c *sidecar, _ string) revocation.Order {
			return revocation.Order{Scope: revocation.Issuer, Issuer: c.provider.URL}
		}},
		"role": {others: true, order: func(*sidecar, string) revocation.Order {
			return revocation.Order{Scope: revocation.Role, Role: roleEveryone}
		}},
		"all": {others: true, order: func(*sidecar, string) revocation.Order { return revocation.Order{Scope: revocation.All} }},
		"key": {others: true, order: func(c *sidecar, _ string) revocation.Order {
			return revocation.Order{Scope: revocation.Key, Key: root(c)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil)
			c.put("lake", "public/a.txt", "hello")
			alice := c.login(nil)
			other := c.login(map[string]any{"sub": "bob-1", "email": "bob@example.com", "sid": "idp-session-2"})
			url := presigned(t, c.s3(alice))
			for _, keys := range []aws.Credentials{alice, other} {
				if err := c.get(keys); err != nil {
					t.Fatal(err)
				}
			}
			session := c.requests()[0].Session.ID
			c.store.seen()

			o := c.revoke(row.order(c, session), time.Now())
			wantCode(t, c.get(alice), "InvalidToken", ": the laptop was stolen. ")
			c.wantOneRevoked(o, "InvalidToken")
			if status, body := fetch(t, url); status != 400 || !strings.Contains(body, "<Code>InvalidToken</Code>") || !strings.Contains(body, "the laptop was stolen") {
				t.Errorf("the presigned URL: %d %s", status, body)
			}
			c.wantOneRevoked(o, "InvalidToken")
			_, err := c.sts(credentials.StaticCredentialsProvider{Value: alice}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			wantCode(t, err, "InvalidToken", "the laptop was stolen")
			c.wantOneRevoked(o, "InvalidToken")
			if err := c.get(other); (err != nil) != row.others {
				t.Errorf("somebody else: %v", err)
			}
			c.requests()
			c.store.seen()

			if _, err := c.revocations().Clear(t.Context(), o.ID, "operator carol", time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := c.get(alice); err != nil {
				t.Errorf("after the order was cleared: %v", err)
			}
		})
	}
}

// A login from before an order gives no session, however new the ID token is; a
// later one does.
func TestNoSessionForAnOldLogin(t *testing.T) {
	c := start(t, nil)
	now := time.Now()
	at := now.Add(-30 * time.Second)
	o := c.revoke(revocation.Order{Scope: revocation.User, User: "alice-1"}, at)
	for name, row := range map[string]struct {
		claims map[string]any
		code   string
	}{
		"refreshed":                {map[string]any{"auth_time": now.Add(-time.Hour).Unix()}, "IDPRejectedClaim"},
		"by a clock that is ahead": {map[string]any{"auth_time": at.Add(revocation.Skew).Unix()}, "IDPRejectedClaim"},
		"no auth_time":             {map[string]any{"auth_time": nil}, "IDPRejectedClaim"},
		"logged in again":          {map[string]any{"auth_time": at.Add(revocation.Skew + 2*time.Second).Unix()}, ""},
		"issued later":             {map[string]any{"auth_time": nil, "iat": at.Add(revocation.Skew + 2*time.Second).Unix()}, ""},
		"somebody else":            {bob, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.requests()
			keys, err := c.assume(roleEveryone, c.provider.token(t, row.claims))
			if row.code != "" {
				wantCode(t, err, row.code, "the laptop was stolen. This ID token is of a login before that. Log in again from ")
				c.wantOneRevoked(o, row.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.sts(credentials.StaticCredentialsProvider{Value: keys}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
				t.Errorf("the session that was issued is refused: %v", err)
			}
		})
	}
	t.Run("suspended", func(t *testing.T) {
		c.requests()
		o := c.revoke(revocation.Order{Scope: revocation.User, User: "bob-1", Suspend: true}, at)
		_, err := c.assume(roleEveryone, c.provider.token(t, map[string]any{"sub": "bob-1", "auth_time": now.Add(50 * time.Second).Unix()}))
		wantCode(t, err, "AccessDenied", "was suspended at")
		if strings.Contains(err.Error(), "gimme login") {
			t.Errorf("%v sends somebody to a login who may not log in", err)
		}
		c.wantOneRevoked(o, "AccessDenied")
	})
}

// A service is revoked by its name or by the id of one key.
func TestRevokedServiceKeys(t *testing.T) {
	for name, order := range map[string]func(id string) revocation.Order{
		"service": func(string) revocation.Order { return revocation.Order{Scope: revocation.Service, Service: "backup"} },
		"key":     func(id string) revocation.Order { return revocation.Order{Scope: revocation.Session, Session: id} },
	} {
		t.Run(name, func(t *testing.T) {
			c, key := withServiceKey(t, nil)
			c.put("lake", "public/a.txt", "hello")
			if err := c.get(pair(key)); err != nil {
				t.Fatal(err)
			}
			url := presigned(t, c.s3(pair(key)))
			c.revoke(revocation.Order{Scope: revocation.All}, time.Now()) // is about sessions
			if err := c.get(pair(key)); err != nil {
				t.Fatal(err)
			}
			c.events()
			c.store.seen()
			o := c.revoke(order(key.AccessKeyID), time.Now())
			wantCode(t, c.get(pair(key)), "InvalidAccessKeyId", "was revoked at")
			c.wantOneRevoked(o, "InvalidAccessKeyId")
			if status, _ := fetch(t, url); status != http.StatusForbidden {
				t.Errorf("the presigned URL: %d", status)
			}
			c.wantOneRevoked(o, "InvalidAccessKeyId")
		})
	}
}

// Nobody is served while nobody can tell who was revoked.
func TestDamagedRevocations(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"removed":                 func(t *testing.T, path string) { removeFile(t, path) },
		"a line that is no order": func(t *testing.T, path string) { appendTo(t, path, "{}\n") },
		"an older copy": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(`{"version":1,"seq":0,"recorded":0}`+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil)
			keys := c.login(nil)
			c.revoke(revocation.Order{Scope: revocation.User, User: "bob-1"}, time.Now())
			path := filepath.Join(c.folder, "session-keys.revoked")
			c.eventually("the order is on record", func() bool { return strings.Contains(c.rawEvents(), `"operation":"Revoke"`) })
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c.events()
			damage(t, path)
			wantCode(t, c.get(keys), "ServiceUnavailable", "cannot tell which sessions were revoked")
			c.wantOneRefusal("ServiceUnavailable", "cannot tell")
			_, err = c.assume(roleEveryone, c.provider.token(t, nil))
			wantCode(t, err, "ServiceUnavailable", "cannot tell which sessions were revoked")
			c.wantOneRefusal("ServiceUnavailable", "cannot tell")
			c.wantNothingUpstream()
			c.eventually("the log says why", func() bool { return strings.Contains(c.log.String(), "until the revocations can be read") })

			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			c.put("lake", "public/a.txt", "hello")
			if err := c.get(keys); err != nil {
				t.Errorf("after the file was put back: %v", err)
			}
		})
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another goroutine does.
func (c *sidecar) eventually(what string, so func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			c.t.Fatalf("not so: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// An order that somebody gave has one event, also when the sidecar was not there,
// and none again after a restart.
func TestOrdersAreRecordedOnce(t *testing.T) {
	c := start(t, nil)
	first := c.revoke(revocation.Order{Scope: revocation.User, User: "bob-1"}, time.Now())
	recorded := func(id, operation string) int {
		n := 0
		for line := range strings.Lines(c.rawEvents()) {
			if strings.Contains(line, fmt.Sprintf(`"id":%q`, id)) && strings.Contains(line, fmt.Sprintf(`"operation":%q`, operation)) && strings.Contains(line, `"kind":"admin"`) && strings.Contains(line, `"by":"operator carol"`) {
				n++
			}
		}
		return n
	}
	c.eventually("the order is on record", func() bool { return recorded(first.ID, "Revoke") == 1 })
	c.eventually("that is noted", func() bool {
		l := c.revocations()
		return len(l.Pending()) == 0
	})
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	second := c.revoke(revocation.Order{Scope: revocation.User, User: "eve-1"}, time.Now())
	if _, err := c.revocations().Clear(t.Context(), first.ID, "operator carol", time.Now()); err != nil {
		t.Fatal(err)
	}
	c.launch(nil)
	c.eventually("the others are on record", func() bool {
		return recorded(second.ID, "Revoke") == 1 && recorded(first.ID, "ClearRevocation") == 1
	})
	if n := recorded(first.ID, "Revoke"); n != 1 {
		t.Errorf("the first order is on record %d times", n)
	}
}
