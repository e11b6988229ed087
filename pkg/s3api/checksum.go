package s3api

import (
	"bytes"
	"encoding/base64"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// checkSums checks the checksum headers of a document. A checksum that cannot
// be checked is refused rather than passed over.
func checkSums(sums []Param, document []byte) error {
	for _, s := range sums {
		switch s.Name {
		case "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type":
			continue // announce one of the others
		}
		header := s.Name
		if header == "Content-Md5" {
			header = "x-amz-checksum-md5"
		}
		algorithm, ok := checksum.ForHeader(header)
		if !ok {
			return refuse("NotImplemented", "The header %s is not accepted with a document.", quoted(s.Name))
		}
		h := algorithm.New()
		if h == nil {
			return refuse("NotImplemented", "The header %s holds a checksum that FIPS 140 does not allow here; use SHA-256.", quoted(s.Name))
		}
		h.Write(document) // never fails
		given, err := base64.StdEncoding.Strict().DecodeString(s.Value)
		if err != nil || len(given) != algorithm.Size() {
			return refuse("InvalidDigest", "The header %s does not hold a checksum in base64.", quoted(s.Name))
		}
		if !bytes.Equal(given, h.Sum(nil)) {
			return refuse("BadDigest", "The body is not what the header %s promises.", quoted(s.Name))
		}
	}
	return nil
}
