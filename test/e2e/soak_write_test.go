package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// write puts new content into an object, in one of the forms that a body has.
func (w *worker) write(o *thing) {
	if !w.free(o) {
		return
	}
	size := w.random.IntN(64 << 10)
	if w.random.IntN(10) == 0 {
		size = 512<<10 + w.random.IntN(1<<20)
	}
	data := contentOf(w.random, size)
	forms := []string{formTrailer, formTrailer + " CRC64NVME", formDigest, formUnsigned, formChunks, formChunksTrailer}
	form := forms[w.random.IntN(len(forms))]
	i := &intent{what: "PutObject " + form}
	var err error
	switch form {
	case formTrailer, formTrailer + " CRC64NVME":
		input := &s3.PutObjectInput{Bucket: w.name(), Key: &o.key, Body: bytes.NewReader(data)}
		if form != formTrailer {
			input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
		}
		_, err = w.alice.s3.PutObject(about(i), input)
	default:
		err = w.putOnce(i, o.key, form, data)
	}
	w.failed(i, err)
	o.wrote(sha256.Sum256(data), err == nil, w.journal.sure(i))
}

// putOnce sends a body in a form that the SDK does not choose, without trying
// again.
func (w *worker) putOnce(i *intent, key, form string, data []byte) error {
	r, err := w.signedPut(i, w.alice, key, form, data)
	if err != nil {
		return err
	}
	status, body, err := w.alice.do(r)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	return err
}

// signedPut signs an upload in a form.
func (w *worker) signedPut(i *intent, p *soakPerson, key, form string, data []byte) (*http.Request, error) {
	ctx := about(i)
	k, err := p.keys.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.sidecar.address+"/"+bucket+"/"+key, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if form == formChunks || form == formChunksTrailer {
		if form == formChunksTrailer {
			sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
			r.Trailer = http.Header{"X-Amz-Checksum-Crc32c": {base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))}}
		}
		r = signer.StreamingSignV4(r, k.AccessKeyID, k.SecretAccessKey, k.SessionToken, "us-east-1", int64(len(data)), time.Now().UTC(), closedHash{sha256.New()})
		r.GetBody = nil
		return r.WithContext(ctx), nil
	}
	sum := formUnsigned
	if form == formDigest {
		sum = hexDigest(data)
	}
	return r, signRequest(r, k, sum)
}

func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// signRequest signs with what stands for the body.
func signRequest(r *http.Request, k aws.Credentials, payload string) error {
	r.Header.Set("X-Amz-Content-Sha256", payload)
	plain := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return plain.SignHTTP(r.Context(), k, r, payload, "s3", "us-east-1", time.Now())
}

// A closedHash is a hash as minio-go wants it.
type closedHash struct{ hash.Hash }

func (closedHash) Close() {}

// upload uploads large objects in parts until ctx ends.
func (w *worker) upload(ctx context.Context) {
	defer w.alice.leave()
	for wait(ctx, time.Duration(500+w.random.IntN(1500))*time.Millisecond) {
		o := w.things[w.random.IntN(3)]
		if !w.free(o) {
			continue
		}
		data := contentOf(w.random, 5<<20+w.random.IntN(7<<20))
		i := &intent{what: "upload in parts"}
		_, err := w.alice.parts.UploadObject(about(i), &transfermanager.UploadObjectInput{Bucket: w.name(), Key: &o.key, Body: bytes.NewReader(data)})
		w.failed(i, err)
		o.wrote(sha256.Sum256(data), err == nil, w.journal.sure(i))
		if err == nil {
			w.readParts(o)
		}
	}
}

// readParts downloads as the transfer manager does, by ranges at once.
func (w *worker) readParts(o *thing) {
	i := &intent{what: "download in parts"}
	got, err := w.alice.parts.GetObject(about(i), &transfermanager.GetObjectInput{Bucket: w.name(), Key: &o.key})
	if err == nil {
		sum := sha256.New()
		if _, err = io.Copy(sum, got.Body); err == nil && contentSum(sum.Sum(nil)) != o.may[0] {
			w.fault("%s came back in parts as something else", o.key)
		}
	}
	w.failed(i, err)
}
