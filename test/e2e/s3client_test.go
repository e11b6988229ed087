package e2e_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// An operation is one thing that people do with S3.
type operation string

const (
	doPut        operation = "put"         // File as Key, in one request
	doGet        operation = "get"         // Key into File
	doHead       operation = "head"        // tells Size
	doList       operation = "list"        // tells Keys that begin with Key
	doPages      operation = "pages"       // tells Keys and Prefixes, in pages of Page
	doCopy       operation = "copy"        // Key to To, within S3
	doRange      operation = "range"       // bytes First to Last of Key into File
	doUpload     operation = "upload"      // File as Key, in parts
	doDownload   operation = "download"    // Key into File, in parts where the client can
	doDelete     operation = "delete"      // Keys, in one request
	doPresignGet operation = "presign get" // tells URL
	doPresignPut operation = "presign put" // tells URL, and Headers that go with it
	doPutTags    operation = "put tags"    // Tags of Key
	doGetTags    operation = "get tags"    // tells Tags
	doUpFolder   operation = "up"          // the files of folder File as keys that begin with Key
	doDownFolder operation = "down"        // the other way
)

// An s3Call is what a client is asked to do. Programs read it as JSON.
type s3Call struct {
	Do          operation         `json:"do"`
	Bucket      string            `json:"bucket"`
	Key         string            `json:"key"`
	To          string            `json:"to"`
	File        string            `json:"file"`
	First, Last int64             // both count
	Keys        []string          `json:"keys"`
	Tags        map[string]string `json:"tags"`

	Way       string `json:"way"`       // of doPages: v1, v2, versions, uploads
	Page      int32  `json:"page"`      // entries of a page
	Delimiter string `json:"delimiter"` // "" without
	Encoded   bool   `json:"encoded"`   // names are wanted in URL encoding
}

// An s3Reply is what a client tells.
type s3Reply struct {
	Size int64
	Keys []string
	// Prefixes are common prefixes. Of what has several, Keys are a name, a space
	// and the id.
	Prefixes []string
	URL      string
	Headers  map[string]string
	Tags     map[string]string
	Error    string // of a program; it fails the test
}

// An driven is a program or a library in the hands of somebody who has read
// docs/clients.md.
type driven interface {
	// do does one thing, and fails the test unless the client says that it
	// worked.
	do(t *testing.T, c s3Call) s3Reply
}

// An s3Place is where a client finds itself: a home with the files of a
// profile, and what it is told.
type s3Place struct {
	address string // of the sidecar: URL
	host    string // of it: with port
	secure  bool
	ca      string // a PEM file with the authority; "" without TLS
	roots   *x509.CertPool
	keys    aws.Credentials
	home    string
	virtual string // where the names under the sidecar's domain lead; "" in path style
}

// newS3Place makes a home and writes into it what `gimme s3` writes.
func newS3Place(t *testing.T, p s3Place) s3Place {
	t.Helper()
	p.home = t.TempDir()
	if err := os.Mkdir(filepath.Join(p.home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, begin := range map[string]string{"credentials": "[sidecar]", "config": "[profile sidecar]"} {
		writeFile(t, filepath.Join(p.home, ".aws", name), p.documented(t, "ini", begin))
	}
	return p
}

// env is the environment of programs on an AWS SDK.
func (p s3Place) env(settings ...string) []string {
	settings = append(settings, "AWS_PROFILE=sidecar")
	if p.secure {
		settings = append(settings, "AWS_CA_BUNDLE="+p.ca, "NODE_EXTRA_CA_CERTS="+p.ca)
	}
	return environment(p.home, settings...)
}

// exported is the environment that `gimme exec --keys` gives.
func (p s3Place) exported() []string {
	return environment(p.home, "AWS_ACCESS_KEY_ID="+p.keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+p.keys.SecretAccessKey, "AWS_SESSION_TOKEN="+p.keys.SessionToken)
}

// An s3Program is one of the clients that the matrix is made of.
type s3Program struct {
	name    string
	start   func(t *testing.T, p s3Place) driven
	folders bool                 // it moves a folder in one run, and starts too slowly for a run a key
	lacks   map[operation]string // what it has no way to do, and why
	cannot  map[string]string    // odd keys that it cannot name, and why
}

// s3Programs are all clients. What they lack stands in docs/clients.md too.
func s3Programs() []s3Program {
	return []s3Program{
		{name: "aws CLI", start: startAWSCLI, folders: true, lacks: map[operation]string{
			doPresignPut: "presigns downloads only",
		}},
		{name: "boto3", start: startBoto3},
		{name: "aws-sdk-go-v2", start: startGoSDK},
		{name: "@aws-sdk", start: startJavaScript},
		{name: "minio-go", start: startMinio},
		{name: "rclone", start: startRclone, folders: true, lacks: map[operation]string{
			doDelete:     "deletes one by one",
			doPresignPut: "presigns downloads only",
			doPutTags:    "has no command for tags",
		}, cannot: map[string]string{
			"double//slash": "takes a key for a path, in which slashes fold",
			"/leading":      "takes a key for a path, in which slashes fold",
			"trailing/":     "has no objects that are folders",
		}},
		{name: "s3cmd", start: startS3cmd, folders: true, lacks: map[operation]string{
			doRange:      "only continues a download",
			doPresignGet: "presigns with Signature Version 2 alone",
			doPresignPut: "presigns downloads only",
			doPutTags:    "has no command for tags",
		}, cannot: map[string]string{
			"trailing/": "takes it for a folder, to put the file into",
		}},
	}
}
