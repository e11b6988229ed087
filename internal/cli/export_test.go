package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/eventlog"
)

// Commands are all of them, for tests of their help.
func Commands() []*cobra.Command { return App{}.root().Commands() }

// ProcessKey is the key of a profile's credentials in the store.
func ProcessKey(a App, profile string) (string, error) {
	p, err := a.process(profile)
	if err != nil {
		return "", err
	}
	return p.request.Key(), nil
}

// EventTable is a log as a terminal of that width shows it.
func EventTable(ctx context.Context, log string, width int, colour bool) string {
	var out strings.Builder
	t := newEventTable(&out, width)
	t.colour = colour
	s := eventlog.NewSearch(&eventlog.Query{}, func(f eventlog.Found) bool { t.print(f); return true })
	if _, err := s.Read(ctx, strings.NewReader(log)); err != nil {
		return err.Error()
	}
	s.Flush()
	t.flush()
	return out.String()
}
