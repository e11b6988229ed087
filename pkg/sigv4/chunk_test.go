package sigv4_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/checksum"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

const (
	signedPayload        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedPayloadTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// A documented upload is an example of the S3 documentation, "Signature
// calculations for the Authorization header: Transferring payload in multiple
// chunks" and "... including trailing headers": 65 KiB of the letter a.
type documented struct {
	hash, names, seed string
	header            map[string]string
	chunks            []string // their signatures
	end               string   // what follows the last chunk's line
}

var uploads = map[string]documented{
	"chunks": {
		hash:   signedPayload,
		names:  "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
		seed:   "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
		header: map[string]string{"Content-Length": "66824"},
		chunks: []string{
			"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
			"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
			"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
		},
		end: "\r\n",
	},
	"chunks and a trailer": {
		hash:   signedPayloadTrailer,
		names:  "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
		seed:   "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
		header: map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32c"},
		chunks: []string{
			"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
			"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
		},
		end: "x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
	},
}

func (d documented) request(t testing.TB) *http.Request {
	f := vectors(t)
	r := newRequest(t, "PUT", "/examplebucket/chunkObject.txt", nil, "")
	r.RequestURI, r.Host, r.ContentLength = "/examplebucket/chunkObject.txt", "s3.amazonaws.com", 66824
	r.Header = http.Header{
		"X-Amz-Date": {"20130524T000000Z"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"}, "X-Amz-Content-Sha256": {d.hash},
		"Content-Encoding": {"aws-chunked"}, "X-Amz-Decoded-Content-Length": {"66560"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=" + f.AccessKeyID + "/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + d.names + ",Signature=" + d.seed},
	}
	for name, value := range d.header {
		r.Header.Set(name, value)
	}
	return r
}

func (d documented) body() string {
	return "10000;chunk-signature=" + d.chunks[0] + "\r\n" + strings.Repeat("a", 65536) + "\r\n" +
		"400;chunk-signature=" + d.chunks[1] + "\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=" + d.chunks[2] + "\r\n" + d.end
}

func TestDocumentedUploadsInChunks(t *testing.T) {
	f := vectors(t)
	for name, d := range uploads {
		t.Run(name, func(t *testing.T) {
			v, err := verify(d.request(t), f.SecretAccessKey, f.Time)
			if err != nil {
				t.Fatal(err)
			}
			if p := v.Payload(); p.Mode.String() != d.hash || p.Length != 66560 || p.Digest != "" {
				t.Errorf("payload %+v", p)
			}
			if v.Header().Get("Content-Encoding") != "" {
				t.Error("the framing is left in Content-Encoding")
			}
			for how, reading := range readings {
				got, err := io.ReadAll(v.Body(reading(strings.NewReader(d.body()))))
				if err != nil || string(got) != strings.Repeat("a", 66560) {
					t.Errorf("in %s: %d bytes, %v", how, len(got), err)
				}
			}
			refusedBody(t, v.Body(strings.NewReader(strings.Replace(d.body(), "aaa\r\n", "aab\r\n", 1))), 66560, "SignatureDoesNotMatch")
		})
	}
}

// signedChunks gives a verified upload in signed chunks, and its framing as a
// client makes it. This is a second writing of the documented algorithm.
func signedChunks(t testing.TB, trailer string, chunks ...string) (*sigv4.Verified, string) {
	t.Helper()
	length := len(strings.Join(chunks, ""))
	r := signed(t, "PUT", "/b/k", func(r *http.Request) {
		r.Header.Set("X-Amz-Content-Sha256", signedPayload)
		r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(length))
		if trailer != "" {
			r.Header.Set("X-Amz-Content-Sha256", signedPayloadTrailer)
			r.Header.Set("X-Amz-Trailer", trailer)
		}
	})
	r.RequestURI = "/b/k"
	v, err := verify(r, secretKey, noon)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		io.WriteString(h, text)
		return h.Sum(nil)
	}
	digest := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential="+accessKey+"/")
	scope, _, _ := strings.Cut(credential, ",")
	key := []byte("AWS4" + secretKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	_, previous, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	sign := func(kind, data string) string {
		middle := ""
		if kind == "PAYLOAD" {
			middle = digest("") + "\n"
		}
		previous = hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256-"+kind+"\n"+r.Header.Get("X-Amz-Date")+"\n"+scope+"\n"+previous+"\n"+middle+digest(data)))
		return previous
	}
	var b strings.Builder
	for _, c := range append(chunks, "") {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n", len(c), sign("PAYLOAD", c))
		if c != "" {
			b.WriteString(c + "\r\n")
		}
	}
	if trailer != "" {
		line := trailer + ":" + sumOf(trailer, strings.Join(chunks, ""))
		b.WriteString(line + "\r\nx-amz-trailer-signature:" + sign("TRAILER", line+"\n") + "\r\n")
	}
	return v, b.String() + "\r\n"
}

func TestSignedChunks(t *testing.T) {
	for _, trailer := range append(checksum.Headers(), "") {
		for _, chunks := range [][]string{nil, {"x"}, {"hello, ", "world"}, {strings.Repeat("abc", 30000), "d", strings.Repeat("e", 5000)}} {
			v, framed := signedChunks(t, trailer, chunks...)
			for how, reading := range readings {
				got, err := io.ReadAll(v.Body(reading(strings.NewReader(framed))))
				if err != nil || string(got) != strings.Join(chunks, "") {
					t.Errorf("%s, %d chunks in %s: %d bytes, %v", trailer, len(chunks), how, len(got), err)
				}
			}
		}
	}
}

// Whatever byte of the framing or the data is another, or missing, the last byte
// of the body is not given.
func TestEveryByteOfSignedChunksCounts(t *testing.T) {
	const trailer = "x-amz-checksum-crc64nvme"
	for _, name := range []string{"", trailer} {
		v, framed := signedChunks(t, name, "hello, ", "world")
		try := func(what, changed string) {
			got, err := io.ReadAll(v.Body(strings.NewReader(changed)))
			// Names of trailers may be written in either case, sizes with zeroes before.
			if err == nil && (string(got) != "hello, world" || !strings.EqualFold(strings.Replace(changed, "\n00;", "\n0;", 1), framed)) {
				t.Errorf("%s: proved %q\n%s", what, got, changed)
			}
			if err != nil && len(got) >= len("hello, world") {
				t.Errorf("%s: gave all of a body that is refused (%v)", what, err)
			}
		}
		for i := range framed {
			for bit := range 8 {
				b := []byte(framed)
				b[i] ^= 1 << bit
				try(fmt.Sprintf("byte %d, bit %d", i, bit), string(b))
			}
			try(fmt.Sprintf("without byte %d", i), framed[:i]+framed[i+1:])
			try(fmt.Sprintf("byte %d twice", i), framed[:i+1]+framed[i:])
			try(fmt.Sprintf("cut at %d", i), framed[:i])
		}
		try("more", framed+"x")
	}
}

func TestChunksCannotBeRearranged(t *testing.T) {
	v, framed := signedChunks(t, "", "aaaa", "bbbb")
	lines := strings.SplitAfter(framed, "\r\n") // line, data, line, data, line, end
	for name, changed := range map[string]string{
		"swapped":               lines[2] + lines[3] + lines[0] + lines[1] + lines[4] + lines[5],
		"twice the first":       lines[0] + lines[1] + lines[0] + lines[1] + lines[4] + lines[5],
		"without the last":      lines[0] + lines[1] + lines[2] + lines[3],
		"with no signature":     strings.Replace(framed, lines[2], "4\r\n", 1),
		"with none of the last": strings.Replace(framed, lines[4], "0\r\n", 1),
		"in another's framing":  "8\r\naaaabbbb\r\n0\r\n\r\n",
		"two extensions":        strings.Replace(framed, ";chunk", ";a=b;chunk", 1),
		"upper-case signature":  strings.Replace(framed, lines[0], strings.ToUpper(lines[0]), 1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := io.ReadAll(v.Body(strings.NewReader(changed)))
			if err == nil || len(got) >= 8 {
				t.Errorf("proved %q, %v", got, err)
			}
		})
	}
	// Chunks of another request of the same length have another chain.
	other, _ := signedChunks(t, "x-amz-checksum-crc32", "aaaa", "bbbb")
	refusedBody(t, other.Body(strings.NewReader(framed)), 8, "SignatureDoesNotMatch")
}

func TestPromises(t *testing.T) {
	const text = "hello, world"
	v := verifiedUpload(t, sigv4.UnsignedPayload, int64(len(text)), "")
	read := func(name, value string) error {
		got, err := io.ReadAll(v.Body(strings.NewReader(text), sigv4.Param{Name: name, Value: value}))
		if err == nil && string(got) != text || err != nil && len(got) >= len(text) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		return err
	}
	for _, name := range checksum.Headers() {
		if err := read(name, sumOf(name, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantCode(t, read(name, sumOf(name, "Hello, world")), "BadDigest")
		wantCode(t, read(name, sumOf(name, text)[1:]), "InvalidRequest")
		wantCode(t, read(name, ""), "InvalidRequest")
	}
	md5 := sumOf("x-amz-checksum-md5", text)
	if err := read("Content-MD5", md5); err != nil {
		t.Error(err)
	}
	wantCode(t, read("content-md5", sumOf("x-amz-checksum-md5", "")), "BadDigest")
	wantCode(t, read("content-md5", "AAAA"), "InvalidDigest")
	wantCode(t, read("x-amz-checksum-crc16", "AAA="), "NotImplemented")
	// All that is promised must be so.
	promised := []sigv4.Param{{Name: "content-md5", Value: md5}, {Name: "x-amz-checksum-crc32", Value: sumOf("x-amz-checksum-crc32", "")}}
	refusedBody(t, v.Body(strings.NewReader(text), promised...), len(text), "BadDigest")
}
