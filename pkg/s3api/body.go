package s3api

import (
	"errors"
	"slices"
	"strings"
)

const maxParts = 10000 // of one upload

// checksumNames has the elements in which parts and completed uploads carry
// their checksums.
var checksumNames = []string{"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumMD5", "ChecksumSHA1", "ChecksumSHA256",
	"ChecksumSHA512", "ChecksumXXHASH64", "ChecksumXXHASH3", "ChecksumXXHASH128"}

// MaxBody returns the length in bytes of the longest document that SetBody
// takes, 0 for an operation without one. It is at most MaxXMLBody.
func (c *Call) MaxBody() int64 {
	switch {
	case c.Body != XMLBody:
		return 0
	case c.op.longest == 0:
		return maxDocument
	default:
		return int64(c.op.longest)
	}
}

// SetBody reads the document that is the body of an operation with an XMLBody,
// and checks the checksums that the headers promise of it. It sets Targets: for
// DeleteObjects to those of each object in the order of the document, for
// others to what path and headers said and to the buckets that the document
// names, as destinations do. A document that the operation can do without may
// be empty.
//
// Keys that XML 1.0 cannot hold, which are those with control characters other
// than tab, line feed and carriage return, are refused; such an object can be
// deleted by a DeleteObject of its own.
//
// Errors are *Error; the Call is then as before.
func (c *Call) SetBody(document []byte) error { return c.named(c.setBody(document)) }

func (c *Call) setBody(document []byte) error {
	if c.Body != XMLBody {
		return refuse("InvalidRequest", "%s takes no document.", c.Operation)
	}
	if int64(len(document)) > c.MaxBody() {
		return refuse("MaxMessageLengthExceeded", "The document is %d bytes long; %s takes %d.", len(document), c.Operation, c.MaxBody())
	}
	if err := checkSums(c.sums, document); err != nil {
		return err
	}
	switch {
	case c.op.document == policyDocument:
		policy, err := readPolicy(document)
		if err != nil {
			return err
		}
		c.policy = policy
		return nil
	case c.op.optional && len(document) == 0:
		c.Header.Del("Content-Type")
		return nil
	}
	n, err := c.readDocument(document)
	if err != nil {
		return err
	}
	targets, err := c.targetsOf(n)
	if err != nil {
		return err
	}
	c.document, c.Targets = n, targets
	return nil
}

// readDocument reads a document in XML, of which some have codes of their own.
func (c *Call) readDocument(document []byte) (node, error) {
	if c.op.document == "ObjectLockConfiguration" && len(document) == 0 {
		return node{}, refuse("MissingRequestBodyError", "%s needs a document.", c.Operation).inWords("Request Body is empty")
	}
	n, err := readXML(document, documents()[c.op.document])
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "MalformedXML" && c.op.document == "AccessControlPolicy" {
		e.Code = "MalformedACLError"
	}
	return n, err
}

// targetsOf returns all that the request touches, now that its document has
// been read.
func (c *Call) targetsOf(n node) ([]Target, error) {
	if c.op.perObject {
		return c.targetsOfObjects(n)
	}
	var err error
	switch c.op.document {
	case "CompleteMultipartUpload":
		err = checkParts(n)
	case "Tagging":
		_, err = tagsIn(n)
	}
	if err != nil {
		return nil, err
	}
	read := *c
	read.document = n
	targets := slices.Concat(read.own(c.Key, c.VersionID, source{}, input{}), c.implied(c.Key, c.VersionID, source{}))
	return c.targetsIn(n, targets)
}

// targetsIn appends the targets that the elements of n name. Names of buckets
// lose the white space around them, so that every reader sees the same.
func (c *Call) targetsIn(n node, targets []Target) ([]Target, error) {
	for i, child := range n.children {
		var added Target
		switch e := child.element; {
		case e.bucket != "":
			bucket, err := bucketNamed(strings.TrimSpace(child.text))
			if err != nil {
				return nil, err
			}
			n.children[i].text = strings.TrimSpace(child.text)
			added = Target{Updates, e.bucket, bucket, "", "", Under}
		case e.manages != "":
			added = Target{Manages, e.manages, c.Bucket, "", "", Under}
		}
		targets = appendNew(targets, added)
		var err error
		if targets, err = c.targetsIn(child, targets); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// bucketNamed reads the name of a bucket, or its ARN, as configurations name
// their destinations.
func bucketNamed(s string) (string, error) {
	arn, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return s, checkBucket(s)
	}
	partition, name, ok := strings.Cut(arn, ":s3:::")
	if !ok || strings.Trim(partition, "abcdefghijklmnopqrstuvwxyz-") != "" || partition == "" {
		return "", refuse("NotImplemented", "The destination %s is no bucket; access points and other second names of a bucket are not served, "+
			"use the bucket's own name or ARN.", quoted(s))
	}
	return name, checkBucket(name)
}

func (c *Call) targetsOfObjects(n node) ([]Target, error) {
	var targets []Target
	for _, o := range n.children {
		if o.name == "Quiet" {
			if v := strings.TrimSpace(o.text); v != "true" && v != "false" {
				return nil, malformed("Quiet is neither true nor false")
			}
			continue
		}
		ts, err := c.objectTargets(o)
		if err != nil {
			return nil, err
		}
		targets = append(targets, ts...)
	}
	return targets, nil
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
	return slices.Concat(c.own(key, version, source{}, input{}), c.implied(key, version, source{})), nil
}

func checkParts(n node) error {
	for _, p := range n.children {
		switch v := strings.TrimSpace(p.child("PartNumber")); {
		case isPartNumber(v):
		case v == "0" || strings.HasPrefix(v, "-") && isPartNumber(v[1:]):
			return refuse("InvalidArgument", "The part number %s is not a number from 1 to %d.", quoted(v), maxParts).about("PartNumber", v, "PartNumber must be >= 1")
		default:
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

// EncodeBody returns the document that SetBody read, serialised anew, and nil
// when there was none. Of DeleteObjects it holds only the objects of which keep
// is true for every target, and is nil when there are none: then nothing is to
// be sent. A nil keep keeps everything.
//
// The checksum headers of the client speak of another document and are not in
// Header; where NeedsChecksum is set the sender of the new document must add
// one, such as x-amz-checksum-sha256.
func (c *Call) EncodeBody(keep func(Target) bool) []byte {
	switch {
	case c.policy != nil:
		return c.policy
	case c.document.name == "":
		return nil
	case !c.op.perObject || keep == nil:
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
