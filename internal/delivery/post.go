package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// maxAnswer is how much of a sink's answer is read.
const maxAnswer = 16 << 20

// A poster sends requests to one HTTP sink.
type poster struct {
	client *http.Client
	sink   Sink
}

func newPoster(s Sink) (*poster, error) {
	tlsConf, err := tlsConfig(s)
	if err != nil {
		return nil, err
	}
	return &poster{sink: s, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:       tlsConf,
			TLSHandshakeTimeout:   10 * time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   1,
			ForceAttemptHTTP2:     true,
			ExpectContinueTimeout: time.Second,
		},
		// A redirect would take the secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (p *poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// secret reads the sink's secret, which is empty when it has none.
func (p *poster) secret() (secret.Text, error) {
	if p.sink.SecretFile.V == "" {
		return secret.Text{}, nil
	}
	return readSecret(p.sink.SecretFile.V)
}

// base is the sink's URL without a slash at its end.
func (p *poster) base() (secret.Text, error) {
	if p.sink.URLFile.V != "" {
		return readSecret(p.sink.URLFile.V)
	}
	return secret.New(strings.TrimRight(p.sink.URL.V, "/")), nil
}

// A post is one request.
type post struct {
	url      secret.Text
	header   http.Header
	body     []byte
	compress bool
	secrets  []secret.Text // that an answer might repeat
}

// do sends r and returns the body of the answer. An answer that says that the
// sink does not take the body makes a *refusal; one that tells when to come
// again makes a *busy. No error holds a secret.
func (p *poster) do(ctx context.Context, r post) ([]byte, error) {
	body := r.body
	if r.compress {
		body = zipped(body)
		r.header.Set("Content-Encoding", "gzip")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url.Reveal(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the sink's URL cannot be used")
	}
	req.Header = r.header
	req.Header.Set("User-Agent", "gimme")
	resp, err := p.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // it would quote the URL
			err = u.Err
		}
		return nil, errors.New(r.hide(err.Error()))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %s", r.hide(err.Error()))
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return answer, nil
	}
	return nil, r.fault(resp, answer)
}

func (r post) fault(resp *http.Response, answer []byte) error {
	text := fmt.Errorf("the sink answered %s: %s", resp.Status, excerpt(r.hide(string(answer))))
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &refusal{text.Error()}
	}
	return &busy{after: retryAfter(resp.Header, time.Now()), err: text}
}

// hide takes the secrets out of text, in each form in which they were sent.
func (r post) hide(text string) string {
	_, authorization, _ := strings.Cut(r.header.Get("Authorization"), " ")
	hidden := []string{authorization}
	for _, s := range r.secrets {
		hidden = append(hidden, s.Reveal())
		if u, err := url.Parse(s.Reveal()); err == nil && u.Host != "" {
			hidden = append(hidden, u.RequestURI(), strings.TrimLeft(u.RequestURI(), "/"), u.Path)
		}
	}
	for _, s := range hidden {
		if len(s) > 1 {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	return text
}

// excerpt is the start of an answer, on one line.
func excerpt(answer string) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(answer, "\ufffd")), " ")
	return fmt.Sprintf("%.200q", text)
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

func zipped(body []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out) // writes to memory do not fail
	_, _ = z.Write(body)
	_ = z.Close()
	return out.Bytes()
}
