// Package alert posts alerts to a webhook, signed as Standard Webhooks has it
// (https://www.standardwebhooks.com): an id that stays the same when an alert is
// sent again, the time, and an HMAC-SHA256 over both and the body.
//
// Alerts wait in a bounded queue, and are sent again while the receiver does not
// take them, for a quarter of an hour or so. What is then left is dropped and
// logged: the audit log, which is written first, has it all the same.
package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

const (
	// room is how many alerts wait at most.
	room = 256

	// attempts and the pauses between them make some 14 minutes.
	attempts  = 20
	longPause = time.Minute

	timeout = 10 * time.Second

	// farewell is how long what waits is still sent when the sidecar stops.
	farewell = 5 * time.Second
)

// Options say where alerts go. All but Roots and Log are required.
type Options struct {
	URL   string
	Key   secret.Text // what begins with whsec_ is Base64 of the key proper
	Roots *x509.CertPool
	Log   *slog.Logger

	// Dial makes connections; nil: as usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Sender sends alerts to one webhook. Make one with New, and have Run run.
type Sender struct {
	url    string
	key    []byte
	log    *slog.Logger
	client *http.Client
	queue  chan waiting
}

// A waiting alert is ready to be sent.
type waiting struct {
	id   string
	body []byte
}

// New makes a sender that sends nothing yet.
func New(o Options) (*Sender, error) {
	key, err := keyOf(o.Key)
	if err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           o.Dial,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		IdleConnTimeout:       timeout,
		MaxConnsPerHost:       1,
		ForceAttemptHTTP2:     true,
	}
	if o.Dial == nil {
		transport.DialContext = (&net.Dialer{Timeout: timeout}).DialContext
	}
	if o.Roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	}
	return &Sender{url: o.URL, key: key, log: log, queue: make(chan waiting, room), client: &http.Client{
		Transport: transport,
		Timeout:   timeout,
		// A redirect would take an alert to somebody who was not meant.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// leastKey is the length of the shortest key, in bytes.
const leastKey = 24

// CheckKey says what is wrong with a key.
func CheckKey(key secret.Text) error {
	_, err := keyOf(key)
	return err
}

func keyOf(key secret.Text) ([]byte, error) {
	raw := []byte(key.Reveal())
	if encoded, ok := strings.CutPrefix(key.Reveal(), "whsec_"); ok {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("the signing key begins with whsec_, and what follows is not Base64")
		}
	}
	if len(raw) < leastKey {
		return nil, fmt.Errorf("the signing key is shorter than %d bytes; make one with: openssl rand -base64 32", leastKey)
	}
	return raw, nil
}

// Send queues an alert, whose id is nobody else's, and does not wait. The value
// is sent as JSON.
func (s *Sender) Send(id string, alert any) {
	body, err := json.Marshal(alert)
	if err != nil {
		s.log.Error("an alert cannot be sent", "id", id, "cause", err)
		return
	}
	select {
	case s.queue <- waiting{id, body}:
	default:
		s.log.Error("an alert is dropped, because too many wait to be sent", "id", id, "waiting", room)
	}
}

// Run sends what is queued, in order, until ctx ends, and then what can still be
// sent in a moment.
func (s *Sender) Run(ctx context.Context) {
	defer s.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			s.finish(nil)
			return
		case w := <-s.queue:
			if !s.deliver(ctx, w) {
				s.finish(&w)
				return
			}
		}
	}
}

// finish sends each alert that is left once.
func (s *Sender) finish(current *waiting) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	for {
		if current == nil {
			select {
			case w := <-s.queue:
				current = &w
			default:
				return
			}
		}
		if _, err := s.post(ctx, *current); err != nil {
			s.log.Error("an alert was not sent before the sidecar stopped", "id", current.id, "cause", err)
		}
		current = nil
	}
}

// deliver sends w until it is taken, or will not be. It returns false when ctx
// has ended before that.
func (s *Sender) deliver(ctx context.Context, w waiting) bool {
	pause := time.Second
	for n := 1; ; n++ {
		again, err := s.post(ctx, w)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case !again || n == attempts:
			s.log.Error("an alert is dropped, because the webhook does not take it", "id", w.id, "attempts", n, "cause", err)
			return true
		case n == 1:
			s.log.Warn("an alert was not taken, and is sent again", "id", w.id, "cause", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// post sends w once. It says whether another attempt may help.
func (s *Sender) post(ctx context.Context, w waiting) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(w.body))
	if err != nil {
		return false, errors.New("the webhook's URL cannot be used")
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"gimme"},
		"Webhook-Id": {w.id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1," + signature(s.key, w.id, stamp, w.body)},
	}
	response, err := s.client.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // it would quote the URL
			err = u.Err
		}
		return true, err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	status := response.StatusCode
	if status >= 200 && status < 300 {
		return false, nil
	}
	again = status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests
	return again, fmt.Errorf("the webhook answered %d", status)
}

// signature signs id, stamp and body, divided by dots.
func signature(key []byte, id, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
