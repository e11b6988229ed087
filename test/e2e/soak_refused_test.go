package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// forbidden asks for what the policy does not allow.
func (w *worker) forbidden() {
	i := &intent{want: []int{http.StatusForbidden}}
	var err error
	switch w.random.IntN(5) {
	case 0:
		i.what = "blocked GetObject"
		_, err = w.alice.s3.GetObject(about(i), &s3.GetObjectInput{Bucket: w.name(), Key: aws.String("soak/shut/one")})
	case 1:
		i.what = "blocked PutObject"
		_, err = w.alice.s3.PutObject(about(i), &s3.PutObjectInput{Bucket: w.name(), Key: aws.String(fmt.Sprintf("soak/shut/%x", w.random.Uint32())), Body: bytes.NewReader(contentOf(w.random, 2000))})
	case 2:
		i.what = "blocked DeleteObject"
		_, err = w.alice.s3.DeleteObject(about(i), &s3.DeleteObjectInput{Bucket: w.name(), Key: aws.String("soak/kept/one")})
	case 3:
		i.what = "GetObject of somebody without a right"
		_, err = w.carol.s3.GetObject(about(i), &s3.GetObjectInput{Bucket: w.name(), Key: aws.String(w.stock.small(w.random).key)})
	case 4:
		i.what = "session for a role of others"
		p := *w.carol
		p.role = engineerRole
		var status int
		if status, _, err = p.assume(i); status != http.StatusOK {
			return // judged with the others
		}
	}
	w.failed(i, err)
}

// tooLate uses a session that has ended.
func (w *worker) tooLate() {
	now, err := w.alice.keys.Retrieve(about(&intent{}))
	if err != nil {
		return // said already
	}
	old := w.old
	if old.AccessKeyID == "" {
		w.old = now
	}
	if time.Since(old.Expires) < renewal+2*time.Second || old.AccessKeyID == "" {
		return
	}
	w.old = now
	w.mistaken(mistake{"GetObject with a session that has ended", http.StatusBadRequest, func(*http.Request) {}}, old)
}

// A mistake is a request that no good client sends.
type mistake struct {
	what  string
	want  int
	spoil func(*http.Request)
}

var mistakes = []mistake{
	{"unsigned GetObject", http.StatusForbidden, func(r *http.Request) { r.Header = http.Header{} }},
	{"GetObject with a wrong signature", http.StatusForbidden, func(r *http.Request) {
		head := r.Header.Get("Authorization")
		r.Header.Set("Authorization", head[:len(head)-8]+"00000000")
	}},
	{"GetObject with a token that was changed", http.StatusBadRequest, func(r *http.Request) {
		token := r.Header.Get("X-Amz-Security-Token")
		r.Header.Set("X-Amz-Security-Token", token[:len(token)-4]+strings.ToUpper(token[len(token)-4:])+"x")
	}},
	{"GetObject with an unsigned header", http.StatusForbidden, func(r *http.Request) { r.Header.Set("X-Amz-Expected-Bucket-Owner", "1234") }},
	{"GetObject of another object than was signed", http.StatusForbidden, func(r *http.Request) { r.URL.Path += "x" }},
}

// wrong sends one of them, or a body that is another than its digest says, or
// what comes too late.
func (w *worker) wrong() {
	n := w.random.IntN(len(mistakes) + 2)
	switch {
	case n == len(mistakes):
		w.otherBody()
	case n > len(mistakes):
		w.tooLate()
	default:
		if k, err := w.alice.keys.Retrieve(about(&intent{})); err == nil {
			w.mistaken(mistakes[n], k)
		}
	}
}

// mistaken makes a mistake on a request that was signed with k.
func (w *worker) mistaken(m mistake, k aws.Credentials) {
	i := &intent{what: m.what, want: []int{m.want}}
	r, err := http.NewRequestWithContext(about(i), http.MethodGet, w.sidecar.address+"/"+bucket+"/"+w.stock.small(w.random).key, nil)
	if err == nil {
		err = signRequest(r, k, hexDigest(nil))
	}
	if err != nil {
		w.fault("%s: %v", m.what, err)
		return
	}
	m.spoil(r)
	status, _, err := w.alice.do(r)
	if err != nil || status != m.want {
		w.fault("%s: %d, want %d (%v)", m.what, status, m.want, err)
	}
}

// otherBody must change nothing, on an object that may be there.
func (w *worker) otherBody() {
	o := w.things[w.random.IntN(len(w.things))]
	if !w.known(o) {
		return
	}
	i := &intent{what: "PutObject of another body than its digest says", want: []int{http.StatusBadRequest}}
	data := contentOf(w.random, 1+w.random.IntN(100_000))
	r, err := w.signedPut(i, w.alice, o.key, formDigest, data)
	if err != nil {
		return
	}
	data[w.random.IntN(len(data))] ^= 1 // the request has not been sent
	status, body, err := w.alice.do(r)
	if status == http.StatusOK || err == nil && status == 0 {
		w.fault("%s: %d %s (%v)", i.what, status, body, err)
	}
}
