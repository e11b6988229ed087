package e2e_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// The forms that a body can have, by its x-amz-content-sha256.
const (
	formDigest        = "digest"
	formUnsigned      = "UNSIGNED-PAYLOAD"
	formTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	formChunks        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	formChunksTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	formPresigned     = "" // nothing is said of the body
)

// forms are those in which a client sends what it uploads, whole and in parts.
type forms struct{ whole, parts string }

// A former is a client. Where it has two forms over TLS, older versions have the
// second.
type former struct {
	name  string
	start func(*testing.T, s3Place) driven
	tls   []forms
	plain forms
}

func formers() []former {
	withTrailers := func(t *testing.T, p s3Place) driven { return newMinio(t, p, true) }
	botocore := []forms{{formTrailer, formTrailer}, {formUnsigned, formUnsigned}}
	digests := forms{formDigest, formDigest}
	return []former{
		{"aws CLI", startAWSCLI, botocore, digests},
		{"boto3", startBoto3, botocore, digests},
		{"aws-sdk-go-v2", startGoSDK, []forms{{formTrailer, formTrailer}}, digests},
		{"@aws-sdk", startJavaScript, []forms{{formTrailer, formDigest}}, forms{formTrailer, formDigest}},
		{"minio-go", startMinio, []forms{{formUnsigned, formUnsigned}}, forms{formChunks, formChunks}},
		{"minio-go with trailers", withTrailers, []forms{{formUnsigned, formTrailer}}, forms{formChunks, formChunksTrailer}},
		{"rclone", startRclone, []forms{{formUnsigned, formDigest}}, forms{formUnsigned, formDigest}},
		{"s3cmd", startS3cmd, []forms{digests}, digests},
	}
}

// TestPayloadForms has a recorder before the sidecar, to see in which form each
// client sends a body. All forms that there are come in, and what they carry
// arrives.
func TestPayloadForms(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen, ran := map[string]bool{}, 0
	t.Cleanup(func() {
		if ran < 2*len(formers()) { // some failed, or were not asked for
			return
		}
		for _, form := range []string{formDigest, formUnsigned, formTrailer, formChunks, formChunksTrailer} {
			if !seen[form] {
				t.Errorf("no client sent %s", form)
			}
		}
	})
	for _, tr := range startTransports(t) {
		for _, f := range formers() {
			t.Run(f.name+" over "+tr.name, func(t *testing.T) {
				t.Parallel()
				want := []forms{f.plain}
				if tr.server != nil {
					want = f.tls
				}
				got := sentForms(t, tr, f)
				if !slices.Contains(want, got) {
					t.Errorf("it sends %+v, not %+v", got, want)
				}
				mu.Lock()
				defer mu.Unlock()
				seen[got.whole], seen[got.parts] = true, true
				ran++
			})
		}
	}
}

// sentForms has f upload through a recorder.
func sentForms(t *testing.T, tr transport, f former) forms {
	t.Helper()
	hop := tr.hop(t)
	p := tr.place
	p.address = hop.endpoint
	_, p.host, _ = strings.Cut(hop.endpoint, "://")
	p = newS3Place(t, p)
	s := &stage{driven: f.start(t, p), s3Place: p, upstream: tr.sidecar.upstream, bucket: newBucket(t, tr.sidecar.upstream, "forms-"+f.name+"-"+tr.name)}
	whole, parts := newFile(t, 100_000), newFile(t, 17<<20)
	s.do(t, s3Call{Do: doPut, Key: "whole", File: whole.path})
	s.do(t, s3Call{Do: doUpload, Key: "parts", File: parts.path})
	s.has(t, "whole", whole)
	s.has(t, "parts", parts)
	var got forms
	for _, r := range hop.requests() {
		switch {
		case strings.HasPrefix(r.line, "PUT /"+s.bucket+"/whole"):
			note(t, &got.whole, r)
		case strings.HasPrefix(r.line, "PUT /"+s.bucket+"/parts?") && strings.Contains(r.line, "partNumber="):
			note(t, &got.parts, r)
		}
	}
	return got
}

// note keeps the form of r. A client has one for all of a kind.
func note(t *testing.T, form *string, r head) {
	t.Helper()
	this := r.header.Get("X-Amz-Content-Sha256")
	if len(this) == 64 && strings.Trim(this, "0123456789abcdef") == "" {
		this = formDigest
	}
	if *form != "" && *form != this {
		t.Errorf("%s has the form %s, and one before it %s", r.line, this, *form)
	}
	*form = this
}
