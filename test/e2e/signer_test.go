package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// record makes TestSigners write the requests that pkg/sigv4 keeps:
//
//	go test -run TestSigners -record .
var record = flag.Bool("record", false, "write pkg/sigv4/testdata/captured anew")

// signerKeys are the keys of objects that signers are known to disagree on.
var signerKeys = []string{
	"plain", "a b", "a  b", "a+b", "a%2Fb", "a%b", "a//b", "/a", "a/", "./a", "a/../b", "..", "~!*'();:@&=$,?#[]",
	"\u00e9", "e\u0301", "\u65e5\u672c", "\U0001F600", "\\", "\"<>^`{|}", "k=v&x", "a/b c/d",
}

// The keys that the signers of recorded requests have, which are AWS's example.
const (
	signerID     = "AKIAIOSFODNN7EXAMPLE"
	signerSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	signerToken  = "FwoGZXIvYXdzE/+=token"
)

// captured is what pkg/sigv4 reads: requests as they came, and what is known of
// them.
type captured struct {
	Signer          string            `json:"signer"`
	SecretAccessKey string            `json:"secret_access_key"`
	Bucket          string            `json:"bucket"`
	Keys            []string          `json:"keys"`
	Requests        []capturedRequest `json:"requests"`
}

type capturedRequest struct {
	Head []string `json:"head"`
	Body string   `json:"body,omitempty"`
}

// TestSigners has SDKs of three languages sign requests of many kinds, over HTTP
// and TLS, and pkg/sigv4 verify them, whole and changed.
func TestSigners(t *testing.T) {
	folder := t.TempDir()
	if *record {
		folder = filepath.Join("..", "..", "pkg", "sigv4", "testdata", "captured")
	}
	t.Run("signers", func(t *testing.T) {
		for name, sign := range map[string]func(*testing.T, *tape) string{"botocore": signWithPython, "javascript": signWithNode, "go": signWithGo} {
			t.Run(name, func(t *testing.T) {
				f := captured{SecretAccessKey: signerSecret, Bucket: bucket, Keys: signerKeys}
				for _, secure := range []bool{false, true} {
					tape := newTape(t, secure)
					f.Signer = sign(t, tape)
					f.Requests = append(f.Requests, tape.requests()...)
				}
				if least := 3 * 2 * len(signerKeys); len(f.Requests) < least {
					t.Fatalf("%d requests came, not %d", len(f.Requests), least)
				}
				data, err := json.MarshalIndent(f, "", " ")
				if err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(folder, name+".json"), string(data)+"\n")
			})
		}
	})
	verifier := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "^TestCaptured", "./pkg/sigv4")
	absolute, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	verifier.Dir, verifier.Env = filepath.Join("..", ".."), append(os.Environ(), "GIMME_CAPTURED="+absolute)
	out, err := verifier.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestCapturedRequestsVerify")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// A tape is a server that keeps what comes as it comes, and answers with as
// little as SDKs understand.
type tape struct {
	t         *testing.T
	endpoint  string
	authority string // path of a PEM file; "" without TLS

	mu  sync.Mutex
	raw []string
}

func newTape(t *testing.T, secure bool) *tape {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tape{t: t, endpoint: "http://" + l.Addr().String()}
	if secure {
		made := newCertificate(t, []string{"localhost"}, net.IPv4(127, 0, 0, 1))
		pair, err := tls.X509KeyPair([]byte(made.chain), []byte(made.key))
		if err != nil {
			t.Fatal(err)
		}
		p.endpoint, p.authority = "https://"+l.Addr().String(), filepath.Join(t.TempDir(), "authority.pem")
		writeFile(t, p.authority, made.authority)
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return p
}

// serve answers one request and hangs up.
func (p *tape) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var raw bytes.Buffer
	r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(c, &raw)))
	if err != nil {
		return
	}
	if r.Header.Get("Expect") != "" {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	p.keep(raw.String())
	body := ""
	switch q := r.URL.Query(); {
	case q.Has("list-type"):
		body = "<ListBucketResult/>"
	case q.Has("delete"):
		body = "<DeleteResult/>"
	case q.Has("uploads"):
		body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
	case r.Header.Get("X-Amz-Copy-Source") != "":
		body = `<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>`
	}
	if r.Method == http.MethodHead {
		body = ""
	}
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"e\"\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func (p *tape) keep(raw string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.raw = append(p.raw, raw)
}

func (p *tape) requests() []capturedRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []capturedRequest
	for _, raw := range p.raw {
		head, body, _ := strings.Cut(raw, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		for i, line := range lines { // which says on what machine, and is not signed
			if strings.HasPrefix(strings.ToLower(line), "user-agent:") {
				lines[i], _, _ = strings.Cut(line, " ua/")
			}
		}
		all = append(all, capturedRequest{lines, body})
	}
	return all
}

// A presignedRequest is one that a signer printed.
type presignedRequest struct {
	Method, URL string
	Headers     map[string]string
}

// keepPresigned keeps a presigned request as a client sends it that does not
// change the URL.
func (p *tape) keepPresigned(r presignedRequest) {
	p.t.Helper()
	u, err := url.Parse(r.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	_, target, _ := strings.Cut(strings.TrimPrefix(r.URL, u.Scheme+"://"), "/")
	body := ""
	if r.Method == http.MethodPut {
		body = "hello"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s /%s HTTP/1.1\r\nHost: %s\r\n", r.Method, target, u.Host)
	for name, value := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	p.keep(b.String() + "\r\n" + body)
}

// sign runs a program that signs, and gives its name and version.
func (p *tape) sign(path string, args []string, settings ...string) string {
	p.t.Helper()
	args = append(args, p.endpoint, bucket)
	env := environment(p.t.TempDir(), append(settings, "AWS_ACCESS_KEY_ID="+signerID, "AWS_SECRET_ACCESS_KEY="+signerSecret)...)
	if p.authority != "" {
		env = append(env, "AWS_CA_BUNDLE="+p.authority, "NODE_EXTRA_CA_CERTS="+p.authority, "AWS_SESSION_TOKEN="+signerToken)
	}
	got := finish(p.t, command{path: path, args: append(args, signerKeys...), env: env}).must(p.t)
	var told struct {
		Signer    string
		Presigned []presignedRequest
	}
	if err := json.Unmarshal([]byte(got.out), &told); err != nil {
		p.t.Fatalf("%v: %s%s", err, got.out, got.err)
	}
	for _, r := range told.Presigned {
		p.keepPresigned(r)
	}
	p.t.Logf("%s: %d presigned\n%s", told.Signer, len(told.Presigned), got.err)
	return told.Signer
}

func signWithPython(t *testing.T, p *tape) string {
	python := need(t, boto3)
	script, err := filepath.Abs(filepath.Join("python", "signer.py"))
	if err != nil {
		t.Fatal(err)
	}
	return p.sign(python, []string{script})
}

func signWithNode(t *testing.T, p *tape) string {
	return p.sign("node", []string{filepath.Join(need(t, nodeParts), "signer.mjs")})
}

func signWithGo(t *testing.T, p *tape) string {
	token := ""
	client := &http.Client{Timeout: patience}
	if p.authority != "" {
		token = signerToken
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	c := s3.New(s3.Options{
		BaseEndpoint: aws.String(p.endpoint), Region: "eu-west-1", UsePathStyle: true, RetryMaxAttempts: 1, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(signerID, signerSecret, token),
	})
	presigner, ctx, name := s3.NewPresignClient(c), t.Context(), aws.String(bucket)
	// What they are answered does not matter, and some of it no SDK understands.
	put := func(in s3.PutObjectInput) {
		in.Bucket, in.Body = name, strings.NewReader("hello")
		_, _ = c.PutObject(ctx, &in)
	}
	for _, key := range signerKeys {
		put(s3.PutObjectInput{Key: &key})
		if got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: &key, Range: aws.String("bytes=0-1")}); err == nil {
			got.Body.Close()
		}
		r, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: &key, VersionId: aws.String("v.1_~"), ResponseContentType: aws.String("a/b; c=d")})
		if err != nil {
			t.Fatal(err)
		}
		p.keepPresigned(presignedRequest{Method: r.Method, URL: r.URL})
	}
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		put(s3.PutObjectInput{Key: aws.String("plain"), ChecksumAlgorithm: algorithm})
		_, _ = c.UploadPart(ctx, &s3.UploadPartInput{Bucket: name, Key: aws.String("plain"), Body: strings.NewReader("hello, part"), PartNumber: aws.Int32(3), UploadId: aws.String("u+/=~"), ChecksumAlgorithm: algorithm})
	}
	put(s3.PutObjectInput{Key: aws.String("plain"), ContentType: aws.String("text/plain; charset=utf-8"), ACL: types.ObjectCannedACLPrivate, CacheControl: aws.String("no-cache"),
		ContentEncoding: aws.String("gzip"), Tagging: aws.String("a=b&c=d%20e"), IfNoneMatch: aws.String("*"), Metadata: map[string]string{"spaces": "two  of  them", "tab": "a\tb", "empty": ""}})
	_, _ = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: name, Key: aws.String("plain"), CopySource: aws.String(url.PathEscape(bucket + "/a b"))})
	_, _ = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: name, Prefix: aws.String("a b/+~"), Delimiter: aws.String("/"), StartAfter: aws.String("\u00e9")})
	_, _ = c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: name, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("b")}}}})
	r, err := presigner.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("plain"), ACL: types.ObjectCannedACLPrivate, Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for name, lines := range r.SignedHeader {
		if !slices.Contains([]string{"Host", "Content-Length"}, name) {
			headers[name] = lines[0]
		}
	}
	p.keepPresigned(presignedRequest{r.Method, r.URL, headers})
	return "aws-sdk-go-v2"
}

// TestChecksumsOfTheUpstream sends the vectors of pkg/checksum to a server that
// computes all ten sums.
func TestChecksumsOfTheUpstream(t *testing.T) {
	var vectors []struct {
		Length int
		Sums   map[string]string
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join("..", "..", "pkg", "checksum", "testdata", "sums.json"))), &vectors); err != nil {
		t.Fatal(err)
	}
	u := startUpstream(t)
	status := func(body []byte, header, sum string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, u.endpoint+"/"+bucket+"/sums", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(header, sum)
		response, err := http.DefaultClient.Do(sign(t, r, aws.Credentials{AccessKeyID: upstreamKey, SecretAccessKey: upstreamSecret}, string(body)))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for _, vec := range vectors {
		body := make([]byte, vec.Length)
		for i := range body {
			body[i] = byte((7*i + 3) % 251)
		}
		for header, sum := range vec.Sums {
			if got := status(body, header, sum); got != http.StatusOK {
				t.Errorf("%s of %d bytes: %d", header, vec.Length, got)
			}
			if got := status(append(body, 'x'), header, sum); got != http.StatusBadRequest {
				t.Errorf("%s of another body: %d", header, got)
			}
		}
	}
}
