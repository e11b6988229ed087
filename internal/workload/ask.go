package workload

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	askTime  = 10 * time.Second // for all tries together
	askTries = 3
	askPause = 500 * time.Millisecond // before the second try; then twice that; each up to twice as long
	maxBody  = 64 << 10               // bytes
)

// metadataHost is where cloud machines ask who they are. It is link-local and
// speaks plain HTTP.
const metadataHost = "169.254.169.254"

// A question is how a system is asked for a token over HTTP.
type question struct {
	method, url string
	add         map[string]string // to the URL's query, which it may have already
	bearer      string
	metadata    bool     // the metadata service may be asked
	members     []string // of a JSON answer, of which the first that is there holds the token
}

// ask asks, and again if that can help. Errors name neither bearer nor URL,
// which may hold secrets in its query.
func (o Options) ask(ctx context.Context, q question) (string, error) {
	u, client, err := o.way(q)
	if err != nil {
		return "", err
	}
	query := u.Query()
	for name, value := range q.add {
		query.Set(name, value)
	}
	if len(q.add) > 0 {
		u.RawQuery = query.Encode()
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	pause := askPause
	for try := 1; ; try++ {
		body, again, err := q.once(ctx, client, u)
		if err == nil {
			return q.token(body)
		}
		if !again || try == askTries {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(pause + rand.N(pause)):
		}
		pause *= 2
	}
}

// way judges the URL and chooses the client: https anywhere, plain HTTP on
// this machine, and to the metadata service where that is meant, past every
// proxy.
func (o Options) way(q question) (*url.URL, http.Client, error) {
	u, err := url.Parse(q.url)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, http.Client{}, errors.New("its URL is malformed")
	}
	local := q.metadata && u.Hostname() == metadataHost
	if u.Scheme != "https" && !(u.Scheme == "http" && (local || loopback(u.Hostname()))) {
		return nil, http.Client{}, fmt.Errorf("its URL (of host %q) is not https", u.Hostname())
	}
	client := http.Client{Timeout: askTime}
	switch {
	case local && o.direct != nil:
		client = *o.direct
	case local:
		client.Transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, DisableKeepAlives: true}
	case o.HTTP != nil:
		client = *o.HTTP
	default:
		return nil, client, errors.New("there is no HTTP client")
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return u, client, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// once asks once. Again says whether asking again can help.
func (q question) once(ctx context.Context, client http.Client, u *url.URL) (body []byte, again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), nil)
	if err != nil {
		return nil, false, errors.New("its URL is malformed")
	}
	r.Header.Set("Accept", "application/json")
	if q.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+q.bearer)
	}
	if q.metadata && u.Hostname() == metadataHost {
		r.Header.Set("Accept", "*/*")
		r.Header.Set("Metadata-Flavor", "Google") // without which it refuses: Google Cloud
		r.Header.Set("Metadata", "true")          // Azure
	}
	answer, err := client.Do(r)
	if err != nil {
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
		return nil, !untrusted, fmt.Errorf("ask %s: %w", u.Host, withoutURL(err))
	}
	defer answer.Body.Close()
	code := answer.StatusCode
	if code != http.StatusOK {
		return nil, code == http.StatusTooManyRequests || code >= 500, fmt.Errorf("%s answers with status %d", u.Host, code)
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return nil, true, fmt.Errorf("read the answer of %s: %w", u.Host, withoutURL(err))
	}
	if len(body) > maxBody {
		return nil, false, fmt.Errorf("the answer of %s is larger than %d bytes", u.Host, maxBody)
	}
	return body, false, nil
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// token finds the token in an answer: a member of a JSON object, or, where any
// URL may be asked, the text itself.
func (q question) token(body []byte) (string, error) {
	text := strings.TrimSpace(string(body))
	if !strings.HasPrefix(text, "{") && q.metadata {
		return text, nil
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return "", errors.New("the answer is not a JSON object")
	}
	for _, name := range q.members {
		if token, ok := answer[name].(string); ok && token != "" {
			return token, nil
		}
	}
	return "", fmt.Errorf("the answer has no member %s", strings.Join(q.members, ", "))
}

// withAudience puts the audience where the URL has a place for it.
func withAudience(raw, audience string) string {
	return strings.ReplaceAll(raw, "{audience}", url.QueryEscape(audience))
}
