package s3api

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strings"

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
		if header == contentMD5 {
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
		given, err := readSum(s)
		if err != nil {
			return err
		}
		if sum := h.Sum(nil); !bytes.Equal(given, sum) {
			e := refuse("BadDigest", "The body is not what the header %s promises.", quoted(s.Name))
			if s.Name == contentMD5 {
				return e.inWords(otherMD5, Detail{"CalculatedDigest", base64.StdEncoding.EncodeToString(sum)}, Detail{"ExpectedDigest", hex.EncodeToString(given)})
			}
			return e.inWords("The " + algorithm.Name() + " you specified did not match the calculated checksum.")
		}
	}
	return nil
}

const contentMD5 = "Content-Md5"

// readSum reads the value of a checksum header.
func readSum(s Param) ([]byte, error) {
	if strings.EqualFold(s.Name, contentMD5) {
		sum, err := base64.StdEncoding.Strict().DecodeString(s.Value)
		if lax, e := base64.StdEncoding.DecodeString(s.Value); err != nil && e == nil && len(lax) == md5.Size {
			return nil, refuse("BadDigest", "The header %s is not spelt as base64 spells any sum.", quoted(s.Name)).inWords(otherMD5)
		}
		if err != nil || len(sum) != md5.Size {
			return nil, refuse("InvalidDigest", "The header %s does not hold 16 bytes in base64.", quoted(s.Name)).inWords(badMD5, Detail{"Content-MD5", s.Value})
		}
		return sum, nil
	}
	algorithm, _ := checksum.ForHeader(s.Name)
	sum, ok := algorithm.Decode(s.Value)
	if !ok {
		return nil, refuse("InvalidRequest", "The header %s does not hold a checksum in base64.", quoted(s.Name)).inWords(badValue(algorithm.Header()))
	}
	return sum, nil
}

// checkAnnounced refuses a checksum that is promised of a streamed body when
// another is announced. What else is wrong with promises is for who keeps them.
func (c *Call) checkAnnounced() error {
	announced := c.Header.Get("X-Amz-Sdk-Checksum-Algorithm")
	var sums []checksum.Algorithm
	for _, p := range c.Promised {
		if a, ok := checksum.ForHeader(p.Name); ok {
			sums = append(sums, a)
		}
	}
	if announced == "" || len(sums) != 1 || strings.EqualFold(sums[0].Name(), announced) {
		return nil
	}
	return refuse("InvalidRequest", "The header x-amz-sdk-checksum-algorithm announces %s, and what is sent is %s.", quoted(announced), sums[0].Header()).
		inWords(badValue("x-amz-sdk-checksum-algorithm"))
}
