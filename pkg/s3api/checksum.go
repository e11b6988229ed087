package s3api

import (
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// checkSums checks the checksum headers of a document. A checksum that cannot
// be checked is refused rather than passed over.
func checkSums(sums []Param, document []byte) error {
	for _, s := range sums {
		if s.Name == "X-Amz-Sdk-Checksum-Algorithm" {
			continue // announces one of the others
		}
		sum, ok := digest(s.Name, document)
		if !ok {
			return refuse("NotImplemented", "The header %s is not accepted with a document.", quoted(s.Name))
		}
		if given, err := base64.StdEncoding.DecodeString(s.Value); err != nil || len(given) != len(sum) {
			return refuse("InvalidDigest", "The header %s does not hold a checksum in base64.", quoted(s.Name))
		} else if string(given) != string(sum) {
			return refuse("BadDigest", "The body is not what the header %s promises.", quoted(s.Name))
		}
	}
	return nil
}

// nvme is the polynomial of CRC-64/NVME, in reversed bit order.
const nvme = 0x9a6c9329ac4bc9b5

func digest(header string, document []byte) ([]byte, bool) {
	switch name := strings.TrimPrefix(header, "X-Amz-Checksum-"); name {
	case "Crc32":
		return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(document)), true
	case "Crc32c":
		return binary.BigEndian.AppendUint32(nil, crc32.Checksum(document, crc32.MakeTable(crc32.Castagnoli))), true
	case "Crc64nvme":
		return binary.BigEndian.AppendUint64(nil, crc64.Checksum(document, crc64.MakeTable(nvme))), true
	case "Sha256":
		sum := sha256.Sum256(document)
		return sum[:], true
	case "Sha512":
		sum := sha512.Sum512(document)
		return sum[:], true
	case "Sha1", "Md5", "Content-Md5":
		return legacyDigest(name, document)
	default:
		return nil, false
	}
}

// legacyDigest has the algorithms that FIPS 140 does not allow.
func legacyDigest(name string, document []byte) ([]byte, bool) {
	if fips140.Enforced() {
		return nil, false
	}
	if name == "Sha1" {
		sum := sha1.Sum(document)
		return sum[:], true
	}
	sum := md5.Sum(document)
	return sum[:], true
}
