package s3api

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
)

// A Detail is a further element of an error document, such as the ArgumentName
// of an InvalidArgument. SDKs make fields of some.
type Detail struct{ Name, Value string }

// details are the elements of the upstream's error documents that are for the
// client: they speak of its own request and of what it asked for. Others name
// the upstream's keys, hosts and strings to sign.
var details = []string{
	"AccessTier", "ActualObjectSize", "ActualPartCount", "AdditionalMessage", "ArgumentName", "ArgumentValue", "BadChunkSize", "BucketName", "CalculatedDigest",
	"Chunk", "Condition", "Content-MD5", "ETag", "ExpectedDigest", "Header", "Key", "LocationConstraint", "MaxMessageLengthBytes", "MaxSizeAllowed",
	"Method", "MinSizeAllowed", "PartNumber", "PartNumberRequested", "ProposedSize", "RangeRequested", "ResourceType", "Size", "StorageClass",
	"TagKey", "TagValue", "UploadId", "VersionId", "additionalMessage",
}

// ParseErrorDetails reads the details of an error document that ParseErrorXML
// has understood, in their order.
func ParseErrorDetails(body []byte) []Detail {
	var doc struct {
		Elements []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(bytes.TrimSpace(body), &doc); err != nil {
		return nil
	}
	var list []Detail
	for _, e := range doc.Elements {
		if strings.EqualFold(e.Text, "authorization") {
			return nil // the upstream speaks of the sidecar's own signature
		}
		if slices.Contains(details, e.XMLName.Local) {
			list = append(list, Detail{e.XMLName.Local, e.Text})
		}
	}
	return list
}
