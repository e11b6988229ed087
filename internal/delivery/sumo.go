package delivery

import (
	"context"
	"net/http"

	"github.com/gimme-broker/gimme/internal/secret"
)

// sumoLimits are what Sumo Logic recommends: 100 KB to 1 MB before compression.
var sumoLimits = limits{events: 1000, bytes: 1_000_000, overhead: 1, event: 900_000}

// A sumoSink posts lines to an HTTP logs source, whose URL is the secret.
type sumoSink struct{ *poster }

func openSumo(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	return sumoSink{p}, err
}

func (s sumoSink) send(ctx context.Context, batch []record) (result, error) {
	url, err := s.base()
	if err != nil {
		return result{}, err
	}
	header := http.Header{"Content-Type": {"text/plain"}, "X-Sumo-Name": {"gimme"}, "X-Sumo-Host": {s.sink.source()}}
	if s.sink.Category.V != "" {
		header.Set("X-Sumo-Category", s.sink.Category.V)
	}
	if _, err := s.do(ctx, post{url: url, header: header, body: joined(batch, "", "\n", "\n"), compress: true, secrets: []secret.Text{url}}); err != nil {
		return result{}, err
	}
	return all(batch), nil
}
