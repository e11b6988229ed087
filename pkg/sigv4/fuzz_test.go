package sigv4_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// FuzzParse reads arbitrary requests: nothing panics, errors are *Error, and
// no signature holds under a secret that nobody signed with.
func FuzzParse(f *testing.F) {
	for _, vec := range vectors(f).Vectors {
		f.Add(vec.raw())
	}
	f.Add(sent(f, signed(f, "PUT", "/b/a b", set("X-Amz-Meta-A", "1"))))
	f.Add(sent(f, drawn{method: "GET", path: "/b/\u00e9", token: "t", header: http.Header{}}.presigned(f)))
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := http.ReadRequest(newReader(raw))
		if err != nil {
			return
		}
		s, err := sigv4.Parse(r)
		if err != nil {
			if e, ok := errors.AsType[*sigv4.Error](err); !ok || e.Code == "" || e.Message == "" || s != nil {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		if s.Service != "s3" && s.Service != "sts" {
			t.Fatalf("service %q", s.Service)
		}
		if v, err := s.VerifyBody("a secret that nobody has", nil, s.Time); v != nil || err == nil {
			t.Fatalf("verified %q", raw)
		}
		if v, err := s.Verify("a secret that nobody has", s.Time); v != nil || err == nil {
			t.Fatalf("verified %q", raw)
		}
	})
}

// FuzzChunked reads arbitrary framing, split anywhere: what is given in the
// end is what was framed, however it was split, or there is an *Error and the
// last byte was withheld.
func FuzzChunked(f *testing.F) {
	const name = "x-amz-checksum-crc32c"
	r, _, err := sigv4.TrailerBody(strings.NewReader("hello"), 5, name)
	if err != nil {
		f.Fatal(err)
	}
	framed, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(framed, uint8(1), uint8(1), true)
	f.Add([]byte("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), uint8(3), uint8(2), false)
	f.Add([]byte("5;a\r\nhello\r\n0\r\n\r\n"), uint8(7), uint8(9), false)
	with, without := verifiedUpload(f, sigv4.UnsignedPayloadTrailer, 5, name), verifiedUpload(f, sigv4.UnsignedPayloadTrailer, 5, "")
	f.Fuzz(func(t *testing.T, framed []byte, in, out uint8, trailer bool) {
		v := without
		if trailer {
			v = with
		}
		whole, wholeErr := io.ReadAll(v.Body(bytes.NewReader(framed)))
		split, splitErr := readInPieces(v.Body(&pieces{framed, int(in)%9 + 1}), int(out)%9+1)
		if (wholeErr == nil) != (splitErr == nil) || wholeErr == nil && !bytes.Equal(whole, split) {
			t.Fatalf("whole %q, %v; in pieces %q, %v", whole, wholeErr, split, splitErr)
		}
		if wholeErr == nil {
			if len(whole) != 5 || trailer && !bytes.Contains(framed, []byte(sumOf(name, string(whole)))) {
				t.Fatalf("%q was proved by %q", whole, framed)
			}
			return
		}
		for _, err := range []error{wholeErr, splitErr} {
			if _, ok := errors.AsType[*sigv4.Error](err); !ok || errors.Is(err, io.EOF) {
				t.Fatalf("%T %v", err, err)
			}
		}
		if len(whole) > 4 || len(split) > 4 {
			t.Fatalf("%q and %q were given of a body that is refused", whole, split)
		}
	})
}

// FuzzSignedChunks reads arbitrary framing of a body whose chunks were signed,
// split anywhere: the body is that one, or its last byte was withheld.
func FuzzSignedChunks(f *testing.F) {
	const trailer, text = "x-amz-checksum-crc32c", "hello, world"
	plain, framed := signedChunks(f, "", "hello, ", "world")
	trailed, framedToo := signedChunks(f, trailer, "hello, ", "world")
	f.Add([]byte(framed), uint8(1), uint8(1), false)
	f.Add([]byte(framedToo), uint8(3), uint8(2), true)
	f.Add([]byte(framedToo), uint8(9), uint8(9), false)
	f.Add([]byte("c\r\nhello, world\r\n0\r\n\r\n"), uint8(7), uint8(9), false)
	f.Fuzz(func(t *testing.T, framed []byte, in, out uint8, trailer bool) {
		v := plain
		if trailer {
			v = trailed
		}
		got, err := readInPieces(v.Body(&pieces{framed, int(in)%9 + 1}), int(out)%9+1)
		if err == nil && string(got) != text {
			t.Fatalf("%q was proved by %q", got, framed)
		}
		if err != nil {
			isRefusal(t, err)
			if len(got) >= len(text) || errors.Is(err, io.EOF) {
				t.Fatalf("%q was given of a body that is refused: %v", got, err)
			}
		}
	})
}

// pieces yields data size bytes at a time.
type pieces struct {
	data []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(p.size, len(b))], p.data)
	p.data = p.data[n:]
	return n, nil
}

func readInPieces(r io.Reader, size int) ([]byte, error) {
	var all []byte
	b := make([]byte, size)
	for {
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// FuzzPath encodes and reads back: a path and a query come out as they went
// in, or are refused for what they are.
func FuzzPath(f *testing.F) {
	for _, path := range oddPaths {
		f.Add(path, path, "value")
	}
	f.Fuzz(func(t *testing.T, path, name, value string) {
		params := []sigv4.Param{{name, value}, {"zz", ""}}
		r := signed(t, "GET", "/", nil)
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, sigv4.EscapePath(path), sigv4.EncodeQuery(params)
		if r.URL.EscapedPath() != r.URL.RawPath && path != "*" {
			t.Fatalf("net/url would send %q for %q", r.URL.EscapedPath(), r.URL.RawPath)
		}
		sigv4.Sign(r, keys, "us-east-1", "s3", sigv4.UnsignedPayload, noon)
		r.RequestURI = r.URL.RawPath + "?" + r.URL.RawQuery
		v, err := verify(r, secretKey, noon)
		if err != nil {
			e, ok := errors.AsType[*sigv4.Error](err)
			if !ok || e.Code == "SignatureDoesNotMatch" {
				t.Fatalf("%q %q: %v", path, name, err)
			}
			return
		}
		if v.Path() != path || len(v.Query()) != 2 || sigv4.EncodeQuery(v.Query()) != r.URL.RawQuery {
			t.Fatalf("%q came out as %q, %q as %q", path, v.Path(), params, v.Query())
		}
	})
}
