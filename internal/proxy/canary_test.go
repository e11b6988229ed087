package proxy_test

import (
	"crypto/md5"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// Where docs/audit.md records what is asked for.
var (
	keyFields   = []string{"request.key", "request.keys", "request.source", "request.targets.path", "error", "reasons.text", "reasons.need"}
	queryFields = map[string][]string{
		"versionId": {"request.version_id"},
		"prefix":    {"request.targets.path", "error", "reasons.text"}, // is what a listing asks for
	}
)

// quoted is what a refusal quotes that was not understood. None of it is a secret
// where it belongs, and nothing else is quoted.
var quoted = map[string][]string{
	"X-Amz-Server-Side-Encryption": {"facts.upload.encryption"}, "X-Amz-Sdk-Checksum-Algorithm": {"error"}, "X-Amz-Tagging-Directive": {"error"},
	"X-Amz-Copy-Source":    {"error", "request.source", "request.targets.path", "reasons.text"},
	"X-Amz-Content-Sha256": {"error"}, "partNumber": {"error"}, "encoding-type": {"error"}, "Host": {"error"},
	"Action": {"error"}, "aud": {"error"}, "iss": {"error"}, "azp": {"error"},
}

// canaryHeaders are headers with secrets, and others that a program could put
// one into. The value is what stands around the canary.
var canaryHeaders = []struct{ name, before, after string }{
	{"Authorization", "Bearer ", ""}, {"Authorization", "Basic ", ""}, {"Authorization", "AWS4-HMAC-SHA256 Credential=", "/20260302/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"},
	{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20260302/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=", ""},
	{"Proxy-Authorization", "Basic ", ""}, {"Cookie", "session=", ""}, {"X-Amz-Security-Token", "", ""}, {"X-Amz-Security-Token", "g1.", ""},
	{"X-Amz-Meta-Note", "", ""}, {"X-Amz-Tagging", "project=", ""}, {"X-Amz-Tagging", "", "=x"}, {"X-Amz-Tagging", "%zz", ""}, {"X-Amz-Tagging", "a=1&a=", ""}, {"X-Amz-Tagging", "a=1;b=", ""}, {"X-Amz-Tagging-Directive", "", ""}, {"X-Amz-Copy-Source", "lake/%zz", ""}, {"X-Amz-Copy-Source", "lake/customers/", ""},
	{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "", ""}, {"X-Amz-Server-Side-Encryption-Customer-Key", "", ""}, {"X-Amz-Server-Side-Encryption-Customer-Key-Md5", "", ""},
	{"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", "", ""}, {"X-Amz-Server-Side-Encryption-Context", "", ""}, {"X-Amz-Server-Side-Encryption", "", ""},
	{"X-Amz-Acl", "", ""}, {"X-Amz-Grant-Read", "id=", ""}, {"X-Amz-Website-Redirect-Location", "/", ""}, {"X-Amz-Storage-Class", "", ""}, {"X-Amz-Mfa", "serial ", ""},
	{"X-Amz-Expected-Bucket-Owner", "", ""}, {"X-Amz-Object-Lock-Mode", "", ""}, {"X-Amz-Request-Payer", "", ""}, {"X-Amz-Nobody-Knows", "", ""}, {"X-Amz-Date", "", ""}, {"X-Amz-Content-Sha256", "", ""},
	{"X-Amz-Checksum-Crc32", "", ""}, {"X-Amz-Sdk-Checksum-Algorithm", "", ""}, {"X-Amz-Trailer", "", ""}, {"Content-Md5", "", ""}, {"Content-Type", "text/", ""}, {"Content-Encoding", "", ""},
	{"Content-Disposition", "attachment; filename=", ""}, {"Content-Language", "", ""}, {"Cache-Control", "private=", ""}, {"Expires", "", ""}, {"If-Match", "\"", "\""}, {"If-None-Match", "", ""}, {"If-Modified-Since", "", ""},
	{"Range", "bytes=", ""}, {"Expect", "", ""}, {"Origin", "https://", ".example"}, {"Referer", "https://example/?", ""}, {"X-Forwarded-For", "", ""}, {"X-Forwarded-Host", "", ""}, {"Forwarded", "for=", ""},
	{"X-Api-Key", "", ""}, {"Traceparent", "00-", "-01"}, {"Date", "", ""}, {"Te", "", ""}, {"Accept", "text/", ""}, {"Amz-Sdk-Invocation-Id", "", ""}, {"X-Amzn-Trace-Id", "", ""},
}

// canaryParameters likewise stand in the query.
var canaryParameters = []string{
	"X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "Signature", "AWSAccessKeyId", "Expires",
	"response-content-disposition", "response-content-type", "uploadId", "partNumber", "continuation-token", "marker", "key-marker", "start-after", "delimiter", "encoding-type",
	"max-keys", "list-type", "x-id", "token", "access_token", "WebIdentityToken", "nobody-knows", "versionId", "prefix", "tagging", "acl", "policy", "select", "attributes", "uploads",
}

// An outcome is what becomes of a request.
type canaryOutcome struct {
	name   string
	path   string
	person map[string]any
	secret string // instead of the right one
	answer func(w http.ResponseWriter, r *http.Request) bool
}

// echo makes an upstream tell all that it was sent, in the elements that errors
// of S3 have for it.
func echo(status int, code, message string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		var all strings.Builder
		all.WriteString(r.RequestURI + "\n")
		_ = r.Header.Write(&all)
		body, _ := io.ReadAll(r.Body)
		all.Write(body)
		said := url.QueryEscape(all.String())
		w.Header().Set("X-Amz-Id-2", "host")
		w.WriteHeader(status)
		io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+message+"</Message><ArgumentName>x</ArgumentName><ArgumentValue>"+said+"</ArgumentValue><AWSAccessKeyId>"+said+
			"</AWSAccessKeyId><StringToSign>"+said+"</StringToSign><CanonicalRequest>"+said+"</CanonicalRequest><Resource>"+said+"</Resource></Error>")
		return true
	}
}

func canaryOutcomes() []canaryOutcome {
	cut := func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	garbage := func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		_ = r.Header.Write(w)
		return true
	}
	return []canaryOutcome{
		{name: "allowed", path: "/lake/public/o.txt"},
		{name: "blocked", path: "/lake/customers/o.txt", person: bob},
		{name: "blocked bucket", path: "/unlabelled-bucket/o.txt"},
		{name: "malformed", path: "/lake/public/%ff%fe"},
		{name: "dots", path: "/lake/%2e%2e/public/o.txt"},
		{name: "bucket", path: "/lake"},
		{name: "forged", path: "/lake/public/o.txt", secret: "wrong"},
		{name: "refused upstream", path: "/lake/public/o.txt", answer: echo(400, "InvalidArgument", "Invalid argument.")},
		{name: "our signature refused", path: "/lake/public/o.txt", answer: echo(403, "SignatureDoesNotMatch", "The signature does not match.")},
		{name: "failing upstream", path: "/lake/public/o.txt", answer: garbage},
		{name: "cut upstream", path: "/lake/public/o.txt", answer: cut},
	}
}

// request makes a signed request, with what edit adds before the signature or
// after it.
func (a *aviary) request(o canaryOutcome, keys aws.Credentials, method, query, body string, signFirst bool, edit func(*http.Request)) {
	a.t.Helper()
	target := a.URL() + o.path
	if method != "GET" { // what is stored is nobody's to find in what comes out, and still what others read
		target = strings.Replace(target, "/o.txt", "/put.txt", 1)
	}
	if query != "" {
		target += "?" + query
	}
	r := must(http.NewRequestWithContext(a.t.Context(), method, target, strings.NewReader(body)))
	r.Header.Set("User-Agent", "aws-cli/2.36.7")
	if o.secret != "" {
		keys.SecretAccessKey = o.secret
	}
	sign := func() {
		sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, region, "s3", sigv4.UnsignedPayload, time.Now())
	}
	if signFirst {
		sign()
	}
	if edit != nil {
		edit(r)
	}
	if !signFirst {
		sign()
	}
	a.send(r)
}

// Nothing secret comes out, wherever somebody puts it and whatever becomes of
// the request. The log is at its most talkative level, so it has what the others
// have.
func TestCanaries(t *testing.T) {
	h := newHook(t)
	a := newAviary(t, h)
	a.put("lake", "public/o.txt", "hello")
	keys := map[bool]aws.Credentials{false: a.login(nil), true: a.login(bob)}
	for _, o := range canaryOutcomes() {
		a.store.answerWith(o.answer)
		who := keys[o.person != nil]
		for _, signFirst := range []bool{false, true} {
			for _, method := range []string{"GET", "PUT"} {
				for _, h := range canaryHeaders {
					a.request(o, who, method, "", "", signFirst, func(r *http.Request) {
						r.Header.Set(h.name, h.before+a.canary("header "+h.name+", "+method+", "+o.name, quoted[h.name]...)+h.after)
					})
				}
				for _, p := range canaryParameters {
					a.request(o, who, method, p+"="+a.canary("parameter "+p+", "+method+", "+o.name, slices.Concat(queryFields[p], quoted[p])...), "", signFirst, nil)
				}
			}
			a.bodies(o, who, signFirst)
		}
		a.encrypted(o, who)
		a.request(o, who, "PUT", a.canary("name of a parameter, "+o.name), "", false, nil)
		a.request(o, who, a.canary("method, "+o.name, "request.method", "error"), "", "", false, nil)
		a.request(o, who, "GET", "", "", false, func(r *http.Request) { r.Host = a.canary("host, "+o.name, quoted["Host"]...) + ".example" })
		a.request(o, who, "GET", "", "", false, func(r *http.Request) {
			r.Header.Set("User-Agent", a.canary("user agent, "+o.name, "client.user_agent"))
		})
		key := o
		key.path += a.canary("key, "+o.name, append(slices.Clone(keyFields), "request.bucket")...)
		a.request(key, who, "GET", "", "", false, nil)
	}
	a.store.answerWith(nil)
	a.presigned(keys[false])
	a.forms()
	a.wires()
	a.monitored()
	if err := a.stop(); err != nil { // all events are written
		t.Fatal(err)
	}
	a.hunt()
	secrets := append(a.tokens, alertKey, upstreamSecret, keys[false].SecretAccessKey, keys[false].SessionToken, keys[true].SecretAccessKey, keys[true].SessionToken)
	for where, text := range map[string]string{"log": a.log.String(), "events": a.rawEvents()} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%.8s… is in the %s", secret, where)
			}
		}
		for _, s := range anySignature.FindAllString(text, -1) {
			if a.signed[s] {
				t.Errorf("a signature is in the %s: %s", where, s)
			}
		}
	}
	if got := h.alerts(); len(got) == 0 {
		t.Error("there was no alert")
	} else {
		for _, alerted := range got {
			for _, c := range a.canaries(alerted.body) {
				t.Errorf("the canary of %s is in an alert: %s", a.places[c], alerted.body)
			}
		}
	}
	for _, status := range []int{200, 400, 403} {
		if a.statuses[status] < 50 {
			t.Errorf("only %d answers have status %d: %v", a.statuses[status], status, a.statuses)
		}
	}
}

// monitored looks for canaries in what the admin listener serves. There not even
// keys and names may be.
func (a *aviary) monitored() {
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/" + a.canary("a path of the admin listener")} {
		response := must(http.Get(a.AdminURL() + path))
		text := string(must(io.ReadAll(response.Body)))
		response.Body.Close()
		if path == "/metrics" && !strings.Contains(text, "gimme_audit_events_total") {
			a.t.Errorf("these are no metrics: %.200s", text)
		}
		for _, c := range a.canaries(text) {
			a.t.Errorf("the canary of %s is in %s", a.places[c], path)
		}
		for _, name := range []string{"alice", "bob@example.com", "public/o.txt"} {
			if strings.Contains(text, name) {
				a.t.Errorf("%s is in %s", name, path)
			}
		}
	}
}

// bodies puts canaries into what requests bring.
func (a *aviary) bodies(o canaryOutcome, keys aws.Credentials, signFirst bool) {
	for _, b := range []struct{ method, query, before, after string }{
		{"PUT", "", "", ""},
		{"PUT", "tagging", "<Tagging><TagSet><Tag><Key>project</Key><Value>", "</Value></Tag></TagSet></Tagging>"},
		{"PUT", "tagging", "<Tagging><TagSet><Tag><Key>", "</Key><Value>x</Value></Tag></TagSet></Tagging>"},
		{"PUT", "tagging", "<Tagging><TagSet><", "</TagSet></Tagging>"},
		{"PUT", "tagging", "<Tagging><TagSet><Tag><Key/><Value>", "</Value></Tag></TagSet></Tagging>"},
		{"PUT", "tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>a</Key><Value>", "</Value></Tag></TagSet></Tagging>"},
		{"PUT", "policy", `{"Statement":"`, `"}`},
		{"PUT", "acl", "<AccessControlPolicy><Owner><ID>", "</ID></Owner></AccessControlPolicy>"},
		{"POST", "delete", "<Delete><Object><Nobody>", "</Nobody></Object></Delete>"},
		{"POST", "uploadId=x", "<CompleteMultipartUpload><Part><ETag>", "</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"},
		{"POST", "", "--x\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\n", "\r\n--x--"},
		{"GET", "", "", ""},
	} {
		body := b.before + a.canary("body of "+b.method+" "+b.query+", "+o.name) + b.after
		a.request(o, keys, b.method, b.query, body, signFirst, nil)
		a.request(o, keys, b.method, b.query, body, signFirst, func(r *http.Request) { // chunks, with a signature that is none
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
			r.Header.Set("X-Amz-Decoded-Content-Length", "3")
			r.Header.Set("Content-Encoding", "aws-chunked")
		})
	}
}

// encrypted sends whole keys to encrypt an object with, and to read one.
func (a *aviary) encrypted(o canaryOutcome, keys aws.Credentials) {
	for _, row := range []struct{ method, prefix, source string }{
		{"PUT", "X-Amz-", ""}, {"GET", "X-Amz-", ""}, {"PUT", "X-Amz-Copy-Source-", "lake/public/o.txt"},
	} {
		a.request(o, keys, row.method, "", "", false, func(r *http.Request) {
			key := []byte(a.canary("SSE-C key, "+row.method+" "+row.source+", "+o.name) + "0000") // 32 bytes
			sum := md5.Sum(key)
			r.Header.Set(row.prefix+"Server-Side-Encryption-Customer-Algorithm", "AES256")
			r.Header.Set(row.prefix+"Server-Side-Encryption-Customer-Key", base64.StdEncoding.EncodeToString(key))
			r.Header.Set(row.prefix+"Server-Side-Encryption-Customer-Key-Md5", base64.StdEncoding.EncodeToString(sum[:]))
			if row.source != "" {
				r.Header.Set("X-Amz-Copy-Source", row.source)
			}
		})
	}
}

// presigned asks by a URL that is good, and by one whose signature is a canary.
func (a *aviary) presigned(keys aws.Credentials) {
	good := must(url.Parse(presigned(a.t, a.s3(keys))))
	a.send(must(http.NewRequestWithContext(a.t.Context(), "GET", good.String(), nil)))
	for _, name := range []string{"X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential"} {
		v := good.Query()
		v.Set(name, a.canary("presigned "+name))
		good.RawQuery = v.Encode()
		a.send(must(http.NewRequestWithContext(a.t.Context(), "GET", good.String(), nil)))
	}
}

// forms puts canaries into what the STS endpoint, and that for logouts, is sent.
func (a *aviary) forms() {
	post := func(target string, v url.Values, within ...string) {
		r := must(http.NewRequestWithContext(a.t.Context(), "POST", a.URL()+target, strings.NewReader(v.Encode())))
		r.Header.Set("Content-Type", formType)
		a.send(r, within...)
		r = must(http.NewRequestWithContext(a.t.Context(), "GET", a.URL()+target+"?"+v.Encode(), nil))
		a.send(r, within...)
	}
	for _, name := range []string{
		"WebIdentityToken", "RoleArn", "RoleSessionName", "Policy", "PolicyArns.member.1.arn", "ProviderId", "DurationSeconds", "Action", "Version", "SessionToken", "Signature",
		"X-Amz-Signature", "X-Amz-Security-Token", "TokenCode", "SerialNumber", "Nobody", "SAMLAssertion",
	} {
		post("/", a.parameters(name, a.canary("form field "+name, quoted[name]...)))
		refused := a.parameters("WebIdentityToken", a.token(map[string]any{"aud": "another"}))
		refused.Set(name, a.canary("form field "+name+", refused", quoted[name]...))
		post("/", refused)
		post("/", url.Values{name: {a.canary("form field "+name+", alone", quoted[name]...)}})
	}
	for _, claim := range []string{"nonce", "at_hash", "sid", "jti", "secret", "acr", "aud", "iss", "azp", "exp", "iat", "auth_time"} {
		c := a.canary("claim "+claim, quoted[claim]...)
		post("/", a.parameters("WebIdentityToken", a.token(map[string]any{claim: c})), c)
	}
	post("/.well-known/gimme/backchannel-logout", url.Values{"logout_token": {a.canary("logout token")}})
	c := a.canary("claim of a logout token")
	post("/.well-known/gimme/backchannel-logout", url.Values{"logout_token": {a.token(map[string]any{"secret": c})}}, c)
}

// token is an ID token, of which no part must be found.
func (a *aviary) token(claims map[string]any) string {
	token := a.provider.token(a.t, claims)
	a.tokens = append(a.tokens, strings.Split(token, ".")[1:]...)
	return token
}

// wires puts canaries into what is not HTTP as it can be read.
func (a *aviary) wires() {
	for place, row := range map[string][2]string{
		"a line that is none":     {"", " \r\n\r\n"},
		"a version that is none":  {"GET /lake/x HTTP/", "\r\n\r\n"},
		"a header without colon":  {"GET /lake/x HTTP/1.1\r\nHost: x\r\nAuthorization ", "\r\n\r\n"},
		"a header with a control": {"GET /lake/x HTTP/1.1\r\nHost: x\r\nAuthorization: \x01", "\r\n\r\n"},
		"a length that is none":   {"PUT /lake/x HTTP/1.1\r\nHost: x\r\nContent-Length: ", "\r\n\r\n"},
		"an encoding":             {"PUT /lake/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ", "\r\n\r\n"},
		"an expectation":          {"PUT /lake/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: ", "\r\n\r\n"},
		"a chunk":                 {"PUT /lake/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n"},
		"a head that is long":     {"GET /lake/x HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("x", 70<<10), "\r\n\r\n"},
		"two hosts":               {"GET /lake/x HTTP/1.1\r\nHost: x\r\nHost: ", "\r\n\r\n"},
		"an URL with a password":  {"GET http://user:", "@x/lake/x HTTP/1.1\r\nHost: x\r\n\r\n"},
		"a fragment":              {"GET /lake/x#", " HTTP/1.1\r\nHost: x\r\n\r\n"},
		"CONNECT":                 {"CONNECT ", ":443 HTTP/1.1\r\nHost: x\r\n\r\n"},
	} {
		conn := a.dial()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, row[0]+a.canary("the wire: "+place)+row[1])
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
}
