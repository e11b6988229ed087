package s3api_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

func deleteCall(t testing.TB, headers ...string) *s3api.Call {
	t.Helper()
	c, err := s3api.Parse(request("POST /bucket?delete", headers...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func completeCall(t testing.TB) *s3api.Call {
	t.Helper()
	c, err := s3api.Parse(request("POST /bucket/k?uploadId=u"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDeleteObjects(t *testing.T) {
	c := deleteCall(t, "X-Amz-Bypass-Governance-Retention: true")
	if len(c.Targets) != 0 || c.EncodeBody(nil) != nil || c.Quiet() {
		t.Errorf("before the body: %v", c)
	}
	err := c.SetBody([]byte("\xef\xbb\xbf" + `<?xml version="1.0" encoding="UTF-8"?>
<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Object><VersionId>v</VersionId><Key>a&amp;b&#13;<![CDATA[<x>]]></Key></Object><Quiet>true</Quiet>
  <Object><Key> k </Key><ETag>"e"</ETag><Size>3</Size><LastModifiedTime>t</LastModifiedTime></Object>
</Delete>
`))
	if err != nil {
		t.Fatal(err)
	}
	odd := "a&b\r<x>"
	want := []s3api.Target{exact(deletes, "DeleteObjectVersion", odd, "v"), exact(manages, "BypassGovernanceRetention", odd, "v"),
		exact(deletes, "DeleteObject", " k ", ""), exact(manages, "BypassGovernanceRetention", " k ", "")}
	if diff := cmp.Diff(want, c.Targets); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	first := `<Object><VersionId>v</VersionId><Key>a&amp;b&#xD;&lt;x&gt;</Key></Object>`
	second := `<Object><Key> k </Key><ETag>&#34;e&#34;</ETag><Size>3</Size><LastModifiedTime>t</LastModifiedTime></Object>`
	for _, e := range []struct {
		keep func(s3api.Target) bool
		want string
	}{
		{nil, head + first + "<Quiet>true</Quiet>" + second + "</Delete>"},
		{func(t s3api.Target) bool { return t.Key == " k " }, head + "<Quiet>true</Quiet>" + second + "</Delete>"},
		{func(t s3api.Target) bool { return t.Key == odd }, head + first + "<Quiet>true</Quiet></Delete>"},
		{func(t s3api.Target) bool { return t.Access == deletes }, ""}, // every target of an object counts
		{func(s3api.Target) bool { return false }, ""},
	} {
		if diff := cmp.Diff(e.want, string(c.EncodeBody(e.keep))); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
	}
	if !c.Quiet() || c.Header.Get("Content-Type") != "application/xml" {
		t.Errorf("%v %v", c.Quiet(), c.Header)
	}
}

func TestDeleteObjectsRefused(t *testing.T) {
	object := func(inside string) string { return "<Delete><Object>" + inside + "</Object></Delete>" }
	for name, c := range map[string]struct{ body, code string }{
		"empty":                  {"", "MalformedXML"},
		"not XML":                {"{}", "MalformedXML"},
		"truncated":              {"<Delete><Object><Key>a</Key></Object>", "MalformedXML"},
		"no objects":             {"<Delete></Delete>", "MalformedXML"},
		"other root":             {"<Deletes><Object><Key>a</Key></Object></Deletes>", "MalformedXML"},
		"no key":                 {object("<VersionId>v</VersionId>"), "MalformedXML"},
		"empty key":              {object("<Key></Key>"), "InvalidArgument"},
		"two keys":               {object("<Key>a</Key><Key>b</Key>"), "MalformedXML"},
		"two versions":           {object("<Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId>"), "MalformedXML"},
		"lower case":             {object("<key>a</key>"), "MalformedXML"},
		"unknown element":        {object("<Key>a</Key><Extra/>"), "MalformedXML"},
		"nested in key":          {object("<Key>a<b>c</b></Key>"), "MalformedXML"},
		"foreign prefix":         {object(`<Key>a</Key><x:Key xmlns:x="urn:x">b</x:Key>`), "MalformedXML"},
		"undeclared prefix":      {object("<x:Key>b</x:Key>"), "MalformedXML"},
		"foreign namespace":      {`<Delete xmlns="urn:x"><Object><Key>a</Key></Object></Delete>`, "MalformedXML"},
		"foreign namespace in":   {object(`<Key xmlns="urn:x">a</Key>`), "MalformedXML"},
		"attribute":              {object(`<Key id="1">a</Key>`), "MalformedXML"},
		"prefix declaration":     {`<Delete xmlns:x="http://s3.amazonaws.com/doc/2006-03-01/"><Object><x:Key>a</x:Key></Object></Delete>`, "MalformedXML"},
		"two xmlns":              {`<Delete xmlns="" xmlns=""><Object><Key>a</Key></Object></Delete>`, "MalformedXML"},
		"comment":                {object("<Key>a<!-- b -->c</Key>"), "MalformedXML"},
		"comment before":         {"<!-- x -->" + object("<Key>a</Key>"), "MalformedXML"},
		"comment after":          {object("<Key>a</Key>") + "<!-- x -->", "MalformedXML"},
		"processing instruction": {object("<?x y?><Key>a</Key>"), "MalformedXML"},
		"late declaration":       {` <?xml version="1.0"?>` + object("<Key>a</Key>"), "MalformedXML"},
		"DTD":                    {`<!DOCTYPE Delete [<!ENTITY a "b">]>` + object("<Key>&a;</Key>"), "MalformedXML"},
		"entity":                 {object("<Key>&nbsp;</Key>"), "MalformedXML"},
		"second root":            {object("<Key>a</Key>") + object("<Key>b</Key>"), "MalformedXML"},
		"text after":             {object("<Key>a</Key>") + "x", "MalformedXML"},
		"text before":            {"x" + object("<Key>a</Key>"), "MalformedXML"},
		"text between":           {object("x<Key>a</Key>"), "MalformedXML"},
		"other encoding":         {`<?xml version="1.0" encoding="ISO-8859-1"?>` + object("<Key>a</Key>"), "MalformedXML"},
		"control character":      {object("<Key>a&#1;</Key>"), "MalformedXML"},
		"raw control character":  {object("<Key>a\x01</Key>"), "MalformedXML"},
		"NUL":                    {object("<Key>a&#0;</Key>"), "MalformedXML"},
		"noncharacter":           {object("<Key>a&#xFFFE;</Key>"), "MalformedXML"},
		"invalid UTF-8":          {object("<Key>a\xff</Key>"), "MalformedXML"},
		"dot segment":            {object("<Key>a/../b</Key>"), "InvalidArgument"},
		"long key":               {object("<Key>" + strings.Repeat("k", 1025) + "</Key>"), "KeyTooLongError"},
		"bad version":            {object("<Key>a</Key><VersionId>a b</VersionId>"), "InvalidArgument"},
		"two quiets":             {"<Delete><Quiet>true</Quiet><Quiet>false</Quiet><Object><Key>a</Key></Object></Delete>", "MalformedXML"},
		"odd quiet":              {"<Delete><Quiet>yes</Quiet><Object><Key>a</Key></Object></Delete>", "MalformedXML"},
		"1,001 objects":          {"<Delete>" + strings.Repeat("<Object><Key>a</Key></Object>", 1001) + "</Delete>", "MalformedXML"},
		"100,000 keys":           {object(strings.Repeat("<Key>a</Key>", 100_000)), "MalformedXML"},
		"deep":                   {strings.Repeat("<Delete>", 100_000), "MalformedXML"},
		"deep in key":            {object("<Key>" + strings.Repeat("<a>", 100_000)), "MalformedXML"},
		"too long":               {object("<Key>a</Key>") + strings.Repeat(" ", s3api.MaxXMLBody), "MaxMessageLengthExceeded"},
	} {
		call := deleteCall(t)
		err := call.SetBody([]byte(c.body))
		if refusal, ok := errors.AsType[*s3api.Error](err); !ok || refusal.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if len(call.Targets) != 0 || call.EncodeBody(nil) != nil {
			t.Errorf("%s: the refused body left %v behind", name, call.Targets)
		}
	}
	c, err := s3api.Parse(request("PUT /bucket/k"))
	if err != nil {
		t.Fatal(err)
	}
	if refusal, ok := errors.AsType[*s3api.Error](c.SetBody([]byte("<Delete/>"))); !ok || refusal.Code != "InvalidRequest" || c.EncodeBody(nil) != nil {
		t.Errorf("PutObject took a document: %v", refusal)
	}
}

func TestLimitsAreAllowed(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "<Object><Key>%d%s</Key></Object>", i, strings.Repeat("k", 1000))
	}
	c := deleteCall(t)
	if err := c.SetBody([]byte("<Delete>" + b.String() + "</Delete>")); err != nil || len(c.Targets) != 1000 {
		t.Errorf("1,000 objects: %v, %d targets", err, len(c.Targets))
	}
	b.Reset()
	for i := range 10_000 {
		fmt.Fprintf(&b, `<Part><PartNumber>%d</PartNumber><ETag>"00000000000000000000000000000000"</ETag><ChecksumSHA256>x</ChecksumSHA256></Part>`, i+1)
	}
	c = completeCall(t)
	if err := c.SetBody([]byte("<CompleteMultipartUpload>" + b.String() + "</CompleteMultipartUpload>")); err != nil {
		t.Errorf("10,000 parts: %v", err)
	}
}

func TestChecksumsOfDocuments(t *testing.T) {
	body := []byte("<Delete><Object><Key>a</Key></Object></Delete>")
	sha := sha256.Sum256(body)
	hash := md5.Sum(body)
	sha64, md64 := base64.StdEncoding.EncodeToString(sha[:]), base64.StdEncoding.EncodeToString(hash[:])
	for _, c := range []struct{ header, code string }{
		{"Content-Md5: " + md64, ""},
		{"X-Amz-Checksum-Sha256: " + sha64, ""},
		{"X-Amz-Checksum-Md5: " + md64, ""},
		{"X-Amz-Sdk-Checksum-Algorithm: CRC32", ""},
		{"Content-Md5: " + base64.StdEncoding.EncodeToString(sha[:16]), "BadDigest"},
		{"X-Amz-Checksum-Sha256: " + base64.StdEncoding.EncodeToString(make([]byte, 32)), "BadDigest"},
		{"X-Amz-Checksum-Crc32: AAAAAA==", "BadDigest"},
		{"X-Amz-Checksum-Crc32c: AAAAAA==", "BadDigest"},
		{"X-Amz-Checksum-Crc64nvme: AAAAAAAAAAA=", "BadDigest"},
		{"X-Amz-Checksum-Sha256: AAAA", "InvalidRequest"},
		{"X-Amz-Checksum-Sha1: !", "InvalidRequest"},
		{"Content-Md5: " + md64[:20], "InvalidDigest"},
		{"X-Amz-Checksum-Xxhash3: AAAAAAAAAAA=", "BadDigest"},
	} {
		call := deleteCall(t, c.header)
		err := call.SetBody(body)
		refusal, _ := errors.AsType[*s3api.Error](err)
		if c.code == "" && err != nil || c.code != "" && (refusal == nil || refusal.Code != c.code || len(call.Targets) != 0) {
			t.Errorf("%s: %v, want %q", c.header, err, c.code)
		}
		if len(call.Header) != 1 {
			t.Errorf("%s: sent on: %v", c.header, call.Header)
		}
	}
	// The check value of CRC-64/NVME is that of "123456789": ae8b14860a799888.
	call := deleteCall(t, "X-Amz-Checksum-Crc64nvme: rosUhgp5mIg=")
	if refusal, _ := errors.AsType[*s3api.Error](call.SetBody([]byte("123456789"))); refusal == nil || refusal.Code != "MalformedXML" {
		t.Errorf("the check value of CRC-64/NVME: %v", refusal)
	}
}

func TestCompleteMultipartUpload(t *testing.T) {
	c := completeCall(t)
	err := c.SetBody([]byte(`<CompleteMultipartUpload><Part><ETag>&quot;e&quot;</ETag><PartNumber>1</PartNumber><ChecksumCRC64NVME>x=</ChecksumCRC64NVME></Part>` +
		`<Part><PartNumber> 10000 </PartNumber></Part></CompleteMultipartUpload>`))
	if err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>&#34;e&#34;</ETag>` +
		`<PartNumber>1</PartNumber><ChecksumCRC64NVME>x=</ChecksumCRC64NVME></Part><Part><PartNumber> 10000 </PartNumber></Part></CompleteMultipartUpload>`
	if diff := cmp.Diff(want, string(c.EncodeBody(nil))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if len(c.Targets) != 1 || c.Targets[0] != exact(updates, "PutObject", "k", "") {
		t.Errorf("targets: %v", c.Targets)
	}
	part := func(inside string) string {
		return "<CompleteMultipartUpload><Part>" + inside + "</Part></CompleteMultipartUpload>"
	}
	for name, body := range map[string]string{
		"no parts": "<CompleteMultipartUpload/>", "no number": part("<ETag>e</ETag>"), "two numbers": part("<PartNumber>1</PartNumber><PartNumber>2</PartNumber>"),
		"large": part("<PartNumber>10001</PartNumber>"),
		"huge":  part("<PartNumber>18446744073709551617</PartNumber>"), "two tags": part("<PartNumber>1</PartNumber><ETag>a</ETag><ETag>b</ETag>"),
		"unknown": part("<PartNumber>1</PartNumber><ChecksumROT13>x</ChecksumROT13>"), "Delete": "<Delete><Object><Key>a</Key></Object></Delete>",
		"10,001 parts": "<CompleteMultipartUpload>" + strings.Repeat("<Part><PartNumber>1</PartNumber></Part>", 10_001) + "</CompleteMultipartUpload>",
	} {
		c := completeCall(t)
		if refusal, ok := errors.AsType[*s3api.Error](c.SetBody([]byte(body))); !ok || refusal.Code != "MalformedXML" || c.EncodeBody(nil) != nil {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

func FuzzDeleteXML(f *testing.F) {
	f.Add([]byte("<Delete><Quiet>true</Quiet><Object><Key>a&#9;&#10;&#13; </Key></Object></Delete>"))
	f.Add([]byte("<?xml version='1.0'?><Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Object><VersionId>v</VersionId><Key><![CDATA[]]>x</Key></Object></Delete>"))
	f.Add([]byte("<Delete><Object><Key>a</Key><x:Key>b</x:Key></Object></Delete>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := deleteCall(t)
		if c.SetBody(body) != nil {
			return
		}
		again := deleteCall(t)
		encoded := c.EncodeBody(nil)
		if err := again.SetBody(encoded); err != nil {
			t.Fatalf("%q became %q: %v", body, encoded, err)
		}
		if !cmp.Equal(c.Targets, again.Targets) || c.Quiet() != again.Quiet() || string(again.EncodeBody(nil)) != string(encoded) {
			t.Fatalf("%q became %q: %v, %v", body, encoded, c.Targets, again.Targets)
		}
	})
}
