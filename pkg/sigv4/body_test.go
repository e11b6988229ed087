package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gimme-broker/gimme/pkg/checksum"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// verifiedUpload gives a verified PUT that announces length bytes.
func verifiedUpload(t testing.TB, hash string, length int64, trailer string) *sigv4.Verified {
	t.Helper()
	r := signed(t, "PUT", "/b/k", func(r *http.Request) {
		r.Header.Set("X-Amz-Content-Sha256", hash)
		if hash != sigv4.UnsignedPayloadTrailer {
			r.ContentLength = length
			return
		}
		r.Header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(length, 10))
		if trailer != "" {
			r.Header.Set("X-Amz-Trailer", trailer)
		}
	})
	r.RequestURI = "/b/k"
	v, err := verify(r, secretKey, noon)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// readings are ways in which a network may deliver a body.
var readings = map[string]func(io.Reader) io.Reader{
	"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "early end": iotest.DataErrReader,
}

// refusedBody asserts the code, and that at least the last byte of length was
// withheld, also from a reader that goes on asking.
func refusedBody(t *testing.T, body io.Reader, length int, code string) {
	t.Helper()
	got, err := io.ReadAll(body)
	wantCode(t, err, code)
	if length > 0 && len(got) >= length {
		t.Errorf("gave %d of %d bytes of a body that is refused", len(got), length)
	}
	n, again := body.Read(make([]byte, 1))
	if n != 0 || !errors.Is(again, err) {
		t.Errorf("after the refusal Read gives %d, %v", n, again)
	}
}

func TestPlainBodies(t *testing.T) {
	const text = "Welcome to Amazon S3."
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])
	for _, test := range []struct{ name, hash, body, code string }{
		{"hashed", digest, text, ""},
		{"hashed, one byte changed", digest, "welcome to Amazon S3.", "XAmzContentSHA256Mismatch"},
		{"hashed, last byte changed", digest, "Welcome to Amazon S3!", "XAmzContentSHA256Mismatch"},
		{"hashed, short", digest, text[1:], "IncompleteBody"},
		{"hashed, nothing", digest, "", "IncompleteBody"},
		{"hashed, long", digest, text + ".", "IncompleteBody"},
		{"unsigned", sigv4.UnsignedPayload, text, ""},
		{"unsigned, short", sigv4.UnsignedPayload, text[:20], "IncompleteBody"},
		{"unsigned, nothing", sigv4.UnsignedPayload, "", "IncompleteBody"},
		{"unsigned, long", sigv4.UnsignedPayload, text + ".", "IncompleteBody"},
	} {
		for how, reading := range readings {
			t.Run(test.name+" in "+how, func(t *testing.T) {
				body := verifiedUpload(t, test.hash, int64(len(text)), "").Body(reading(strings.NewReader(test.body)))
				if test.code != "" {
					refusedBody(t, body, len(text), test.code)
					return
				}
				if err := iotest.TestReader(body, []byte(text)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestEmptyBodies(t *testing.T) {
	for _, hash := range []string{emptyDigest, sigv4.UnsignedPayload} {
		v := verifiedUpload(t, hash, 0, "")
		if got, err := io.ReadAll(v.Body(nil)); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", hash, got, err)
		}
		refusedBody(t, v.Body(strings.NewReader("x")), 0, "IncompleteBody")
	}
}

func TestBodyFailures(t *testing.T) {
	broken := errors.New("connection reset")
	for hash, framed := range map[string]string{sigv4.UnsignedPayload: "abc", sigv4.UnsignedPayloadTrailer: "5\r\nabc"} {
		v := verifiedUpload(t, hash, 5, "")
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			_, err := io.ReadAll(v.Body(io.MultiReader(strings.NewReader(framed), iotest.ErrReader(cause))))
			wantCode(t, err, "IncompleteBody")
			if !errors.Is(err, cause) {
				t.Errorf("%v does not wrap %v", err, cause)
			}
		}
	}
}

func sumOf(name, data string) string {
	a, _ := checksum.ForHeader(name)
	h := a.New()
	io.WriteString(h, data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// TestKnownChecksums has values from the catalogue of CRC algorithms.
func TestKnownChecksums(t *testing.T) {
	for name, want := range map[string]string{
		"x-amz-checksum-crc32": "cbf43926", "x-amz-checksum-crc32c": "e3069283", "x-amz-checksum-crc64nvme": "ae8b14860a799888",
	} {
		r, _, err := sigv4.TrailerBody(strings.NewReader("123456789"), 9, name)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("9\r\n123456789\r\n0\r\n%s:%s\r\n\r\n", name, base64.StdEncoding.EncodeToString(sum))
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestTrailerBodies(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 9, 15, 16, 4095, 4096, 4097, 1<<16 - 1, 1 << 16, 1<<16 + 1, 3<<16 + 5} {
		data := strings.Repeat("0123456789abcdef\n", size/17+1)[:size]
		for _, name := range append(checksum.Headers(), "") {
			for how, reading := range readings {
				r, length, err := sigv4.TrailerBody(reading(strings.NewReader(data)), int64(size), name)
				if err != nil {
					t.Fatal(err)
				}
				framed, err := io.ReadAll(r)
				if err != nil || int64(len(framed)) != length {
					t.Fatalf("%d bytes, %s, %s: %d bytes, %v; %d were announced", size, name, how, len(framed), err, length)
				}
				if name != "" && !strings.HasSuffix(string(framed), "0\r\n"+name+":"+sumOf(name, data)+"\r\n\r\n") {
					t.Fatalf("%d bytes: ends in %q", size, framed[len(framed)-80:])
				}
				got, err := io.ReadAll(verifiedUpload(t, sigv4.UnsignedPayloadTrailer, int64(size), name).Body(reading(bytes.NewReader(framed))))
				if err != nil || string(got) != data {
					t.Fatalf("%d bytes, %s, %s: read back %d bytes, %v", size, name, how, len(got), err)
				}
			}
		}
	}
}

func TestTrailerBodyRefusals(t *testing.T) {
	for _, trailer := range []string{"x-amz-checksum-md4", "x-amz-checksum-", "etag"} {
		if r, n, err := sigv4.TrailerBody(strings.NewReader(""), 0, trailer); err == nil || r != nil || n != 0 {
			t.Errorf("%s is framed", trailer)
		}
	}
	if _, _, err := sigv4.TrailerBody(strings.NewReader(""), -1, ""); err == nil {
		t.Error("a negative length is framed")
	}
	broken := errors.New("broken")
	for name, src := range map[string]io.Reader{
		"short": strings.NewReader("abcd"), "nothing": strings.NewReader(""), "long": strings.NewReader("abcdef"),
		"broken":            io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)),
		"broken at the end": io.MultiReader(strings.NewReader("abcde"), iotest.ErrReader(broken)),
	} {
		r, _, err := sigv4.TrailerBody(src, 5, "x-amz-checksum-crc32")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err == nil || strings.Contains(string(got), "\r\n0\r\n") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if strings.HasPrefix(name, "broken") && err != broken {
			t.Errorf("%s: %v is not the reader's own error", name, err)
		}
		if _, again := r.Read(make([]byte, 9)); again != err {
			t.Errorf("%s: then %v, after %v", name, again, err)
		}
	}
}

// framing is a body that announces the five bytes of hello; code is "" when it
// is right.
type framing struct{ name, framed, code string }

func refusedFraming(t *testing.T, trailer string, tests []framing) {
	for _, test := range tests {
		for how, reading := range readings {
			t.Run(test.name+" in "+how, func(t *testing.T) {
				body := verifiedUpload(t, sigv4.UnsignedPayloadTrailer, 5, trailer).Body(reading(strings.NewReader(test.framed)))
				if test.code != "" {
					refusedBody(t, body, 5, test.code)
				} else if got, err := io.ReadAll(body); err != nil || string(got) != "hello" {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
	}
}

func TestRefusedFraming(t *testing.T) {
	const crc32Name = "x-amz-checksum-crc32"
	end := crc32Name + ":" + sumOf(crc32Name, "hello") + "\r\n\r\n"
	good := "5\r\nhello\r\n0\r\n" + end
	refusedFraming(t, crc32Name, []framing{
		{"right", good, ""},
		{"two chunks", "2\r\nhe\r\n0003\r\nllo\r\n000\r\n" + end, ""},
		{"name in another case", strings.Replace(good, "x-amz", "X-Amz", 1), ""},
		{"nothing", "", "IncompleteBody"},
		{"not framed", "hello", "IncompleteBody"},
		{"not framed, with a line", "hello\r\n", "IncompleteBody"},
		{"bare LF after the size", "5\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"bare LF after the data", "5\r\nhello\n0\r\n" + end, "IncompleteBody"},
		{"bare LF at the end", strings.TrimSuffix(good, "\r\n") + "\n", "IncompleteBody"},
		{"bare CR", "5\r\rhello\r\n0\r\n" + end, "IncompleteBody"},
		{"two CR", "5\r\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"empty size", "\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size not hex", "g\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size with a prefix", "0x5\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size with a space", "5 \r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size with a sign", "+5\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size negative", "-5\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size in 16 digits", "0000000000000005\r\nhello\r\n0\r\n" + end, ""},
		{"size in 17 digits", "00000000000000005\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size beyond 64 bits", "ffffffffffffffff\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"size that wraps around", "10000000000000005\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"extension", "5;chunk-signature=a\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"line without end", strings.Repeat("0", 5000), "IncompleteBody"},
		{"chunk too long", "6\r\nhello!\r\n0\r\n" + end, "IncompleteBody"},
		{"chunk longer than its size", "4\r\nhello\r\n0\r\n" + end, "IncompleteBody"},
		{"chunk shorter than its size", "5\r\nhell\r\n0\r\n" + end, "IncompleteBody"},
		{"too few bytes", "4\r\nhell\r\n0\r\n" + end, "IncompleteBody"},
		{"too many bytes", "5\r\nhello\r\n1\r\n!\r\n0\r\n" + end, "IncompleteBody"},
		{"empty chunk in the middle", "2\r\nhe\r\n0\r\n\r\n3\r\nllo\r\n0\r\n" + end, "IncompleteBody"},
	})
	v := verifiedUpload(t, sigv4.UnsignedPayloadTrailer, 0, "")
	refusedBody(t, v.Body(strings.NewReader("")), 0, "IncompleteBody")
}

func TestRefusedTrailers(t *testing.T) {
	const crc32Name = "x-amz-checksum-crc32"
	end := crc32Name + ":" + sumOf(crc32Name, "hello") + "\r\n\r\n"
	good := "5\r\nhello\r\n0\r\n" + end
	refusedFraming(t, crc32Name, []framing{
		{"no final chunk", "5\r\nhello\r\n", "IncompleteBody"},
		{"no end of the final chunk", "5\r\nhello\r\n0", "IncompleteBody"},
		{"no trailer", "5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"},
		{"no end of the trailer", strings.TrimSuffix(good, "\r\n"), "IncompleteBody"},
		{"another trailer", strings.Replace(good, "crc32", "crc32c", 1), "MalformedTrailerError"},
		{"trailer twice", strings.TrimSuffix(good, "\r\n") + end, "MalformedTrailerError"},
		{"a second trailer", strings.TrimSuffix(good, "\r\n") + "x-amz-meta-a:b\r\n\r\n", "MalformedTrailerError"},
		{"space before the colon", strings.Replace(good, ":", " :", 1), "MalformedTrailerError"},
		{"no colon", strings.Replace(good, ":", "=", 1), "MalformedTrailerError"},
		{"long trailer", strings.Replace(good, ":", ":"+strings.Repeat("A", 5000), 1), "MalformedTrailerError"},
		{"checksum of something else", strings.Replace(good, sumOf(crc32Name, "hello"), sumOf(crc32Name, "Hello"), 1), "BadDigest"},
		{"changed data", strings.Replace(good, "hello", "hellO", 1), "BadDigest"},
		{"checksum not base64", strings.Replace(good, sumOf(crc32Name, "hello"), "!!!!!!==", 1), "InvalidRequest"},
		{"checksum of another size", strings.Replace(good, sumOf(crc32Name, "hello"), "AAAA", 1), "InvalidRequest"},
		{"checksum with stray bits", strings.Replace(good, sumOf(crc32Name, "hello"), "AAAAAB==", 1), "InvalidRequest"},
		{"checksum with a CR in it", strings.Replace(good, "==\r", "=\r=\r", 1), "InvalidRequest"},
		{"LF CR LF after the trailer, as minio-go sends it", strings.Replace(good, "==\r\n", "==\n\r\n", 1), ""},
		{"LF CR LF after the trailer, and nothing", strings.Replace(good, "==\r\n", "==\n", 1), "IncompleteBody"},
		{"a bare LF after the trailer", strings.Replace(good, "==\r\n", "==\nx\r\n", 1), "MalformedTrailerError"},
		{"checksum empty", strings.Replace(good, sumOf(crc32Name, "hello"), "", 1), "InvalidRequest"},
		{"something after the end", good + "x", "IncompleteBody"},
		{"a second body", good + good, "IncompleteBody"},
	})
	refusedFraming(t, "", []framing{{"a trailer that was not announced", good, "MalformedTrailerError"}})
}
