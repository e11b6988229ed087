package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// oddPaths are paths that other signers and verifiers got wrong.
var oddPaths = []string{
	"/", "/b", "/b/", "/b//", "//b/k", "/b//k", "/b/./k", "/b/a/../k", "/b/..", "/b/.", "/b/../../k",
	"/b/a b", "/b/a  b", "/b/a+b", "/b/a%b", "/b/a%2Fb", "/b/a%252Fb", "/b/~!*'();:@&=$,?#[]", "/b/\\",
	"/b/?acl", "/b/(1)", "/b/k=v", "/b/\u00e9", "/b/e\u0301", "/b/\u65e5\u672c", "/b/\U0001F600",
	"/b/\x01\x1f\x7f", "/b/a\nb", "/b/\"<>^`{|}", "/b/ ", "/b/k ", "/b/%", "/b/" + strings.Repeat("k", 1024),
}

func sdkSigner() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

// A drawn request: what random tests sign.
type drawn struct {
	method, path, body, hash, token string
	params                          []sigv4.Param
	header                          http.Header
}

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

func draw(rnd *rand.Rand) drawn {
	d := drawn{
		method: pick(rnd, "GET", "HEAD", "PUT", "POST", "DELETE"),
		path:   pick(rnd, oddPaths...),
		token:  pick(rnd, "", "g1.AbC-_/+="),
		header: http.Header{},
	}
	if d.method == "PUT" || d.method == "POST" {
		d.body = pick(rnd, "", "x", "x\x00\r\n")
	}
	d.hash = sigv4.UnsignedPayload
	if rnd.IntN(2) == 0 {
		sum := sha256.Sum256([]byte(d.body))
		d.hash = hex.EncodeToString(sum[:])
	}
	all := map[string]string{
		"prefix": "a/b-c d+e", "delimiter": "/", "uploads": "", "a": "", "list-type": "2", "x-id": "ListObjects",
		"a-b": "~'*", "Z": "=&;#%", "\u00e9": "\U0001F600", "marker": "\n",
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if rnd.IntN(4) == 0 {
			d.params = append(d.params, sigv4.Param{Name: name, Value: all[name]})
		}
	}
	headers := map[string][]string{
		"X-Amz-Meta-A": {"  two   spaces  "}, "X-Amz-Meta-Unicode": {"\u00fcber"}, "Content-Type": {"text/plain; charset=utf-8"},
		"Range": {"bytes=0-1"}, "If-Match": {`"e"`}, "Accept": {"a", "b  c", "d"}, "X-Amz-Acl": {"private"}, "X-Amz-Meta-Empty": {""},
		"Content-Encoding": {"gzip"}, "Cache-Control": {"no-cache", "no-store"}, "Content-Md5": {sumOf("x-amz-checksum-md5", d.body)},
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if rnd.IntN(4) == 0 {
			d.header[name] = headers[name]
		}
	}
	return d
}

func (d drawn) request(t testing.TB) *http.Request {
	r := newRequest(t, d.method, d.path, d.params, d.body)
	r.Header = d.header.Clone()
	return r
}

func (d drawn) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: d.token}
}

// bySDK is the request as the SDK signs it.
func (d drawn) bySDK(t testing.TB) *http.Request {
	t.Helper()
	r := d.request(t)
	r.Header.Set("X-Amz-Content-Sha256", d.hash)
	if err := sdkSigner().SignHTTP(t.Context(), d.credentials(), r, d.hash, "s3", "eu-west-1", noon); err != nil {
		t.Fatal(err)
	}
	return r
}

// presigned is the request as the SDK presigns it.
func (d drawn) presigned(t testing.TB) *http.Request {
	t.Helper()
	return d.presignedOver(t, sigv4.UnsignedPayload)
}

// presignedOver signs hash as the payload's line.
func (d drawn) presignedOver(t testing.TB, hash string) *http.Request {
	t.Helper()
	r := d.request(t)
	r.Header = http.Header{}
	maps.Copy(r.Header, d.header) // of which the SDK moves some into the query
	q := r.URL.Query()
	q.Set("X-Amz-Expires", "900")
	r.URL.RawQuery = q.Encode()
	target, header, err := sdkSigner().PresignHTTP(t.Context(), d.credentials(), r, hash, "s3", "eu-west-1", noon)
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(target); err != nil {
		t.Fatal(err)
	}
	delete(header, "Host")
	r.Header = header
	return r
}

func TestRequestsSignedByTheSDKVerify(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 1500 {
		d := draw(rnd)
		for form, r := range map[string]*http.Request{"header": d.bySDK(t), "presigned": d.presigned(t)} {
			raw := sent(t, r)
			in := received(t, raw)
			v, err := verify(in, secretKey, noon.Add(time.Minute))
			if err != nil {
				t.Fatalf("%d %s: %v\n%s", i, form, err, raw)
			}
			if v.Path() != d.path || v.Method() != d.method || v.Host() != "s3.example:8700" {
				t.Fatalf("%d %s: %s %q on %s\n%s", i, form, v.Method(), v.Path(), v.Host(), raw)
			}
			want := slices.Clone(d.params)
			if diff := cmp.Diff(want, v.Query(), cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b sigv4.Param) bool { return a.Name < b.Name })); diff != "" {
				t.Fatalf("%d %s: query (-want +got):\n%s", i, form, diff)
			}
			if body, err := io.ReadAll(v.Body(in.Body)); err != nil || string(body) != d.body {
				t.Fatalf("%d %s: body %q, %v", i, form, body, err)
			}
			if v, err := verify(received(t, raw), secretKey+" ", noon); v != nil {
				t.Fatalf("%d %s: a wrong secret verifies", i, form)
			} else {
				wantCode(t, err, "SignatureDoesNotMatch")
			}
		}
	}
}

func TestSignEqualsTheSDK(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1500 {
		d := draw(rnd)
		theirs, ours := d.bySDK(t), d.request(t)
		ours.Header.Set("X-Amz-Security-Token", "left from before")
		sigv4.Sign(ours, sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: d.token}, "eu-west-1", "s3", d.hash, noon)
		if diff := cmp.Diff(theirs.Header, ours.Header); diff != "" {
			t.Fatalf("%q: header (-SDK +ours):\n%s", d.path, diff)
		}
	}
}

func TestSignForSTSVerifiesWithTheBody(t *testing.T) {
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	sum := sha256.Sum256([]byte(form))
	hash := hex.EncodeToString(sum[:])
	r := newRequest(t, "POST", "/", nil, form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := v4.NewSigner().SignHTTP(t.Context(), drawn{token: "tok"}.credentials(), r, hash, "sts", "us-east-1", noon); err != nil {
		t.Fatal(err)
	}
	raw := sent(t, r)
	s, err := sigv4.Parse(received(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	if s.Service != "sts" || !s.NeedsBody() || s.SessionToken != "tok" {
		t.Fatalf("Parse gave %+v", s)
	}
	v, err := s.VerifyBody(secretKey, []byte(form), noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := (sigv4.Payload{Mode: sigv4.Hashed, Digest: hash, Length: int64(len(form))}); v.Payload() != want {
		t.Errorf("payload %+v, want %+v", v.Payload(), want)
	}
	_, err = s.Verify(secretKey, noon)
	wantCode(t, err, "InvalidRequest")
	_, err = s.VerifyBody(secretKey+"x", []byte(form), noon)
	wantCode(t, err, "SignatureDoesNotMatch")
	_, err = s.VerifyBody(secretKey, []byte("Action=AssumeRole&Version=2011-06-15&x=yz"[:len(form)-2]), noon)
	wantCode(t, err, "SignatureDoesNotMatch")
}

// TestChangedRequestsDoNotVerify changes one byte, adds one header or doubles
// one parameter. Whatever then verifies must mean exactly what was signed.
func TestChangedRequestsDoNotVerify(t *testing.T) {
	const seed, changes = 5, 100_000
	rnd := rand.New(rand.NewPCG(seed, seed))
	var n tally
	for i := range changes / 25 {
		d := draw(rnd)
		r := d.bySDK(t)
		if i%3 == 0 {
			r = d.presigned(t)
		}
		n.change(t, rnd, sent(t, r), secretKey, 25)
	}
	n.check(t, seed, changes)
}

// change gives raw with one thing changed, and whether it must be refused
// whatever it means.
func change(rnd *rand.Rand, raw string) (string, bool) {
	line, rest, _ := strings.Cut(raw, "\r\n")
	switch method, target, _ := strings.Cut(line, " "); rnd.IntN(6) {
	case 0:
		name := pick(rnd, "x-amz-copy-source", "X-Amz-Acl", "x-amz-tagging", "X-Amz-Meta-New", "x-amz-mfa", "Transfer-Encoding", "X-AMZ-date", "Upgrade")
		return line + "\r\n" + name + ": /b/other\r\n" + rest, true
	case 1:
		target, proto, _ := strings.Cut(target, " ")
		path, query, ok := strings.Cut(target, "?")
		if !ok {
			return method + " " + path + "?versionId=1 " + proto + "\r\n" + rest, true
		}
		pairs := strings.Split(query, "&")
		return method + " " + path + "?" + query + "&" + pick(rnd, pairs...) + " " + proto + "\r\n" + rest, true
	case 2:
		b := []byte(line)
		b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		return string(b) + "\r\n" + rest, false
	case 3:
		i := rnd.IntN(len(line))
		return line[:i] + line[i+1:] + "\r\n" + rest, false
	}
	b := []byte(raw)
	b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
	return string(b), false
}

func TestEncodedLengthsAreSigned(t *testing.T) {
	d := drawn{method: "PUT", path: "/b/k", body: "hello", hash: sigv4.UnsignedPayload, header: http.Header{}}
	raw := sent(t, d.bySDK(t))
	if !strings.Contains(raw, "content-length;host") {
		t.Fatal("the SDK no longer signs the length:\n" + raw)
	}
	shorter := strings.Replace(raw, "Content-Length: 5", "Content-Length: "+strconv.Itoa(4), 1)
	_, err := verify(received(t, shorter), secretKey, noon)
	wantCode(t, err, "SignatureDoesNotMatch")
}
