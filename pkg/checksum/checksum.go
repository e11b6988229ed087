// Package checksum has the checksums of S3's data model, ten of them, by the
// names of the headers and trailers in which they travel.
//
// The names are those of ChecksumAlgorithm in the Amazon S3 API Reference.
package checksum

import (
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// prefix is what the names of the headers begin with.
const prefix = "x-amz-checksum-"

// An Algorithm is one of them. Its value on the wire is the base64 of the sum,
// most significant byte first. The zero value is none.
type Algorithm struct {
	name string
	size int
	make func() hash.Hash
	// legacy says that FIPS 140 does not approve of it.
	legacy bool
}

// find returns the algorithm of an upper-case name.
func find(name string) (Algorithm, bool) {
	switch name {
	case "CRC32":
		return Algorithm{name: name, size: 4, make: func() hash.Hash { return crc32.NewIEEE() }}, true
	case "CRC32C":
		return Algorithm{name: name, size: 4, make: func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }}, true
	case "CRC64NVME":
		return Algorithm{name: name, size: 8, make: func() hash.Hash { return crc64nvme.New() }}, true
	case "MD5":
		return Algorithm{name: name, size: md5.Size, make: md5.New, legacy: true}, true
	case "SHA1":
		return Algorithm{name: name, size: sha1.Size, make: sha1.New, legacy: true}, true
	case "SHA256":
		return Algorithm{name: name, size: sha256.Size, make: sha256.New}, true
	case "SHA512":
		return Algorithm{name: name, size: sha512.Size, make: sha512.New}, true
	case "XXHASH128":
		return Algorithm{name: name, size: 16, make: func() hash.Hash { return xxh128{xxh3.New()} }}, true
	case "XXHASH3":
		return Algorithm{name: name, size: 8, make: func() hash.Hash { return xxh3.New() }}, true
	case "XXHASH64":
		return Algorithm{name: name, size: 8, make: func() hash.Hash { return xxhash.New() }}, true
	}
	return Algorithm{}, false
}

// ForHeader returns the algorithm of a header or trailer such as
// "x-amz-checksum-crc32", in any case; ok is false when there is none of that
// name.
func ForHeader(header string) (a Algorithm, ok bool) {
	if len(header) <= len(prefix) || !strings.EqualFold(header[:len(prefix)], prefix) {
		return Algorithm{}, false
	}
	return find(strings.ToUpper(header[len(prefix):]))
}

// Headers lists the lower-case names of the headers, in alphabetical order.
func Headers() []string {
	return []string{
		prefix + "crc32", prefix + "crc32c", prefix + "crc64nvme", prefix + "md5", prefix + "sha1",
		prefix + "sha256", prefix + "sha512", prefix + "xxhash128", prefix + "xxhash3", prefix + "xxhash64",
	}
}

// Name is the name in x-amz-sdk-checksum-algorithm, such as "CRC64NVME"; "" for
// none.
func (a Algorithm) Name() string { return a.name }

// Header is the lower-case name of the header or trailer; "" for none.
func (a Algorithm) Header() string {
	if a.name == "" {
		return ""
	}
	return prefix + strings.ToLower(a.name)
}

// Size is that of the sum, in bytes.
func (a Algorithm) Size() int { return a.size }

// Length is that of the value on the wire, in characters.
func (a Algorithm) Length() int { return base64.StdEncoding.EncodedLen(a.size) }

// New returns a hash. It is nil where the algorithm may not be used, as MD5 and
// SHA-1 under GODEBUG=fips140=only, and for the zero value.
func (a Algorithm) New() hash.Hash {
	if a.make == nil || a.legacy && fips140.Enforced() {
		return nil
	}
	return a.make()
}

// Decode reads a value as it stands on the wire; ok is false when it is not the
// base64, in its one spelling, of a sum of this algorithm.
func (a Algorithm) Decode(value string) (sum []byte, ok bool) {
	if a.size == 0 || len(value) != a.Length() {
		return nil, false
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(value)
	return sum, err == nil && len(sum) == a.size
}

// xxh128 makes the 128 bits of XXH3 a hash.Hash.
type xxh128 struct{ *xxh3.Hasher }

func (xxh128) Size() int { return 16 }

func (h xxh128) Sum(b []byte) []byte {
	sum := h.Sum128()
	b = binary.BigEndian.AppendUint64(b, sum.Hi)
	return binary.BigEndian.AppendUint64(b, sum.Lo)
}
