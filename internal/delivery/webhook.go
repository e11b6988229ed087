package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

var webhookLimits = limits{events: 500, bytes: 1 << 20, overhead: 1, event: 1 << 20}

// A webhookSink posts to whoever wants events, signed as Standard Webhooks has
// it (https://www.standardwebhooks.com): an id that stays the same when a batch
// comes again, the time, and an HMAC-SHA256 over both and the body.
type webhookSink struct{ *poster }

func openWebhook(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	return webhookSink{p}, err
}

func (w webhookSink) send(ctx context.Context, batch []record) (result, error) {
	url, err := w.base()
	if err != nil {
		return result{}, err
	}
	key, err := w.secret()
	if err != nil {
		return result{}, err
	}
	body, contentType := joined(batch, "[", ",", "]"), "application/json"
	if w.sink.Body.V == "lines" {
		body, contentType = joined(batch, "", "\n", "\n"), "application/x-ndjson"
	}
	id := "gimme_" + batch[0].at.Sum[:32] + "_" + strconv.Itoa(len(batch))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	header := http.Header{
		"Content-Type": {contentType}, "Webhook-Id": {id}, "Webhook-Timestamp": {stamp},
		"Webhook-Signature": {"v1," + signature(key, id, stamp, body)},
	}
	secrets := []secret.Text{key}
	if w.sink.URLFile.V != "" {
		secrets = append(secrets, url)
	}
	if _, err := w.do(ctx, post{url: url, header: header, body: body, secrets: secrets}); err != nil {
		return result{}, err
	}
	return all(batch), nil
}

// signature signs id, stamp and body, divided by dots. A key that begins with
// whsec_ is Base64 of the key proper.
func signature(key secret.Text, id, stamp string, body []byte) string {
	raw := []byte(key.Reveal())
	if encoded, ok := strings.CutPrefix(key.Reveal(), "whsec_"); ok {
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			raw = decoded
		}
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
