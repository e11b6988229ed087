package delivery

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// BenchmarkLog is what an event costs who writes it, beside no sink, beside ten
// that are dead, and beside ten that take everything.
func BenchmarkLog(b *testing.B) {
	dead := func([]record) (result, error) { return result{}, errors.New("down") }
	quick := func(batch []record) (result, error) { return all(batch), nil }
	for _, row := range []struct {
		name   string
		sinks  int
		answer func([]record) (result, error)
	}{{"no sink", 0, nil}, {"ten dead sinks", 10, dead}, {"ten quick sinks", 10, quick}} {
		b.Run(row.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "audit.jsonl")
			log, err := audit.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			view := &layout{path: path, ids: map[string]string{}}
			d := &Delivery{layout: view}
			for range row.sinks {
				x, _ := deliverTo(&testLog{path: path}, &scripted{answer: row.answer}, func(x *deliverer) {
					x.path = filepath.Join(b.TempDir(), "position")
					x.limits = limits{events: 1000, bytes: 1 << 20, event: 1 << 20}
				})
				d.all = append(d.all, x.all...)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- d.Run(ctx) }()
			e := audit.Event{
				ID: "C5UTGYOSCVMPLBGRYMRCLXS5XL", Time: time.Now(), Kind: audit.KindDecision, Decision: audit.Allowed, Principal: &audit.Principal{Issuer: "https://idp.example", Subject: "248289761001", Email: "alice@example.com"},
				Request: &audit.Request{Operation: "GetObject", Actions: []string{"s3:GetObject"}, Bucket: "acme-lake", Key: "customers/2026.csv", Method: "GET"},
			}
			for b.Loop() {
				if err := log.Write(e); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			cancel()
			<-done
			if err := log.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
