package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

func (a App) proxy() *cobra.Command {
	c := &cobra.Command{
		Use:   "proxy",
		Short: "Run the sidecar",
		Long: `Runs the sidecar: it issues sessions to people who log in, and stands between
them and the real S3. Every request is verified, decided on, recorded and signed
anew. docs/operating.md describes the configuration file.

It serves until SIGTERM or SIGINT, and then finishes what is under way. SIGHUP,
or a change of their files, reloads the data map and the policies; the rest of the
configuration is read at the start alone. Its log goes to stderr; stdout stays empty
unless audit.file is "-".`,
		Example: `  gimme proxy --config /etc/gimme/proxy.yaml --check
  gimme proxy --config /etc/gimme/proxy.yaml`,
	}
	file := c.Flags().String("config", "", "`FILE` with the configuration; required")
	check := c.Flags().Bool("check", false, "say whether the configuration, data map and policies are right, and end")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *file == "" {
			return usage("gimme proxy --config /etc/gimme/proxy.yaml", "no configuration file is named")
		}
		config, err := proxy.Load(*file)
		if err != nil {
			return configFailure(*file, err)
		}
		if *check {
			for _, w := range config.Warnings() {
				fmt.Fprintf(a.Stderr, "warning: %s\n", w)
			}
			fmt.Fprintf(a.Stderr, "%s is right, and so are the data map and the policies.\n", *file)
			return nil
		}
		// net/http's client has no logger but this one, to which it quotes whatever
		// an upstream sends unasked.
		log.SetOutput(io.Discard)
		return a.serve(c.Context(), config)
	}
	c.AddCommand(a.proxyServiceKey(), a.proxyRevoke())
	return c
}

// garbage is how much of it, in hundredths of what is in use, the sidecar lets
// gather before it is collected. It holds little between requests, and makes most
// of its garbage of each: at Go's own 100 it would collect all the time. GOGC says
// otherwise.
const garbage = 200

func (a App) serve(ctx context.Context, config *proxy.Config) error {
	if a.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	s, err := proxy.New(config, proxy.Options{Log: slog.New(slog.NewJSONHandler(a.Stderr, nil)), Stdout: a.Stdout, Version: a.Version})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func configFailure(file string, err error) error {
	faults, ok := errors.AsType[strictyaml.Faults](err)
	if !ok {
		return &failure{exitFailed, err, "gimme proxy --config FILE"}
	}
	count := "1 fault"
	if len(faults) != 1 {
		count = fmt.Sprintf("%d faults", len(faults))
	}
	return &failure{exitFailed, fmt.Errorf("the configuration has %s:\n%w", count, err), "correct them, then: gimme proxy --config " + file + " --check"}
}
