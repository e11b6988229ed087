package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

func BenchmarkParse(b *testing.B) {
	r := received(b, sent(b, signed(b, "GET", "/bucket/folder/a file.csv", set("Range", "bytes=0-1"))))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sigv4.Parse(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify and BenchmarkSign are of somebody's first request and of those
// that follow, for which the signing key has been kept.
func BenchmarkVerify(b *testing.B) {
	s, err := sigv4.Parse(received(b, sent(b, signed(b, "GET", "/bucket/folder/a file.csv", set("Range", "bytes=0-1")))))
	if err != nil {
		b.Fatal(err)
	}
	for name, keys := range map[string]*sigv4.Keys{"first": nil, "next": new(sigv4.Keys)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.VerifyWith(keys, secretKey, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	r := newRequest(b, "GET", "/bucket/folder/a file.csv", nil, "")
	for name, kept := range map[string]*sigv4.Keys{"first": nil, "next": new(sigv4.Keys)} {
		b.Run(name, func(b *testing.B) {
			c := keys
			c.Keys = kept
			b.ReportAllocs()
			for b.Loop() {
				sigv4.Sign(r, c, "us-east-1", "s3", sigv4.UnsignedPayload, noon)
			}
		})
	}
}

// BenchmarkBody reads 8 MiB, in chunks of 64 KiB where they are signed; what it
// allocates does not grow with the chunks.
func BenchmarkBody(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	sum := sha256.Sum256(data)
	run := func(name string, v *sigv4.Verified, sent []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if n, err := io.CopyBuffer(writer{io.Discard}, v.Body(bytes.NewReader(sent)), make([]byte, 32<<10)); err != nil || n != int64(len(data)) {
					b.Fatal(n, err)
				}
			}
		})
	}
	run("unsigned", verifiedUpload(b, sigv4.UnsignedPayload, int64(len(data)), ""), data)
	run("sha256", verifiedUpload(b, hex.EncodeToString(sum[:]), int64(len(data)), ""), data)
	for _, trailer := range []string{"", "x-amz-checksum-crc32", "x-amz-checksum-crc64nvme"} {
		r, _, err := sigv4.TrailerBody(bytes.NewReader(data), int64(len(data)), trailer)
		if err != nil {
			b.Fatal(err)
		}
		framed, err := io.ReadAll(r)
		if err != nil {
			b.Fatal(err)
		}
		run(strings.TrimSpace("chunked "+trailer), verifiedUpload(b, sigv4.UnsignedPayloadTrailer, int64(len(data)), trailer), framed)
	}
	for _, trailer := range []string{"", "x-amz-checksum-crc64nvme"} {
		v, framed := signedChunks(b, trailer, inChunks(data)...)
		run(strings.TrimSpace("signed "+trailer), v, []byte(framed))
	}
}

// inChunks cuts data into pieces of the size that SDKs sign.
func inChunks(data []byte) []string {
	var chunks []string
	for c := range slices.Chunk(data, 64<<10) {
		chunks = append(chunks, string(c))
	}
	return chunks
}

func BenchmarkTrailerBody(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, _, err := sigv4.TrailerBody(bytes.NewReader(data), int64(len(data)), "x-amz-checksum-crc64nvme")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(writer{io.Discard}, r, make([]byte, 32<<10)); err != nil {
			b.Fatal(err)
		}
	}
}

// A writer hides io.ReaderFrom, so that the copy uses the buffer it was given.
type writer struct{ io.Writer }

// TestChunksDoNotAllocate holds the decoder to a number of allocations that
// does not depend on the number of chunks.
func TestChunksDoNotAllocate(t *testing.T) {
	const trailer = "x-amz-checksum-crc64nvme"
	buf := make([]byte, 32<<10)
	allocations := func(v *sigv4.Verified, framed []byte) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := io.CopyBuffer(writer{io.Discard}, v.Body(bytes.NewReader(framed)), buf); err != nil {
				t.Fatal(err)
			}
		})
	}
	unsigned := func(size int) float64 {
		r, _, err := sigv4.TrailerBody(bytes.NewReader(make([]byte, size)), int64(size), trailer)
		if err != nil {
			t.Fatal(err)
		}
		framed, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return allocations(verifiedUpload(t, sigv4.UnsignedPayloadTrailer, int64(size), trailer), framed)
	}
	signed := func(size int) float64 {
		v, framed := signedChunks(t, trailer, inChunks(make([]byte, size))...)
		return allocations(v, []byte(framed))
	}
	for name, of := range map[string]func(int) float64{"unsigned": unsigned, "signed": signed} {
		if few, many := of(64<<10), of(4<<20); many > few+2 {
			t.Errorf("%s: %v allocations for one chunk, %v for 64", name, few, many)
		}
	}
}

// TestFramingDoesNotAllocate is the same for TrailerBody.
func TestFramingDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 32<<10)
	allocations := func(size int) float64 {
		data := make([]byte, size)
		return testing.AllocsPerRun(5, func() {
			r, _, err := sigv4.TrailerBody(bytes.NewReader(data), int64(size), "x-amz-checksum-crc64nvme")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyBuffer(writer{io.Discard}, r, buf); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocations(64<<10), allocations(4<<20); many > few+2 {
		t.Errorf("%v allocations for one chunk, %v for 64", few, many)
	}
}
