package devstack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"

	"github.com/rclone/gofakes3"
)

// checkDigest compares every body with the SHA-256 digest that its signature
// covers, which the server behind it does not do. Bodies without a digest pass.
func checkDigest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want, err := hex.DecodeString(r.Header.Get("X-Amz-Content-Sha256")); err == nil && len(want) == sha256.Size {
			r.Body = &digestedBody{ReadCloser: r.Body, left: r.ContentLength, sum: sha256.New(), want: string(want)}
		}
		next.ServeHTTP(w, r)
	})
}

// A digestedBody fails at its last byte when the bytes were not those that
// were announced.
type digestedBody struct {
	io.ReadCloser
	left int64 // bytes; negative when not known
	sum  hash.Hash
	want string
}

func (b *digestedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	b.left -= int64(n)
	// The server behind reads no further than the announced length, and so
	// may never see io.EOF.
	if (b.left == 0 || errors.Is(err, io.EOF)) && string(b.sum.Sum(nil)) != b.want {
		return 0, gofakes3.ErrBadDigest
	}
	return n, err
}
