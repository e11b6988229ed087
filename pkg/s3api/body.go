package s3api

import (
	"slices"
	"strings"
)

const (
	maxObjects = 1000  // in one DeleteObjects
	maxParts   = 10000 // of one upload
)

// bodies has the documents of the operations with an XMLBody.
var bodies = map[string]element{
	"DeleteObjects": {name: "Delete", children: []element{
		{name: "Quiet", max: 1},
		{name: "Object", min: 1, max: maxObjects, children: []element{
			{name: "Key", min: 1, max: 1},
			{name: "VersionId", max: 1},
			{name: "ETag", max: 1},
			{name: "LastModifiedTime", max: 1},
			{name: "Size", max: 1},
		}},
	}},
	"CompleteMultipartUpload": {name: "CompleteMultipartUpload", children: []element{
		{name: "Part", min: 1, max: maxParts, children: slices.Concat(
			[]element{{name: "PartNumber", min: 1, max: 1}, {name: "ETag", max: 1}}, checksumElements()),
		},
	}},
}

// checksumNames has the elements in which parts and completed uploads carry
// their checksums.
var checksumNames = []string{"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumMD5", "ChecksumSHA1", "ChecksumSHA256",
	"ChecksumSHA512", "ChecksumXXHASH64", "ChecksumXXHASH3", "ChecksumXXHASH128"}

func checksumElements() []element {
	var es []element
	for _, name := range checksumNames {
		es = append(es, element{name: name, max: 1})
	}
	return es
}

// SetBody reads the document that is the body of an operation with an XMLBody,
// and checks the checksums that the headers promise of it. For DeleteObjects it
// sets Targets, those of each object in the order of the document.
//
// Keys that XML 1.0 cannot hold, which are those with control characters other
// than tab, line feed and carriage return, are refused; such an object can be
// deleted by a DeleteObject of its own.
//
// Errors are *Error; the Call is then as before.
func (c *Call) SetBody(document []byte) error {
	if c.Body != XMLBody {
		return refuse("InvalidRequest", "%s takes no document.", c.Operation)
	}
	if err := checkSums(c.sums, document); err != nil {
		return err
	}
	n, err := readXML(document, bodies[c.Operation])
	if err != nil {
		return err
	}
	if !c.op.perObject {
		if err := checkParts(n); err != nil {
			return err
		}
		c.document = n
		return nil
	}
	var targets []Target
	for _, o := range n.children {
		if o.name == "Quiet" {
			if v := strings.TrimSpace(o.text); v != "true" && v != "false" {
				return malformed("Quiet is neither true nor false")
			}
			continue
		}
		ts, err := c.objectTargets(o)
		if err != nil {
			return err
		}
		targets = append(targets, ts...)
	}
	c.document, c.Targets = n, targets
	return nil
}

// objectTargets returns the targets of one object of DeleteObjects.
func (c *Call) objectTargets(o node) ([]Target, error) {
	key, version := o.child("Key"), o.child("VersionId")
	if err := checkKey(key, c.keepDots); err != nil {
		return nil, err
	}
	if version != "" {
		if err := checkVersion(version); err != nil {
			return nil, err
		}
	}
	return slices.Concat(c.own(key, version, source{}, input{}), c.implied(key, version)), nil
}

func checkParts(n node) error {
	for _, p := range n.children {
		if v := p.child("PartNumber"); !isPartNumber(strings.TrimSpace(v)) {
			return malformed("the part number %s is not a number from 1 to %d", quoted(v), maxParts)
		}
	}
	return nil
}

func isPartNumber(s string) bool {
	n := 0
	for _, c := range []byte(s) {
		if n = 10*n + int(c-'0'); !isDigit(c) || n > maxParts {
			return false
		}
	}
	return n > 0
}

// EncodeBody returns the document that SetBody read, serialised anew. Of
// DeleteObjects it holds only the objects of which keep is true for every
// target, and is nil when there are none: then nothing is to be sent. A nil
// keep keeps everything.
//
// The checksum headers of the client speak of another document and are not in
// Header; Amazon S3 wants DeleteObjects with a checksum, such as
// x-amz-checksum-sha256, which the sender of the new document must add.
func (c *Call) EncodeBody(keep func(Target) bool) []byte {
	if c.Body != XMLBody || c.document.name == "" {
		return nil
	}
	if !c.op.perObject || keep == nil {
		return writeXML(c.document)
	}
	kept, some := node{name: c.document.name}, false
	for _, o := range c.document.children {
		if o.name == "Object" {
			targets, _ := c.objectTargets(o) // SetBody saw no error in it
			if slices.ContainsFunc(targets, func(t Target) bool { return !keep(t) }) {
				continue
			}
			some = true
		}
		kept.children = append(kept.children, o)
	}
	if !some {
		return nil
	}
	return writeXML(kept)
}

// Quiet says whether a DeleteObjects asks to hear only of what failed.
func (c *Call) Quiet() bool { return strings.TrimSpace(c.document.child("Quiet")) == "true" }
