package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gimme-broker/gimme/internal/secret"
)

var elasticLimits = limits{events: 1000, bytes: 5 << 20, overhead: 128, event: 2 << 20}

// An elasticSink posts to the bulk API of Elasticsearch and OpenSearch. Events
// are created under an id that is made of them, so that one that comes again is
// not there twice. It works with indices and with data streams.
type elasticSink struct{ *poster }

func openElastic(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	return elasticSink{p}, err
}

type elasticItem struct {
	Status int `json:"status"`
	Error  *struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
}

func (e elasticSink) send(ctx context.Context, batch []record) (result, error) {
	header, token, err := e.header()
	if err != nil {
		return result{}, err
	}
	base, err := e.base()
	if err != nil {
		return result{}, err
	}
	var body []byte
	for _, r := range batch {
		body = fmt.Appendf(body, "{\"create\":{\"_id\":%q}}\n{\"@timestamp\":%q,%s\n", r.at.Sum[:40], r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), r.line[1:])
	}
	answer, err := e.do(ctx, post{
		url: secret.New(base.Reveal() + "/" + url.PathEscape(e.sink.Index.V) + "/_bulk"), header: header, body: body, compress: true, secrets: []secret.Text{token},
	})
	if err != nil {
		return result{}, err
	}
	var bulk struct {
		Items []map[string]elasticItem `json:"items"`
	}
	if err := json.Unmarshal(answer, &bulk); err != nil || len(bulk.Items) != len(batch) {
		return result{}, fmt.Errorf("the answer is not that of a bulk request for %d events", len(batch))
	}
	return judge(batch, bulk.Items)
}

// header has the credentials: a user's password, or else an API key.
func (e elasticSink) header() (http.Header, secret.Text, error) {
	header := http.Header{"Content-Type": {"application/x-ndjson"}}
	token, err := e.secret()
	if err != nil || token.Empty() {
		return header, token, err
	}
	if e.sink.User.V == "" {
		header.Set("Authorization", "ApiKey "+token.Reveal())
		return header, token, nil
	}
	r := http.Request{Header: header}
	r.SetBasicAuth(e.sink.User.V, token.Reveal())
	return header, token, nil
}

// judge reads what became of each event. From the first that has to wait on, all
// come again: those that were taken are then known by their id.
func judge(batch []record, items []map[string]elasticItem) (result, error) {
	res, taken := result{}, 0
	for i, byVerb := range items {
		item := byVerb["create"]
		why := "no reason"
		if item.Error != nil {
			why = fmt.Sprintf("%d %s: %.200q", item.Status, item.Error.Type, item.Error.Reason)
		}
		switch {
		case item.Status >= 200 && item.Status < 300, item.Status == http.StatusConflict: // it was taken before
			taken++
		case item.Status == http.StatusBadRequest, item.Status == http.StatusRequestEntityTooLarge:
			res.refused = append(res.refused, refused{batch[i].Seq, why})
		default:
			if taken == 0 {
				return result{}, fmt.Errorf("the sink took no event: %s", why)
			}
			return res, fmt.Errorf("the sink took %d of %d events: %s", taken, len(batch), why)
		}
		res.done = i + 1
	}
	if taken == 0 {
		return result{}, &refusal{res.refused[0].why}
	}
	return res, nil
}
