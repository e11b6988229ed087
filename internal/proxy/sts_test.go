package proxy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// call sends a request to the STS endpoint as it stands here.
func (c *sidecar) call(method, target, kind, body string, header ...string) (*http.Response, string) {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), method, c.URL()+target, strings.NewReader(body)))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response := must(http.DefaultTransport.RoundTrip(r))
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body)))
}

// parameters of a login, with changes; an empty value takes one away.
func (c *sidecar) parameters(changes ...string) url.Values {
	c.t.Helper()
	v := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleEveryone}, "RoleSessionName": {"botocore-session-1"}, "WebIdentityToken": {c.provider.token(c.t, nil)}}
	for i := 0; i < len(changes); i += 2 {
		if v.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			v.Del(changes[i])
		}
	}
	return v
}

// A login is a form, or stands in the query, as SDKs of all kinds have it. What
// stands in a query is in no log and in no event.
func TestLoginsAsFormAndAsQuery(t *testing.T) {
	c := start(t, nil)
	for name, send := range map[string]func(url.Values) (*http.Response, string){
		"a form": func(v url.Values) (*http.Response, string) { return c.call("POST", "/", formType, v.Encode()) },
		"a form in UTF-8": func(v url.Values) (*http.Response, string) {
			return c.call("POST", "/", formType+"; charset=utf-8", v.Encode())
		},
		"GET with a query":     func(v url.Values) (*http.Response, string) { return c.call("GET", "/?"+v.Encode(), "", "") },
		"POST with a query":    func(v url.Values) (*http.Response, string) { return c.call("POST", "/?"+v.Encode(), "", "") },
		"POST, query and type": func(v url.Values) (*http.Response, string) { return c.call("POST", "/?"+v.Encode(), formType, "") },
	} {
		t.Run(name, func(t *testing.T) {
			v := c.parameters("DurationSeconds", "900")
			response, body := send(v)
			for _, part := range []string{"<SessionToken>g1.", "<Arn>arn:aws:sts::111122223333:assumed-role/lake-reader/botocore-session-1</Arn>", ":botocore-session-1</AssumedRoleId>",
				"<SubjectFromWebIdentityToken>alice-1<", "<Audience>gimme<", "<Provider>" + c.provider.URL + "<"} {
				if response.StatusCode != 200 || !strings.Contains(body, part) {
					t.Fatalf("got %d %s, without %s", response.StatusCode, body, part)
				}
			}
			if response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", response.Header)
			}
			events := c.events()
			if len(events) != 1 || events[0].Kind != audit.KindSession || events[0].Decision != audit.Allowed || events[0].Session.Expires.Sub(events[0].Session.Issued) != 15*time.Minute {
				t.Errorf("events: %+v", events)
			}
			c.wantNothingOf(v.Get("WebIdentityToken"))
		})
	}
}

// wantNothingOf asserts that a token, and parts of it, stand in no log and no event.
func (c *sidecar) wantNothingOf(token string) {
	c.t.Helper()
	for part := range strings.SplitSeq(token, ".") {
		if len(part) < 20 {
			continue
		}
		for where, text := range map[string]string{"log": c.log.String(), "events": c.rawEvents()} {
			if strings.Contains(text, part[:20]) && part[:20] != "eyJhbGciOiJSUzI1NiIs" || strings.Contains(text, part) {
				c.t.Errorf("%s of the token is in the %s", part[:20], where)
			}
		}
	}
}

// A token in a place where none belongs is told to nobody, and neither is one
// that is refused.
func TestATokenIsNeverRecorded(t *testing.T) {
	c := start(t, nil)
	token := c.provider.token(t, nil)
	bad := c.provider.token(t, map[string]any{"aud": "another"})
	for name, row := range map[string]struct{ method, target, body, code string }{
		"refused, in the query":    {"GET", "/?" + c.parameters("WebIdentityToken", bad).Encode(), "", "InvalidIdentityToken"},
		"as the role":              {"POST", "/", c.parameters("RoleArn", token).Encode(), "AccessDenied"},
		"as the action":            {"POST", "/", c.parameters("Action", token).Encode(), "InvalidAction"},
		"as the action of a query": {"GET", "/?Action=" + token, "", "InvalidAction"},
		"as the version":           {"POST", "/", c.parameters("Version", token).Encode(), "ValidationError"},
		"as the session's name":    {"POST", "/", c.parameters("RoleSessionName", token).Encode(), "ValidationError"},
		"as the duration":          {"POST", "/", c.parameters("DurationSeconds", token).Encode(), "ValidationError"},
		"as the name of something": {"POST", "/", c.parameters().Encode() + "&" + token, "ValidationError"},
		"without an action":        {"GET", "/?WebIdentityToken=" + token, "", "AccessDenied"},
		"with a bad escape":        {"GET", "/?Action=GetCallerIdentity&x=%zz&WebIdentityToken=" + token, "", "ValidationError"},
		"twice":                    {"GET", "/?Action=GetCallerIdentity&WebIdentityToken=" + token + "&WebIdentityToken=" + token, "", "ValidationError"},
		"with a semicolon":         {"GET", "/?Action=GetCallerIdentity;WebIdentityToken=" + token, "", "ValidationError"},
		"in a path":                {"GET", "/" + token, "", "AccessDenied"},
		"with another method":      {"PUT", "/?" + c.parameters("WebIdentityToken", token).Encode(), "", "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			kind := ""
			if row.body != "" {
				kind = formType
			}
			response, body := c.call(row.method, row.target, kind, row.body)
			if response.StatusCode < 400 || !strings.Contains(body, "<Code>"+row.code+"</Code>") || strings.Contains(body, "SecretAccessKey>") {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			c.wantOneRefusal(row.code, "")
			c.wantNothingUpstream()
			c.wantNothingOf(token)
			c.wantNothingOf(bad)
		})
	}
}

// What is ambiguous, or would be passed over, is refused.
func TestLoginsAreReadStrictly(t *testing.T) {
	c := start(t, nil)
	good := c.parameters().Encode()
	for name, row := range map[string]struct{ method, target, kind, body, says string }{
		"query and body":            {"POST", "/?" + good, formType, good, "only one of the two"},
		"half and half":             {"POST", "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15", formType, c.parameters("Action", "", "Version", "").Encode(), "only one of the two"},
		"a body with a GET":         {"GET", "/?" + good, formType, good, "only one of the two"},
		"twice in the query":        {"GET", "/?" + good + "&RoleArn=x", "", "", "&#34;RoleArn&#34; stands more than once"},
		"twice, once encoded":       {"GET", "/?" + good + "&Role%41rn=x", "", "", "more than once"},
		"a signature over a login":  {"GET", "/?" + good + "&X-Amz-Signature=x", "", "", "not supported"},
		"a session policy":          {"GET", "/?" + c.parameters("Policy", "{}").Encode(), "", "", "Session policies (parameter &#34;Policy&#34;) are not applied"},
		"managed policies":          {"POST", "/", formType, c.parameters("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnly").Encode(), "Session policies"},
		"an OAuth provider":         {"POST", "/", formType, c.parameters("ProviderId", "graph.facebook.com").Encode(), "ProviderId is for access tokens"},
		"a parameter of another":    {"POST", "/", formType, "Action=GetCallerIdentity&Version=2011-06-15&RoleArn=x", "not supported"},
		"a signature in a body":     {"POST", "/", formType, "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=x", "not supported"},
		"no version":                {"GET", "/?" + c.parameters("Version", "").Encode(), "", "", "Version is not 2011-06-15"},
		"no name":                   {"GET", "/?" + c.parameters("RoleSessionName", "").Encode(), "", "", "RoleSessionName"},
		"a name of 65 characters":   {"GET", "/?" + c.parameters("RoleSessionName", strings.Repeat("a", 65)).Encode(), "", "", "RoleSessionName"},
		"a name with a slash":       {"GET", "/?" + c.parameters("RoleSessionName", "a/b").Encode(), "", "", "RoleSessionName"},
		"a day":                     {"GET", "/?" + c.parameters("DurationSeconds", "86400").Encode(), "", "", "DurationSeconds"},
		"899 seconds":               {"GET", "/?" + c.parameters("DurationSeconds", "899").Encode(), "", "", "DurationSeconds"},
		"a sign":                    {"GET", "/?" + c.parameters("DurationSeconds", "+900").Encode(), "", "", "DurationSeconds"},
		"a query of more than 32 K": {"GET", "/?" + c.parameters("RoleSessionName", strings.Repeat("a", 33<<10)).Encode(), "", "", "larger than 32768"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := c.call(row.method, row.target, row.kind, row.body)
			if response.StatusCode != 400 || !strings.Contains(body, "<Code>ValidationError</Code>") || !strings.Contains(body, row.says) || !strings.Contains(body, "<ErrorResponse") {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			c.wantOneRefusal("ValidationError", "")
			c.wantNothingUpstream()
		})
	}
}

// GetCallerIdentity answers with the name that the session was given, however it
// is asked: posted, or got with the signature in a header or in the query.
func TestCallerIdentityInEachForm(t *testing.T) {
	c := start(t, nil)
	out, err := c.sts(aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(roleEveryone), RoleSessionName: aws.String("aws-go-sdk-1772442600"), WebIdentityToken: aws.String(c.provider.token(t, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := aws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken}
	const arn = "arn:aws:sts::111122223333:assumed-role/lake-reader/aws-go-sdk-1772442600"
	if *out.AssumedRoleUser.Arn != arn {
		t.Errorf("got %s", *out.AssumedRoleUser.Arn)
	}
	c.events()
	who, err := c.sts(credentials.StaticCredentialsProvider{Value: keys}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != arn || *who.Account != "111122223333" || *who.UserId != strings.TrimSuffix(*out.AssumedRoleUser.AssumedRoleId, ":aws-go-sdk-1772442600")+":aws-go-sdk-1772442600" {
		t.Errorf("posted: %+v, %v", who, err)
	}
	empty := sha256.Sum256(nil)
	nothing := hex.EncodeToString(empty[:])
	ask := func(edit func(*http.Request) string) (int, string) {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL()+"/?Action=GetCallerIdentity&Version=2011-06-15", nil))
		if target := edit(r); target != "" {
			r = must(http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		}
		response := must(http.DefaultTransport.RoundTrip(r))
		defer response.Body.Close()
		return response.StatusCode, string(must(io.ReadAll(response.Body)))
	}
	header := func(r *http.Request) string {
		if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, nothing, "sts", region, time.Now()); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	query := func(r *http.Request) string {
		r.URL.RawQuery += "&X-Amz-Expires=60"
		target, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, r, nothing, "sts", region, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	c.events()
	for name, sign := range map[string]func(*http.Request) string{"header": header, "query": query} {
		if status, body := ask(sign); status != 200 || !strings.Contains(body, "<Arn>"+arn+"</Arn>") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if d := decisions(c.events()); len(d) != 1 || d[0].Decision != audit.Allowed || d[0].Request.Operation != "GetCallerIdentity" {
			t.Errorf("%s: events %+v", name, d)
		}
	}
	for name, edit := range map[string]func(*http.Request) string{
		"not signed":     func(*http.Request) string { return "" },
		"changed header": func(r *http.Request) string { header(r); r.URL.RawQuery += "&Version=2011-06-15"; return "" },
		"changed query":  func(r *http.Request) string { return strings.Replace(query(r), "2011-06-15", "2011-06-16", 1) },
		"both signatures": func(r *http.Request) string {
			r2 := r.Clone(t.Context())
			r.URL = must(url.Parse(query(r2)))
			header(r)
			return ""
		},
		"expired": func(r *http.Request) string {
			return strings.Replace(query(r), "X-Amz-Date=2", "X-Amz-Date=1", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := ask(edit); status < 400 || strings.Contains(body, "<Arn>") {
				t.Errorf("got %d %s", status, body)
			}
			if events := c.events(); len(events) != 1 || events[0].Decision != audit.Blocked {
				t.Errorf("events %+v", events)
			}
		})
	}
}

// Who calls too often is told when to come again, before anything is read or
// asked, and others are not held up.
func TestLoginsAreLimited(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "policy: {", "trusted_proxies: [127.0.0.1/32]\nlimits: {logins_per_minute: 3}\npolicy: {", 1)
	})
	good := c.parameters().Encode()
	for i := range 6 {
		response, body := c.call("POST", "/", formType, good, "X-Forwarded-For", "192.0.2.1")
		if i < 3 {
			if response.StatusCode != 200 {
				t.Fatalf("call %d: %d %s", i, response.StatusCode, body)
			}
			c.events()
			continue
		}
		if response.StatusCode != 400 || !strings.Contains(body, "<Code>Throttling</Code>") || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "limits.logins_per_minute") {
			t.Errorf("call %d: %d %v %s", i, response.StatusCode, response.Header, body)
		}
		if e := c.wantOneRefusal("Throttling", "192.0.2.1"); e.Principal != nil {
			t.Errorf("the token was looked at: %+v", e)
		}
	}
	response, _ := c.call("GET", discovery.RolesPath, "", "", "X-Forwarded-For", "192.0.2.1", "Authorization", "Bearer "+c.provider.token(t, nil))
	if response.StatusCode < 400 {
		t.Errorf("the list of roles: %d", response.StatusCode)
	}
	c.wantOneRefusal("Throttling", "")
	if response, body := c.call("POST", "/", formType, good, "X-Forwarded-For", "192.0.2.2"); response.StatusCode != 200 {
		t.Errorf("another client: %d %s", response.StatusCode, body)
	}
}

// A token is good for one session where the configuration says so, also with
// another signature under the same text, and for as old as it says.
func TestOneTokenOneSession(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "client_id: gimme,", "client_id: gimme, client_ids: [gimme-cli, gimme-web], single_use: true, max_token_age: 10m,", 1)
	})
	now := time.Now()
	good := c.provider.token(t, nil)
	if _, err := c.assume("arn:aws:iam::111122223333:role/none", good); err == nil {
		t.Fatal("a role that is none")
	}
	if _, err := c.assume(roleEveryone, good); err != nil {
		t.Fatalf("a refusal has used the token up: %v", err)
	}
	c.events()
	_, err := c.assume(roleEveryone, good)
	wantCode(t, err, "InvalidIdentityToken", "has been used already")
	c.wantOneRefusal("InvalidIdentityToken", "used already")
	_, err = c.assume(roleEngineers, good)
	wantCode(t, err, "InvalidIdentityToken", "has been used already")
	c.events()
	for _, client := range []string{"gimme-cli", "gimme-web"} {
		if _, err := c.assume(roleEveryone, c.provider.token(t, map[string]any{"aud": client})); err != nil {
			t.Errorf("%s: %v", client, err)
		}
	}
	_, err = c.assume(roleEveryone, c.provider.token(t, map[string]any{"aud": []string{"gimme-cli", "gimme-web"}}))
	wantCode(t, err, "InvalidIdentityToken", "")
	_, err = c.assume(roleEveryone, c.provider.token(t, map[string]any{"iat": now.Add(-11 * time.Minute).Unix()}))
	wantCode(t, err, "ExpiredTokenException", "longer ago than 10m")
}

// A token that was used is refused at all callers but one who come with it at
// once.
func TestOneOfManyAtOnce(t *testing.T) {
	c := start(t, func(config string) string {
		return strings.Replace(config, "client_id: gimme,", "client_id: gimme, single_use: true,", 1)
	})
	token := c.provider.token(t, nil)
	results := make(chan error)
	for range 20 {
		go func() { _, err := c.assume(roleEveryone, token); results <- err }()
	}
	good := 0
	for range 20 {
		if err := <-results; err == nil {
			good++
		} else {
			wantCode(t, err, "InvalidIdentityToken", "used already")
		}
	}
	if good != 1 {
		t.Errorf("%d sessions", good)
	}
}

// T30, a property: of any roles and any groups, a session is for the role that was
// asked for, and that role admits one of the groups.
func TestTheRoleIsOneThatAdmits(t *testing.T) {
	names := []string{"a", "b", "ab", "a b", "A", "arn", "role-1", "*", "everyone"}
	pick := func(p float64) (list []string) {
		for _, n := range names {
			if rand.Float64() < p {
				list = append(list, n)
			}
		}
		return list
	}
	roles := map[string][]string{}
	var entries strings.Builder
	for i := range 12 {
		arn := fmt.Sprintf("arn:aws:iam::111122223333:role/role-%d", i)
		roles[arn] = append(pick(0.25), fmt.Sprintf("only-%d", i))
		fmt.Fprintf(&entries, "  - {arn: %q, groups: [\"%s\"]}\n", arn, strings.Join(roles[arn], `","`))
	}
	c := start(t, func(config string) string {
		return strings.Replace(config, "sessions: {", entries.String()+"sessions: {", 1)
	})
	given, refused := 0, 0
	for range 300 {
		groups := pick(0.2)
		arn := fmt.Sprintf("arn:aws:iam::111122223333:role/role-%d", rand.N(13)) // one of them is none
		admitted := slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(roles[arn], g) })
		keys, err := c.assume(arn, c.provider.token(t, map[string]any{"groups": append([]string{}, groups...)}))
		if (err == nil) != admitted {
			t.Fatalf("%q asked for %s, which is for %q: %v", groups, arn, roles[arn], err)
		}
		if err != nil {
			refused++
			wantCode(t, err, "AccessDenied", "")
			continue
		}
		given++
		who, err := c.sts(credentials.StaticCredentialsProvider{Value: keys}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if want := "assumed-role/" + arn[strings.LastIndex(arn, "/")+1:] + "/"; err != nil || !strings.Contains(*who.Arn, want) {
			t.Fatalf("the session is %+v, %v; want %s", who, err, want)
		}
	}
	if given < 20 || refused < 20 {
		t.Errorf("%d given, %d refused", given, refused)
	}
}
