package sigv4

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"strings"
	"sync"
)

const checksumPrefix = "x-amz-checksum-"

// A checksum is one of S3's checksums of an object. Its value on the wire is
// the base64 of the sum, most significant byte first.
type checksum struct {
	name string // of the header or trailer
	size int    // in bytes
	make func() hash.Hash
}

var checksums = []checksum{
	{"x-amz-checksum-crc32", 4, func() hash.Hash { return crc32.NewIEEE() }},
	{"x-amz-checksum-crc32c", 4, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	{"x-amz-checksum-crc64nvme", 8, func() hash.Hash { return new(crc64NVME) }},
	{"x-amz-checksum-sha1", sha1.Size, sha1.New},
	{"x-amz-checksum-sha256", sha256.Size, sha256.New},
}

func checksumFor(trailer string) (checksum, bool) {
	for _, c := range checksums {
		if c.name == trailer {
			return c, true
		}
	}
	return checksum{}, false
}

func checksumNames() string {
	names := make([]string, len(checksums))
	for i, c := range checksums {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// length is that of the value on the wire.
func (c checksum) length() int { return base64.StdEncoding.EncodedLen(c.size) }

// crc64NVME is the CRC-64 of the NVM Express specification: hash/crc64 has the
// algorithm, but not, for this polynomial, a quick table that outlives a Write.
type crc64NVME struct{ crc uint64 }

// nvmePolynomial is the polynomial, reflected.
const nvmePolynomial = 0x9a6c9329ac4bc9b5

// nvmeTables are for eight bytes at a time: tables[k][b] is the remainder of
// the byte b with k zero bytes after it.
var nvmeTables = sync.OnceValue(func() *[8][256]uint64 {
	t := new([8][256]uint64)
	for i := range 256 {
		crc := uint64(i)
		for range 8 {
			crc = crc>>1 ^ nvmePolynomial*(crc&1)
		}
		t[0][i] = crc
	}
	for k := 1; k < 8; k++ {
		for i := range 256 {
			crc := t[k-1][i]
			t[k][i] = crc>>8 ^ t[0][byte(crc)]
		}
	}
	return t
})

func (h *crc64NVME) Write(p []byte) (int, error) {
	t, n, crc := nvmeTables(), len(p), ^h.crc
	for ; len(p) >= 8; p = p[8:] {
		x := crc ^ binary.LittleEndian.Uint64(p)
		crc = t[7][byte(x)] ^ t[6][byte(x>>8)] ^ t[5][byte(x>>16)] ^ t[4][byte(x>>24)] ^
			t[3][byte(x>>32)] ^ t[2][byte(x>>40)] ^ t[1][byte(x>>48)] ^ t[0][x>>56]
	}
	for _, c := range p {
		crc = crc>>8 ^ t[0][byte(crc)^c]
	}
	h.crc = ^crc
	return n, nil
}

func (h *crc64NVME) Sum(b []byte) []byte { return binary.BigEndian.AppendUint64(b, h.crc) }
func (h *crc64NVME) Reset()              { h.crc = 0 }
func (h *crc64NVME) Size() int           { return 8 }
func (h *crc64NVME) BlockSize() int      { return 1 }
