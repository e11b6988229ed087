package devstack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/gimme-broker/gimme/internal/secret"
)

// An S3 is a server that keeps objects in memory and answers only to requests
// signed with its one key pair.
//
// It knows fewer operations than AWS and checks less: in particular it reads
// no checksum trailer and accepts x-amz headers that are not signed. The
// sidecar in front of it must not lean on it.
type S3 struct {
	endpoint string
	key      string
	secret   secret.Text
	objects  *s3mem.Backend
	server   *http.Server
	served   chan error
}

// StartS3 starts a server on a free port of 127.0.0.1 with empty buckets and a
// key pair that nobody has seen before.
func StartS3(buckets ...string) (*S3, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	s := &S3{
		endpoint: "http://" + listener.Addr().String(),
		key:      "DEV" + rand.Text()[:17],
		secret:   secret.New(rand.Text() + rand.Text()),
		objects:  s3mem.New(),
		served:   make(chan error, 1),
	}
	for _, b := range buckets {
		if err := s.objects.CreateBucket(context.Background(), b); err != nil {
			return nil, errors.Join(fmt.Errorf("create bucket %q: %w", b, err), listener.Close())
		}
	}
	fake := gofakes3.New(s.objects, gofakes3.WithV4Auth(map[string]string{s.key: s.secret.Reveal()}))
	s.server = newServer(checkDigest(fake.Server()))
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// newServer has the limits that both servers of the stack need.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
}

// Endpoint is the server's URL, without a slash at the end.
func (s *S3) Endpoint() string { return s.endpoint }

// AccessKeyID is the public half of the one key pair.
func (s *S3) AccessKeyID() string { return s.key }

// SecretAccessKey is the other half.
func (s *S3) SecretAccessKey() secret.Text { return s.secret }

// Put stores an object, past the network and the signature.
func (s *S3) Put(ctx context.Context, bucket, key string, data []byte) error {
	meta := map[string]string{"Content-Type": "text/csv"}
	_, err := s.objects.PutObject(ctx, bucket, key, meta, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("put %s/%s: %w", bucket, key, err)
	}
	return nil
}

// Object returns what is stored, past the network and the signature, and so
// past anything that might hide it. The error says that there is no such
// object.
func (s *S3) Object(ctx context.Context, bucket, key string) ([]byte, error) {
	o, err := s.objects.GetObject(ctx, bucket, key, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s/%s: %w", bucket, key, err)
	}
	data, err := io.ReadAll(o.Contents)
	return data, errors.Join(err, o.Contents.Close())
}

// Close stops the server and waits until it has stopped. What it kept is gone.
func (s *S3) Close() error {
	err := s.server.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
