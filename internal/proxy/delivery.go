package proxy

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gimme-broker/gimme/internal/delivery"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// checkSinks judges what events are delivered to.
func (c *Config) checkSinks(l *faultList) {
	sinks := c.Audit.Sinks
	if len(sinks) > 0 && c.Audit.File.V == "-" {
		l.at(c.Audit.File, "audit.sinks: they read the log, which standard output is not; write it to a file, and add a sink of type stdout")
	}
	l.found = append(l.found, delivery.Check(c.file, c.folder, sinks)...)
}

// openDelivery prepares delivery to the sinks.
func (s *Server) openDelivery(stdout io.Writer) (*delivery.Delivery, error) {
	return delivery.New(s.config.Audit.Sinks, delivery.Options{
		Path: s.config.path(s.config.Audit.File.V), Log: s.log, Stdout: cmp.Or[io.Writer](stdout, os.Stdout), Lost: s.undelivered,
	})
}

// undelivered records that a sink will not get some events.
func (s *Server) undelivered(sink string, from, to uint64) {
	text := fmt.Sprintf("the events %d to %d were gone from the audit log before sink %s took them", from, to, sink)
	err := s.events.Write(audit.Event{
		ID: newID(), Time: time.Now(), Kind: audit.KindAdmin, Request: &audit.Request{Operation: "log-undelivered"}, Error: text,
	})
	if err != nil {
		s.log.Error("an event could not be written", "error", err, "event", text)
	}
}

// deliver brings events to the sinks until stop, which sends what is left.
func (s *Server) deliver() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.delivery.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// Delivery tells how far each sink is.
func (s *Server) Delivery() []delivery.Status { return s.delivery.Status() }
