package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector posts spans to where traces are kept, by OTLP over HTTP. The
// library's own client would bring gRPC along, a third of the program again, and
// would heed variables of the environment.
type collector struct {
	endpoint string
	client   *http.Client
	lost     func(int, error)
}

const (
	postTimeout = 10 * time.Second
	postTries   = 3
	maxReply    = 64 << 10
)

func newCollector(endpoint string, lost func(int, error)) *collector {
	return &collector{endpoint: endpoint, lost: lost, client: &http.Client{
		Timeout: postTimeout,
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: postTimeout,
			MaxIdleConnsPerHost:   1,
			IdleConnTimeout:       time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start has nothing to do.
func (c *collector) Start(context.Context) error { return nil }

// Stop closes what is open.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces posts spans. It has told of a failure itself: OpenTelemetry would
// print errors to standard error.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// The request has the form of TracesData, on purpose of who wrote the protocol.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	for try := 1; err == nil; try++ {
		var again time.Duration
		if again, err = c.post(ctx, body); err == nil || again == 0 || try == postTries {
			break
		}
		select {
		case <-time.After(again * time.Duration(try)):
			err = nil
		case <-ctx.Done():
		}
	}
	if err != nil {
		c.lost(count(spans), err)
	}
	return nil
}

func count(spans []*tracepb.ResourceSpans) (n int) {
	for _, r := range spans {
		for _, s := range r.ScopeSpans {
			n += len(s.Spans)
		}
	}
	return n
}

// post posts once. After an error, again says when to try again; 0: not at all.
func (c *collector) post(ctx context.Context, body []byte) (again time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "gimme")
	response, err := c.client.Do(r)
	if err != nil {
		return time.Second, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxReply)); err != nil {
		return 0, err
	}
	switch response.StatusCode {
	case http.StatusOK:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout: // as OTLP has it
		again = time.Second
		if seconds, bad := strconv.Atoi(response.Header.Get("Retry-After")); bad == nil && seconds > 0 {
			again = time.Duration(min(seconds, 10)) * time.Second
		}
		return again, fmt.Errorf("the collector answered %s", response.Status)
	}
	return 0, fmt.Errorf("the collector answered %s", response.Status)
}
