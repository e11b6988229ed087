// Package checksum has the checksums of S3's data model, ten of them, by the
// names of the headers and trailers in which they travel.
package checksum

import "hash"

// An Algorithm is one of them. Its value on the wire is the base64 of the sum,
// most significant byte first. The zero value is none.
type Algorithm struct {
	name string
	size int
	make func() hash.Hash
}

// ForHeader returns the algorithm of a header or trailer such as
// "x-amz-checksum-crc32", in any case; ok is false when there is none of that
// name.
func ForHeader(header string) (a Algorithm, ok bool) { return Algorithm{}, false }

// Headers lists the lower-case names of the headers, in alphabetical order.
func Headers() []string { return nil }

// Name is the name in x-amz-sdk-checksum-algorithm, such as "CRC64NVME".
func (a Algorithm) Name() string { return a.name }

// Header is the lower-case name of the header or trailer.
func (a Algorithm) Header() string { return "" }

// Size is that of the sum, in bytes.
func (a Algorithm) Size() int { return a.size }

// New returns a hash, or nil where the algorithm may not be used, as MD5 and
// SHA-1 under GODEBUG=fips140=only.
func (a Algorithm) New() hash.Hash { return a.make() }
