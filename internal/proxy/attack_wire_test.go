package proxy_test

import (
	"bufio"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A message is an HTTP request as its bytes stand on the wire. Nothing tidies
// it up on the way.
type message struct {
	method, target string
	lines          []string // of the header, without their ends
	body           string
}

func (m message) String() string {
	return m.method + " " + m.target + " HTTP/1.1\r\n" + strings.Join(m.lines, "\r\n") + "\r\n\r\n" + m.body
}

// with returns m with further header lines, which no signature covers.
func (m message) with(lines ...string) message {
	m.lines = slices.Concat(m.lines, lines)
	return m
}

// line returns the value of the first header line of that name.
func (m message) line(name string) (string, bool) {
	for _, l := range m.lines {
		n, v, _ := strings.Cut(l, ":")
		if strings.EqualFold(n, name) {
			return strings.Trim(v, " \t"), true
		}
	}
	return "", false
}

// framed returns m with Host and Content-Length, unless it has its own.
func (m message) framed(host string) message {
	if _, ok := m.line("Host"); !ok {
		m.lines = slices.Concat([]string{"Host: " + host}, m.lines)
	}
	_, length := m.line("Content-Length")
	_, coding := m.line("Transfer-Encoding")
	if !length && !coding && m.body != "" {
		m = m.with(fmt.Sprintf("Content-Length: %d", len(m.body)))
	}
	return m
}

// A seal says how a message is signed. Its zero value but for keys is as any
// SDK does it. It is written from the documentation of Signature Version 4, and
// shares no code with what it attacks.
type seal struct {
	keys    aws.Credentials
	at      time.Time
	region  string
	service string
	day     string   // of the scope
	payload string   // what is signed for the body
	leave   []string // headers that are not signed
	names   string   // what SignedHeaders says instead of the truth
	id      string   // the access key id, if not that of keys
	// of presigned ones
	expires string
	edit    func(params url.Values) // before signing
}

const amzTime = "20060102T150405Z"

func (s seal) defaults(m message) seal {
	if s.at.IsZero() {
		s.at = time.Now()
	}
	s.at = s.at.UTC()
	s.region, s.service = cmp.Or(s.region, region), cmp.Or(s.service, "s3")
	s.day = cmp.Or(s.day, s.at.Format("20060102"))
	s.id = cmp.Or(s.id, s.keys.AccessKeyID)
	if have, ok := m.line("x-amz-content-sha256"); ok {
		s.payload = cmp.Or(s.payload, have)
	}
	s.payload = cmp.Or(s.payload, sha(m.body))
	s.expires = cmp.Or(s.expires, "900")
	return s
}

func (s seal) scope() string { return s.day + "/" + s.region + "/" + s.service + "/aws4_request" }

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// key is the signing key.
func (s seal) key() []byte {
	key := []byte("AWS4" + s.keys.SecretAccessKey)
	for _, part := range []string{s.day, s.region, s.service, "aws4_request"} {
		key = hmacOf(key, part)
	}
	return key
}

// sign returns m with an Authorization header over all its lines.
func (m message) sign(s seal) message {
	s = s.defaults(m)
	if _, ok := m.line("x-amz-content-sha256"); !ok && s.service == "s3" {
		m = m.with("x-amz-content-sha256: " + s.payload)
	}
	m = m.with("x-amz-date: " + s.at.Format(amzTime))
	if s.keys.SessionToken != "" {
		m = m.with("x-amz-security-token: " + s.keys.SessionToken)
	}
	headers, names := m.canonicalHeaders(s.leave)
	path, query, _ := strings.Cut(m.target, "?")
	names = cmp.Or(s.names, names)
	signature := s.signature(m.method, path, query, headers, names)
	return m.with("Authorization: AWS4-HMAC-SHA256 Credential=" + s.id + "/" + s.scope() + ",SignedHeaders=" + names + ",Signature=" + signature)
}

// presign returns m with the signature in its query.
func (m message) presign(s seal) message {
	s = s.defaults(m)
	if s.payload == sha(m.body) {
		s.payload = "UNSIGNED-PAYLOAD"
	}
	headers, names := m.canonicalHeaders(s.leave)
	names = cmp.Or(s.names, names)
	params := url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Credential": {s.id + "/" + s.scope()}, "X-Amz-Date": {s.at.Format(amzTime)},
		"X-Amz-Expires": {s.expires}, "X-Amz-SignedHeaders": {names},
	}
	if s.keys.SessionToken != "" {
		params.Set("X-Amz-Security-Token", s.keys.SessionToken)
	}
	if s.edit != nil {
		s.edit(params)
	}
	path, query, some := strings.Cut(m.target, "?")
	if some {
		query += "&"
	}
	query += strings.ReplaceAll(params.Encode(), "+", "%20")
	signature := s.signature(m.method, path, query, headers, names)
	m.target = path + "?" + query + "&X-Amz-Signature=" + signature
	return m
}

// canonicalHeaders gives the lines that are signed as they are signed, and
// their names.
func (m message) canonicalHeaders(leave []string) (headers, names string) {
	values := map[string][]string{}
	for _, l := range m.lines {
		name, value, _ := strings.Cut(l, ":")
		name = strings.ToLower(name)
		switch name {
		case "authorization", "connection", "content-length", "expect", "transfer-encoding", "user-agent", "upgrade", "te", "trailer":
			continue
		}
		if !slices.ContainsFunc(leave, func(n string) bool { return strings.EqualFold(n, name) }) {
			values[name] = append(values[name], strings.Join(strings.Fields(value), " "))
		}
	}
	var list []string
	for name := range values {
		list = append(list, name)
	}
	slices.Sort(list)
	for _, name := range list {
		headers += name + ":" + strings.Join(values[name], ",") + "\n"
	}
	return headers, strings.Join(list, ";")
}

// signature signs for a target whose escapes are taken as S3 takes them.
func (s seal) signature(method, path, query, headers, names string) string {
	canonical := method + "\n" + reescape(path, "/") + "\n" + canonicalQuery(query) + "\n" + headers + "\n" + names + "\n" + s.payload
	text := "AWS4-HMAC-SHA256\n" + s.at.Format(amzTime) + "\n" + s.scope() + "\n" + sha(canonical)
	return hex.EncodeToString(hmacOf(s.key(), text))
}

func canonicalQuery(query string) string {
	var pairs [][2]string
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, [2]string{reescape(name, ""), reescape(value, "")})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString("&" + p[0] + "=" + p[1])
	}
	return strings.TrimPrefix(b.String(), "&")
}

// reescape decodes s once and encodes it anew; what is no escape stays.
func reescape(s, keep string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if raw, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				c = raw[0]
				i += 2
			}
		}
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// A reply is an answer as it arrived.
type reply struct {
	status  int
	header  http.Header
	body    string
	code    string // of an error document
	message string
	id      string
}

// exchangeRaw sends bytes, and returns all that is answered until the other
// side closes. cut ends our side at once; otherwise it ends after the first
// answer, so that what is left of raw is served if it is going to be.
func exchangeRaw(t testing.TB, address string, roots *x509.CertPool, raw string, cut bool) []reply {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	plain := conn
	if roots != nil {
		conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	}
	defer plain.Close()
	plain.SetDeadline(time.Now().Add(20 * time.Second))
	written := make(chan struct{})
	go func() {
		defer close(written)
		io.WriteString(conn, raw) // the other side may have heard enough before the end
		if cut {
			closeWrite(conn)
		}
	}()
	defer func() { <-written }()
	defer plain.Close()
	method, _, _ := strings.Cut(raw, " ")
	var replies []reply
	reader := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && len(replies) == 0 {
				t.Errorf("no answer: %v", err)
			}
			return replies
		}
		if response.StatusCode == http.StatusContinue {
			replies = append(replies, reply{status: 100})
			continue
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			body = append(body, "(cut)"...)
		}
		replies = append(replies, readReply(response, string(body)))
		method = "GET"
		if response.Close {
			return replies
		}
		closeWrite(conn)
	}
}

func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the other side may be gone
	}
}

func readReply(response *http.Response, body string) reply {
	r := reply{status: response.StatusCode, header: response.Header, body: body}
	var document struct {
		XMLName   xml.Name
		Code      string
		Message   string
		RequestID string                         `xml:"RequestId"`
		STS       struct{ Code, Message string } `xml:"Error"`
	}
	if xml.Unmarshal([]byte(body), &document) != nil {
		return r
	}
	switch document.XMLName.Local {
	case "Error":
		r.code, r.message, r.id = document.Code, document.Message, document.RequestID
	case "ErrorResponse":
		r.code, r.message, r.id = document.STS.Code, document.STS.Message, document.RequestID
	}
	return r
}
