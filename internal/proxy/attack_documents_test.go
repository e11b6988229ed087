package proxy_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// batch is a DeleteObjects with a document.
func batch(document string) message {
	sum := md5.Sum([]byte(document))
	return message{method: "POST", target: "/lake?delete", body: document, lines: []string{"Content-MD5: " + base64.StdEncoding.EncodeToString(sum[:])}}
}

func objectsXML(keys ...string) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString("<Object><Key>" + k + "</Key></Object>")
	}
	return "<Delete>" + b.String() + "</Delete>"
}

// documents attacks requests whose bodies say what they touch. Alice may delete
// in lake/public/ and not in lake/customers/.
func (a *attack) documents() {
	a.malformedDocuments()
	a.mixedBatches()
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("public/%d", i)
	}
	malformed := want{status: 400, code: "MalformedXML", who: "alice"}
	a.refused("advisory 75/more than a thousand", a.signed(batch(objectsXML(many...)), a.by("alice")), malformed)
	a.refused("advisory 75/no keys at all", a.signed(batch("<Delete></Delete>"), a.by("alice")), malformed)
	a.refused("advisory 75/no document at all", a.signed(batch(""), a.by("alice")), malformed)
	for _, key := range []string{"public/../customers/x", "public/./x", "..", "public/.."} {
		a.refused("T19/dot segments "+key, a.signed(batch(objectsXML(key)), a.by("alice")), want{status: 400, code: "InvalidArgument", who: "alice"})
	}
	a.refused("T19/a long key", a.signed(batch(objectsXML("public/"+strings.Repeat("x", 1024))), a.by("alice")), want{status: 400, code: "KeyTooLongError", who: "alice"})
	big := batch(objectsXML("public/x") + strings.Repeat(" ", 2<<20))
	a.refused("T19/a large document", a.signed(big, a.by("alice")), want{status: 400, code: "MaxMessageLengthExceeded", who: "alice"})
	other := a.signed(batch(objectsXML("public/a")), a.by("alice"))
	a.refused("T19/another document than was signed", strings.Replace(other, "public/a", "public/b", 1), want{status: 400, code: "XAmzContentSHA256Mismatch", who: "alice"})
	sum := batch(objectsXML("public/a"))
	sum.body = objectsXML("public/b")
	a.refused("T19/another document than was summed", a.signed(sum, a.by("alice")), want{status: 400, code: "BadDigest", who: "alice"})
	denied := message{method: "POST", target: "/unlabelled-bucket?delete", body: objectsXML("a", "b"), lines: batch(objectsXML("a", "b")).lines}
	a.run("advisory 42/a bucket that is denied", func(t *testing.T) { a.wantBatchBlocked(t, a.signed(denied, a.by("alice")), "alice", "a", "b") })
	a.run("advisory 21/keys that are denied", func(t *testing.T) {
		a.wantBatchBlocked(t, a.signed(batch(objectsXML("public/a", "customers/x")), a.by("bob")), "bob", "public/a", "customers/x")
	})
	for name, document := range map[string]string{
		"CDATA":             objectsXML("<![CDATA[customers/x]]>"),
		"CDATA in parts":    objectsXML("cust<![CDATA[omers]]>/x"),
		"references":        objectsXML("&#99;&#x75;stomers/x"),
		"a version":         "<Delete><Object><Key>customers/x</Key><VersionId>v1</VersionId></Object></Delete>",
		"quietly":           "<Delete><Quiet>true</Quiet><Object><Key>customers/x</Key></Object></Delete>",
		"another order":     "<Delete><Object><VersionId>v1</VersionId><Key>customers/x</Key></Object><Quiet>false</Quiet></Delete>",
		"with a BOM":        "\xef\xbb\xbf" + objectsXML("customers/x"),
		"with a namespace":  `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>customers/x</Key></Object></Delete>`,
		"with the same key": objectsXML("customers/x", "customers/x"),
	} {
		a.run("advisory 21/"+name, func(t *testing.T) {
			a.wantBatchBlocked(t, a.signed(batch(document), a.by("alice")), "alice", "customers/x")
		})
	}
}

func (a *attack) malformedDocuments() {
	object := "<Object><Key>public/a</Key></Object>"
	var deep strings.Builder
	deep.WriteString("<Delete>" + strings.Repeat("<Object>", 10000) + strings.Repeat("</Object>", 10000) + "</Delete>")
	for name, document := range map[string]string{
		"two keys":                    "<Delete><Object><Key>customers/x</Key><Key>public/a</Key></Object></Delete>",
		"two versions":                "<Delete><Object><Key>public/a</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object></Delete>",
		"a foreign namespace":         `<Delete xmlns:x="urn:x"><Object><Key>public/a</Key><x:Key>customers/x</x:Key></Object></Delete>`,
		"a prefix":                    `<Delete xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/"><Object><s:Key>public/a</s:Key></Object></Delete>`,
		"a foreign root":              `<Delete xmlns="urn:x">` + object + `</Delete>`,
		"an element in the key":       "<Delete><Object><Key>public/<x/>a</Key></Object></Delete>",
		"a key in the key":            "<Delete><Object><Key>public/a<Key>customers/x</Key></Key></Object></Delete>",
		"a key beside the object":     "<Delete>" + object + "<Key>customers/x</Key></Delete>",
		"a comment in the key":        "<Delete><Object><Key>public/<!-- -->a</Key></Object></Delete>",
		"an instruction in the key":   "<Delete><Object><Key>public/<?x?>a</Key></Object></Delete>",
		"a second root":               "<Delete>" + object + "</Delete><Delete><Object><Key>customers/x</Key></Object></Delete>",
		"text behind the root":        "<Delete>" + object + "</Delete>x",
		"text in an object":           "<Delete><Object>x<Key>public/a</Key></Object></Delete>",
		"a doctype":                   `<!DOCTYPE Delete [<!ENTITY x "customers/x">]><Delete><Object><Key>&x;</Key></Object></Delete>`,
		"an external entity":          `<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>`,
		"many entities":               `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>`,
		"an unknown entity":           "<Delete><Object><Key>public/&nbsp;a</Key></Object></Delete>",
		"NUL":                         "<Delete><Object><Key>public/&#0;a</Key></Object></Delete>",
		"a control character":         "<Delete><Object><Key>public/&#1;a</Key></Object></Delete>",
		"half a character":            "<Delete><Object><Key>public/\xc3</Key></Object></Delete>",
		"an attribute":                `<Delete><Object><Key x="customers/x">public/a</Key></Object></Delete>`,
		"a language":                  `<Delete><Object><Key xml:lang="en">public/a</Key></Object></Delete>`,
		"a small letter":              "<Delete><Object><key>public/a</key></Object></Delete>",
		"an unknown element":          "<Delete><Object><Key>public/a</Key><Path>customers/x</Path></Object></Delete>",
		"another root":                "<DeleteMarker>" + object + "</DeleteMarker>",
		"another charset":             `<?xml version="1.0" encoding="ISO-8859-1"?><Delete>` + object + `</Delete>`,
		"UTF-16":                      "\xff\xfe<\x00D\x00>\x00",
		"no end":                      "<Delete>" + object,
		"crossed ends":                "<Delete><Object><Key>public/a</Object></Key></Delete>",
		"two that are quiet":          "<Delete><Quiet>true</Quiet><Quiet>false</Quiet>" + object + "</Delete>",
		"somewhat quiet":              "<Delete><Quiet>yes</Quiet>" + object + "</Delete>",
		"depth":                       deep.String(),
		"JSON":                        `{"Objects":[{"Key":"customers/x"}]}`,
		"an object without a key":     "<Delete>" + object + "<Object><VersionId>v1</VersionId></Object></Delete>",
		"a stylesheet":                `<?xml-stylesheet href="x"?><Delete>` + object + `</Delete>`,
		"a declaration in the middle": "<Delete>" + object + `<?xml version="1.0"?></Delete>`,
	} {
		a.refused("T19/"+name, a.signed(batch(document), a.by("alice")), want{status: 400, code: "MalformedXML", who: "alice"})
	}
	a.refused("T19/an empty key", a.signed(batch(objectsXML("")), a.by("alice")), want{status: 400, code: "InvalidArgument", who: "alice"})
	complete := "/lake/customers/x?uploadId=u"
	nought := "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
	a.refused("T19/complete with part nought", a.signed(message{method: "POST", target: complete, body: nought}, a.by("alice")), want{status: 400, code: "InvalidArgument", who: "alice"})
	for name, document := range map[string]string{
		"part 10001":       "<CompleteMultipartUpload><Part><PartNumber>10001</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
		"two part numbers": "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
		"no parts":         "<CompleteMultipartUpload></CompleteMultipartUpload>",
		"a foreign part":   `<CompleteMultipartUpload xmlns:x="urn:x"><x:Part><PartNumber>1</PartNumber></x:Part></CompleteMultipartUpload>`,
	} {
		a.refused("T19/complete with "+name, a.signed(message{method: "POST", target: complete, body: document}, a.by("alice")), want{status: 400, code: "MalformedXML", who: "alice"})
	}
}

// wantBatchBlocked sends a batch of which nothing is allowed: the answer says so
// of each key, and the one event has them all.
func (a *attack) wantBatchBlocked(t *testing.T, raw, who string, keys ...string) {
	t.Helper()
	replies := exchangeRaw(t, a.host, a.roots, raw, false)
	a.wantNothingUpstream()
	events := a.newEvents()
	if len(replies) != 1 || replies[0].status != 200 || strings.Count(replies[0].body, "<Code>AccessDenied</Code>") != len(keys) || strings.Contains(replies[0].body, "<Deleted>") {
		t.Errorf("got %+v", replies)
	}
	if len(events) != 1 || events[0].Decision != audit.Blocked || events[0].Principal == nil || !strings.HasPrefix(events[0].Principal.Email, who+"@") ||
		!slices.Equal(events[0].Request.Keys, keys) {
		t.Errorf("events: %+v", events)
	}
}

// mixedBatches: what is denied does not go upstream with what is allowed, and
// what goes there is written anew.
func (a *attack) mixedBatches() {
	for name, document := range map[string]string{
		"plain":              objectsXML("public/a", "customers/x"),
		"the other way":      objectsXML("customers/x", "public/a"),
		"CDATA":              objectsXML("public/a", "<![CDATA[customers/x]]>"),
		"references":         objectsXML("&#112;ublic/a", "&#99;ustomers/x"),
		"versions":           "<Delete><Object><Key>public/a</Key></Object><Object><Key>customers/x</Key><VersionId>v</VersionId></Object></Delete>",
		"quietly":            "<Delete><Quiet>true</Quiet><Object><Key>public/a</Key></Object><Object><Key>customers/x</Key></Object></Delete>",
		"white space":        "<Delete>\n <Object>\n  <Key>public/a</Key>\n </Object>\r\n\t<Object><Key>customers/x</Key></Object></Delete>\n",
		"markup in a key":    objectsXML("public/a", "customers/x]]&gt;&lt;Key&gt;public/a&lt;/Key&gt;"),
		"a near miss":        objectsXML("public/a", "public", "public2/a", " public/a", "Public/a"),
		"empty segments":     objectsXML("public/a", "public//a", "/customers/x", "//customers//x"),
		"every second twice": objectsXML("public/a", "customers/x", "public/a", "customers/x"),
	} {
		a.run("T19/mixed, "+name, func(t *testing.T) {
			var got string
			a.store.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
				body, _ := io.ReadAll(r.Body)
				got = string(body)
				io.WriteString(w, `<DeleteResult><Deleted><Key>public/a</Key></Deleted></DeleteResult>`)
				return true
			})
			defer a.store.answerWith(ok)
			replies := exchangeRaw(t, a.host, a.roots, a.signed(batch(document), a.by("alice")), false)
			if len(replies) != 1 || replies[0].status != 200 || !strings.Contains(replies[0].body, "<Code>AccessDenied</Code>") {
				t.Fatalf("got %+v", replies)
			}
			if seen := a.store.seen(); len(seen) != 1 {
				t.Errorf("the upstream was asked %q", seen)
			}
			left := strings.NewReplacer("<Key>public/a</Key>", "", "<Key>public//a</Key>", "").Replace(got)
			if strings.Contains(left, "<Key>") || strings.Contains(got, "customers") || strings.Contains(got, "CDATA") || !strings.Contains(got, "<Key>public/a</Key>") {
				t.Errorf("the upstream got %s", got)
			}
			events := a.newEvents()
			if len(events) != 3 || events[0].Decision != audit.Blocked || events[1].Decision != audit.Allowed || events[2].Kind != audit.KindOutcome ||
				slices.ContainsFunc(events[1].Request.Keys, func(k string) bool { return !strings.HasPrefix(k, "public/") }) {
				t.Errorf("events: %+v", events)
			}
		})
	}
}
