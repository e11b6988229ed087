package devstack

import (
	"log/slog"

	"github.com/gimme-broker/gimme/internal/proxy"
)

// openSidecar opens the real sidecar with the configuration file config.
func openSidecar(config string, log *slog.Logger) (sidecar, error) {
	c, err := proxy.Load(config)
	if err != nil {
		return sidecar{}, err
	}
	s, err := proxy.New(c, proxy.Options{Log: log})
	if err != nil {
		return sidecar{}, err
	}
	return sidecar{url: s.URL(), run: s.Run}, nil
}
