package delivery

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// splunkLimits stay below the 1 MB that Splunk takes by default.
var splunkLimits = limits{events: 1000, bytes: 800 << 10, overhead: 256, event: 700 << 10}

// A splunkSink posts to the HTTP event collector.
type splunkSink struct {
	*poster
	acknowledge bool
	channel     string // what acknowledgements are asked for by
	wait        time.Duration
	look        time.Duration
}

func openSplunk(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	if err != nil {
		return nil, err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return &splunkSink{
		poster: p, acknowledge: s.Acknowledge.V, wait: 45 * time.Second, look: 500 * time.Millisecond,
		channel: fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
	}, nil
}

type splunkEvent struct {
	Time       json.Number     `json:"time"`
	Host       string          `json:"host"`
	Source     string          `json:"source"`
	SourceType string          `json:"sourcetype"`
	Index      string          `json:"index,omitempty"`
	Event      json.RawMessage `json:"event"`
}

func (s *splunkSink) send(ctx context.Context, batch []record) (result, error) {
	var body []byte
	for _, r := range batch {
		event := splunkEvent{
			Time: json.Number(fmt.Sprintf("%d.%06d", r.Time.Unix(), r.Time.Nanosecond()/1000)),
			Host: s.sink.source(), Source: "gimme", SourceType: "gimme:audit", Index: s.sink.Index.V, Event: r.line,
		}
		body = append(append(body, compact(event)...), '\n')
	}
	var answer struct {
		AckID *int64 `json:"ackId"`
	}
	if err := s.ask(ctx, "/services/collector/event", body, true, &answer); err != nil {
		return result{}, err
	}
	if !s.acknowledge {
		return all(batch), nil
	}
	if answer.AckID == nil {
		return result{}, errors.New("the token does not acknowledge: enable indexer acknowledgement for it, or leave acknowledge out")
	}
	if err := s.acknowledged(ctx, *answer.AckID); err != nil {
		return result{}, err
	}
	return all(batch), nil
}

// ask posts to the collector, and decodes its answer into into.
func (s *splunkSink) ask(ctx context.Context, path string, body []byte, compress bool, into any) error {
	url, err := s.base()
	if err != nil {
		return err
	}
	token, err := s.secret()
	if err != nil {
		return err
	}
	header := http.Header{"Authorization": {"Splunk " + token.Reveal()}, "Content-Type": {"application/json"}}
	if s.acknowledge {
		header.Set("X-Splunk-Request-Channel", s.channel)
	}
	answer, err := s.do(ctx, post{url: secret.New(url.Reveal() + path), header: header, body: body, compress: compress, secrets: []secret.Text{token}})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the answer is not Splunk's: %w", err)
	}
	return nil
}

// acknowledged waits until the indexers have what id stands for. When that
// takes too long it is sent again, as Splunk asks for.
func (s *splunkSink) acknowledged(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	question := compact(map[string][]int64{"acks": {id}})
	for {
		var answer struct {
			Acks map[string]bool `json:"acks"`
		}
		if err := s.ask(ctx, "/services/collector/ack", question, false, &answer); err != nil {
			return unrefused(err)
		}
		if slices.Contains(slices.Collect(maps.Values(answer.Acks)), true) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the indexers have not acknowledged in time: %w", ctx.Err())
		case <-time.After(s.look):
		}
	}
}

// unrefused makes an error of what was not about the events.
func unrefused(err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return errors.New(r.why)
	}
	return err
}
