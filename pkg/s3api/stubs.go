package s3api

import (
	"errors"
	"net/http"
)

type document any

var errNotYet = errors.New("not built")

func Parse(r Request) (*Call, error) { return nil, errNotYet }

func (c *Call) SetBody(xml []byte) error { return errNotYet }

func (c *Call) EncodeBody(keep func(Target) bool) []byte { return nil }

func (c *Call) Quiet() bool { return false }

// An Error is a refusal as it is sent to the client.
type Error struct {
	Code    string
	Message string
	Status  int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func StatusOf(code string) int { return 400 }

func ErrorXML(code, message, resource, requestID string) []byte { return nil }

func ParseErrorXML(body []byte) (code, message string, ok bool) { return "", "", false }

type DeleteResult struct {
	Deleted []DeletedObject
	Errors  []DeleteError
}

type DeletedObject struct {
	Key, VersionID        string
	DeleteMarker          bool
	DeleteMarkerVersionID string
}

type DeleteError struct{ Key, VersionID, Code, Message string }

func ParseDeleteResult(xml []byte) (DeleteResult, error) { return DeleteResult{}, errNotYet }

func (r DeleteResult) XML() []byte { return nil }

// A BucketList is the answer to ListBuckets.
type BucketList struct {
	Owner             Owner
	Buckets           []Bucket
	Prefix            string
	ContinuationToken string
}

type Owner struct{ ID, DisplayName string }

type Bucket struct{ Name, CreationDate, Region, ARN string }

func ParseListBuckets(xml []byte) (BucketList, error) { return BucketList{}, errNotYet }

// Filter returns the list with only the buckets that keep wants.
func (l BucketList) Filter(keep func(name string) bool) BucketList { return l }

func (l BucketList) XML() []byte { return nil }

// A CompleteResult is the answer to CompleteMultipartUpload.
type CompleteResult struct {
	Location, Bucket, Key, ETag string
	Checksums                   []Checksum
}

// A Checksum is an element such as ChecksumCRC32 and its text.
type Checksum struct{ Name, Value string }

func ParseCompleteResult(xml []byte) (CompleteResult, error) { return CompleteResult{}, errNotYet }

func (r CompleteResult) XML() []byte { return nil }

func ResponseHeader(upstream http.Header) http.Header { return nil }
