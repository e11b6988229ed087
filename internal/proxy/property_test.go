package proxy_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// A draw makes random requests, for keys and with additions that are chosen to
// be misread.
type draw struct{ *rand.Rand }

var pieces = []string{"customers/", "public/", "public/", "public//", "customers", "/", "//", ".", "..", "../", "a b", "+", "%2F", "%252F", "%", "é", "e\u0301", "?acl", "#", "&x=y", ";",
	"\\", "~!*'()", "x", "y", "\u202e", "\x01", "\n", "\ufeff", "ｐublic/", "𐍈", "=", ":", "@", "$", ",", "[]", "<Key>", "]]>", "\"", "'"}

func (d draw) of(list ...string) string { return list[d.IntN(len(list))] }

func (d draw) key() string {
	var key strings.Builder
	key.WriteString(d.of("customers/", "public/", "public/", ""))
	for range d.IntN(4) {
		key.WriteString(d.of(pieces...))
	}
	return key.String() + d.of("x", "y/", "z")
}

// escaped writes s as a target may: what may be escaped is, now and then.
func (d draw) escaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		plain := c > ' ' && c < 0x7f && strings.IndexByte(`%?#;&+="<>\^`+"`{|}", c) < 0
		switch {
		case plain && (c == '/' || d.IntN(10) > 0) && d.IntN(30) > 0:
			b.WriteByte(c)
		case d.IntN(2) == 0:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// request draws a request, and says what it is meant to name.
func (d draw) request() (m message, bucket, key string) {
	bucket, key = d.of("lake", "lake", "lake", "secret-bucket", "unlabelled-bucket"), d.key()
	object, whole := "/"+bucket+"/"+d.escaped(key), "/"+bucket
	source := "x-amz-copy-source: " + d.of("", "/") + d.escaped(d.of("lake", "secret-bucket")+"/"+d.key()) + d.of("", "", "?versionId=v1")
	part := "?partNumber=1&uploadId=u"
	switch d.IntN(16) {
	case 0:
		m = message{method: "PUT", target: object, body: "hello"}
	case 1:
		m = message{method: "DELETE", target: object}
	case 2:
		m = message{method: "HEAD", target: object + d.of("", "?versionId=v1")}
	case 3:
		m = message{method: "PUT", target: object, lines: []string{source}}
	case 4:
		m = message{method: "PUT", target: object + part, lines: []string{source}}
	case 5:
		m = message{method: "PUT", target: object + part, body: "hello"}
	case 6:
		m = message{method: d.of("GET", "DELETE"), target: object + "?uploadId=u"}
	case 7:
		m = message{method: "POST", target: object + "?uploads"}
	case 8:
		m = message{method: "POST", target: object + "?uploadId=u", body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"}
	case 9, 10:
		key = ""
		m = message{method: "GET", target: whole + "?" + d.of("", "list-type=2&") + "prefix=" + d.escaped(d.of("customers/", "public/", d.key())) + d.of("", "&delimiter=%2F")}
	case 11:
		key = ""
		var list []string
		for range 1 + d.IntN(4) {
			list = append(list, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(d.key()))
		}
		m = batch(objectsXML(list...))
		m.target = whole + "?delete"
	case 12:
		key = ""
		m = message{method: d.of("GET", "HEAD"), target: whole + d.of("", "?location", "?uploads&prefix=public/")}
	case 13:
		bucket, key = "", ""
		m = message{method: "GET", target: "/"}
	default:
		m = message{method: "GET", target: object + d.of("", "", "?versionId=v1", "?partNumber=2", "?tagging", "?response-content-type=text/html")}
	}
	if d.IntN(4) == 0 {
		m = m.with(d.of("range: bytes=0-1", "if-match: x", "x-amz-acl: private", "x-amz-acl: public-read", "x-amz-tagging: a=b", "x-amz-meta-a:  b  c ", "x_amz_acl: public-read",
			"x-amz-expected-bucket-owner: 1", "x-amz-foo: bar", "content-type: text/plain", "x-amz-bypass-governance-retention: true"))
	}
	if d.IntN(6) == 0 {
		join := "?"
		if strings.Contains(m.target, "?") {
			join = "&"
		}
		m.target += join + d.of("x-id=GetObject", "versionId=v2", "acl", "tagging", "Prefix=", "prefix=", "uploads", "a=%zz", "a;b", "=", "delete")
	}
	return m, bucket, key
}

// signed signs m in one of the ways there are.
func (d draw) signed(a *arena, m message) (raw string, who string) {
	who = d.of("alice", "alice", "alice", "bob", "bob")
	s := seal{keys: a.held[who]}
	if m.body == "hello" {
		s.payload = d.of("", unsignedPayload)
	}
	if m.method != "POST" && d.IntN(3) == 0 {
		return m.framed("h").presign(s).String(), who
	}
	return m.framed("h").sign(s).String(), who
}

const draws = 3000

// P3, P5, P8, P9 of the list of properties: what the upstream is asked is what
// was decided on, is asked only then, and what is blocked is answered alike
// whether it exists or not.
func TestPropertiesOfAnyRequest(t *testing.T) {
	a := newArena(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := draw{rand.New(rand.NewPCG(seed, 0))}
	ids := regexp.MustCompile(`\b[A-Z2-7]{26}\b`)
	count := map[audit.Decision]int{}
	operations := map[string]int{}
	for range draws {
		m, bucket, key := d.request()
		raw, who := d.signed(a, m)
		a.answer = nil
		first, served := a.ask(raw)
		if !served {
			continue // net/http would not have
		}
		first.wantHeld(t, m)
		e := first.events[0]
		count[e.Decision]++
		if e.Principal != nil && !strings.HasPrefix(e.Principal.Email, who) {
			t.Errorf("%q of %s was taken for one of %s", m, who, e.Principal.Email)
		}
		if q := e.Request; q.Operation != "" {
			operations[q.Operation]++
			if q.Bucket != bucket || q.Key != key {
				t.Errorf("%q, meant for %q in %q, was taken for %q in %q", m, key, bucket, q.Key, q.Bucket)
			}
		}
		if e.Decision == audit.Blocked {
			a.answer = func(w http.ResponseWriter, _ question) {
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
			}
			second, _ := a.ask(raw)
			if len(first.events) == 1 && (first.answer.Code != second.answer.Code || ids.ReplaceAllString(first.answer.Body.String(), "") != ids.ReplaceAllString(second.answer.Body.String(), "")) {
				t.Errorf("%q was answered %s\nand where it does not exist %s", m, first.answer.Body, second.answer.Body)
			}
		}
		if t.Failed() {
			return
		}
	}
	if count[audit.Allowed] < draws/20 || count[audit.Blocked] < draws/20 || len(operations) < 16 {
		t.Errorf("too little was tried: %v, operations %v", count, operations)
	}
}

// P1: a request that was signed does nothing once any byte of what was signed is
// another.
func TestAnyByteChangedIsRefused(t *testing.T) {
	a := newArena(t)
	s := seal{keys: a.held["alice"]}
	put := message{method: "PUT", target: "/lake/customers/x%2Fy?x-id=PutObject", body: "hello", lines: []string{"x-amz-meta-a: b", "content-type: text/plain"}}
	for name, m := range map[string]message{
		"put":       put.framed("h").sign(s),
		"get":       reading("/lake/customers/x?versionId=v1").framed("h").sign(s),
		"presigned": reading("/lake/customers/x?versionId=v1").framed("h").presign(s),
		"batch":     batch(objectsXML("public/a", "public/b")).framed("h").sign(s),
		"copy":      message{method: "PUT", target: "/lake/customers/y", lines: []string{"x-amz-copy-source: lake/customers/x"}}.framed("h").sign(s),
	} {
		t.Run(name, func(t *testing.T) {
			raw := m.String()
			if r, served := a.ask(raw); !served || len(r.asked) != 1 || r.answer.Code != 200 {
				t.Fatalf("the request itself: %+v %s", r, r.answer.Body)
			}
			changed := 0
			for i := range len(raw) {
				if raw[i] == '\r' || raw[i] == '\n' || within(raw, i, " HTTP/1.1") || within(raw, i, "Content-Length: 00") {
					continue // they are not signed
				}
				for _, c := range []byte{raw[i] + 1, raw[i] - 1, raw[i] ^ 0x40} {
					if strings.EqualFold(string(c), string(raw[i])) {
						continue // names of headers and escapes have no case
					}
					r, served := a.ask(raw[:i] + string([]byte{c}) + raw[i+1:])
					if !served {
						continue
					}
					changed++
					if len(r.asked) != 0 {
						t.Errorf("with %q for %q at %d, in %q, the upstream was asked %q", c, raw[i], i, raw[max(0, i-10):i+10], r.asked)
					}
					if allowed, blocked, outcomes := r.split(); len(allowed)+len(blocked) != 1 || len(outcomes) == 1 && outcomes[0].Error == "" {
						t.Errorf("with %q for %q at %d: %+v", c, raw[i], i, r.events)
					}
				}
			}
			if changed < len(raw) {
				t.Errorf("only %d changes were tried", changed)
			}
		})
	}
}

// P2: no x-amz- header is added to a request that was signed.
func TestAnyHeaderAddedIsRefused(t *testing.T) {
	a := newArena(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := draw{rand.New(rand.NewPCG(seed, 0))}
	tried := 0
	for range draws / 4 {
		m, _, _ := d.request()
		raw, _ := d.signed(a, m)
		name := []byte(d.of("x-amz-", "X-Amz-", "X-AMZ-", "x-aMz-"))
		for range 1 + d.IntN(20) {
			name = append(name, "abcdefghijklmnopqrstuvwxyz-ABCXYZ0123456789_.!"[d.IntN(46)])
		}
		if d.IntN(2) == 0 {
			name = []byte(strings.SplitN(dangerous[d.IntN(len(dangerous))], ":", 2)[0])
		}
		r, served := a.ask(strings.Replace(raw, "\r\n\r\n", "\r\n"+string(name)+": "+d.of("", "x", "true", "lake/customers/x", "public-read")+"\r\n\r\n", 1))
		if !served {
			continue
		}
		tried++
		if len(r.asked) != 0 || r.answer.Code < 400 || len(r.events) != 1 || r.events[0].Decision != audit.Blocked || r.events[0].Principal != nil {
			t.Fatalf("with %s: %d %s, events %+v, asked %q", name, r.answer.Code, r.answer.Body, r.events, r.asked)
		}
	}
	if tried < draws/5 {
		t.Errorf("only %d were tried", tried)
	}
}

// within says whether i is where raw has a part that begins as like does, up to
// its colon or its end, and is as long.
func within(raw string, i int, like string) bool {
	name, _, _ := strings.Cut(like, ":")
	start := strings.Index(raw, name)
	return start >= 0 && i >= start && i < start+len(like)
}
