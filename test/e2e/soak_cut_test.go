package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// breakOff is one client after the other that dies in the middle of something,
// until ctx ends.
func (w *worker) breakOff(ctx context.Context) {
	defer w.alice.leave()
	for n := 0; wait(ctx, time.Duration(100+w.random.IntN(400))*time.Millisecond); n++ {
		switch n % 6 {
		case 0:
			w.cutGet()
		case 1:
			w.cutHead()
		case 2:
			w.cutPut("PutObject, cut", formDigest)
		case 3:
			w.cutPut("PutObject, cut within a chunk", formChunks)
		case 4:
			w.cutPart()
		case 5:
			w.garble()
		}
	}
}

// cutGet dies in the middle of an answer.
func (w *worker) cutGet() {
	i := &intent{what: "GetObject, cut", cut: true}
	r, err := w.signedGet(i, w.stock.big().key)
	if err != nil {
		return
	}
	a := w.journal.begin(i, r)
	r.Header.Set("User-Agent", a.tag)
	c, response, err := w.ask(r, a)
	if err == nil {
		_, err = io.CopyN(io.Discard, response.Body, int64(w.random.IntN(1<<20)))
		resetConn(c.raw)
	}
	w.journal.end(a, err)
}

// cutHead dies before its request is one.
func (w *worker) cutHead() {
	w.deeds.add(halfHeads)
	i := &intent{what: "a head, cut", cut: true}
	r, err := w.signedGet(i, w.stock.big().key)
	if err != nil {
		return
	}
	a := w.journal.begin(i, r)
	r.Header.Set("User-Agent", a.tag)
	text, head, err := bytesOf(r)
	if err == nil {
		err = w.sendPart(text[:head/2])
	}
	w.journal.end(a, err)
}

func (w *worker) sendPart(text []byte) error {
	c, err := w.dial()
	if err != nil {
		return err
	}
	defer resetConn(c.raw)
	_, err = c.Write(text)
	return err
}

// cutPut dies in the middle of a body, after the sidecar has begun to read it.
// What was in the object stays.
func (w *worker) cutPut(what, form string) {
	o := w.things[w.random.IntN(len(w.things))]
	if !w.known(o) {
		return
	}
	i := &intent{what: what, cut: true}
	r, err := w.signedPut(i, w.alice, o.key, form, contentOf(w.random, 1000+w.random.IntN(1<<20)))
	if err != nil {
		return
	}
	w.cutBody(i, r)
}

// cutBody sends a part of a request's body and dies, once with a reset and once
// with the end of what it has to say.
func (w *worker) cutBody(i *intent, r *http.Request) {
	a := w.journal.begin(i, r)
	r.Header.Set("User-Agent", a.tag)
	r.Header.Set("Expect", "100-continue") // so that it is known when the sidecar reads
	text, head, err := bytesOf(r)
	if err == nil {
		err = w.sendUntil(a, r, text, head, head+w.random.IntN(len(text)-head))
	}
	w.journal.end(a, err)
}

func (w *worker) sendUntil(a *attempt, r *http.Request, text []byte, head, end int) error {
	c, err := w.dial()
	if err != nil {
		return err
	}
	a.heads.Add(1)
	if _, err := c.Write(text[:head]); err != nil {
		c.raw.Close()
		return err
	}
	response, err := http.ReadResponse(c.in, r)
	if err != nil {
		c.raw.Close()
		return err
	}
	if response.StatusCode != http.StatusContinue { // the weather
		w.journal.answered(a, response)
		c.raw.Close()
		return nil
	}
	_, err = c.Write(text[head:end])
	if w.random.IntN(3) == 0 {
		_ = c.CloseWrite()
		c.raw.Close()
	} else {
		resetConn(c.raw)
	}
	return err
}

// cutPart dies in the middle of an upload in parts. There is no object.
func (w *worker) cutPart() {
	o := w.things[w.random.IntN(len(w.things))]
	begun := &intent{what: "CreateMultipartUpload"}
	upload, err := w.alice.s3.CreateMultipartUpload(about(begun), &s3.CreateMultipartUploadInput{Bucket: w.name(), Key: &o.key})
	w.failed(begun, err)
	if err != nil {
		return
	}
	first := &intent{what: "UploadPart"}
	_, err = w.alice.s3.UploadPart(about(first), &s3.UploadPartInput{Bucket: w.name(), Key: &o.key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(contentOf(w.random, 100_000))})
	w.failed(first, err)

	i := &intent{what: "UploadPart, cut", cut: true}
	k, err := w.alice.keys.Retrieve(about(i))
	if err != nil {
		return
	}
	data := contentOf(w.random, 200_000)
	target := fmt.Sprintf("%s/%s/%s?partNumber=2&uploadId=%s", w.sidecar.address, bucket, o.key, aws.ToString(upload.UploadId))
	r, err := http.NewRequestWithContext(about(i), http.MethodPut, target, bytes.NewReader(data))
	if err == nil {
		err = signRequest(r, k, hexDigest(data))
	}
	if err != nil {
		w.fault("%s: %v", i.what, err)
		return
	}
	w.cutBody(i, r)
	if w.random.IntN(2) == 0 { // others are never heard of again
		gone := &intent{what: "AbortMultipartUpload"}
		_, err := w.alice.s3.AbortMultipartUpload(about(gone), &s3.AbortMultipartUploadInput{Bucket: w.name(), Key: &o.key, UploadId: upload.UploadId})
		w.failed(gone, err)
	}
}

// garble sends what is no HTTP, which is answered, and on record.
func (w *worker) garble() {
	i := &intent{what: "no HTTP", want: []int{http.StatusBadRequest}}
	a := w.journal.begin(i, nil)
	a.tag = "" // it has no User-Agent
	c, err := w.dial()
	if err == nil {
		a.heads.Add(1)
		var response *http.Response
		if _, err = c.Write([]byte("THIS IS\x01 NOT HTTP\r\n\r\n")); err == nil {
			if response, err = http.ReadResponse(c.in, nil); err == nil {
				w.journal.answered(a, response)
			}
		}
		c.raw.Close()
	}
	w.journal.end(a, err)
}
