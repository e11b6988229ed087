package delivery

import (
	"cmp"
	"context"
	"net/http"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// datadogLimits: 1000 entries and 5 MB a request, 1 MB an entry. An event stands
// in its entry as text, so quotes make it longer.
var datadogLimits = limits{events: 1000, bytes: 2_000_000, overhead: 256, event: 400_000}

// A datadogSink posts to the logs API, version 2.
type datadogSink struct{ *poster }

func openDatadog(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	return datadogSink{p}, err
}

type datadogEntry struct {
	Source   string `json:"ddsource"`
	Hostname string `json:"hostname"`
	Service  string `json:"service"`
	Status   string `json:"status"`
	Date     int64  `json:"date"`    // milliseconds
	Message  string `json:"message"` // JSON, which Datadog reads by itself
}

func (d datadogSink) send(ctx context.Context, batch []record) (result, error) {
	key, err := d.secret()
	if err != nil {
		return result{}, err
	}
	entries := make([]datadogEntry, len(batch))
	for i, r := range batch {
		status := "info"
		if r.Decision == audit.Blocked || r.Decision == audit.WouldBlock {
			status = "warn"
		}
		entries[i] = datadogEntry{Source: "gimme", Hostname: d.sink.source(), Service: "gimme", Status: status, Date: r.Time.UnixMilli(), Message: string(r.line)}
	}
	base := cmp.Or(d.sink.URL.V, "https://http-intake.logs."+cmp.Or(d.sink.Site.V, "datadoghq.com"))
	_, err = d.do(ctx, post{
		url: secret.New(base + "/api/v2/logs"), body: compact(entries), compress: true, secrets: []secret.Text{key},
		header: http.Header{"Content-Type": {"application/json"}, "Dd-Api-Key": {key.Reveal()}},
	})
	if err != nil {
		return result{}, err
	}
	return all(batch), nil
}
