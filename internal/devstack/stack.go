package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// A recipe is what a stack is made from. Tests change it.
type recipe struct {
	customerPolicy string // YAML
	history        int    // bytes of the large object
	sidecar        func(config string, log *slog.Logger) (sidecar, error)
}

func standard() recipe {
	return recipe{customerPolicy: customerPolicyYAML, history: partSize * 3 / 2, sidecar: openSidecar}
}

// A sidecar listens from the start and serves while run runs, which returns
// nil when its context ends.
type sidecar struct {
	url string
	run func(context.Context) error
}

// A stack is everything at once, in one folder.
type stack struct {
	folder     string
	provider   *Provider
	s3         *S3
	url        string // of the sidecar
	alice, bob Person

	stopSidecar context.CancelFunc
	stopped     chan struct{} // closed when the sidecar has stopped
	ran         error         // what it stopped with; read after stopped
}

// newStack starts everything, or nothing. The sidecar stops when ctx ends; the
// rest, and the folder, stay until close.
func newStack(ctx context.Context, r recipe, log *slog.Logger) (_ *stack, err error) {
	s := &stack{stopped: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.folder, err = os.MkdirTemp("", "gimme-"); err != nil { // 0700
		return nil, fmt.Errorf("make a folder for the stack: %w", err)
	}
	s.alice, s.bob = people()
	if s.provider, err = StartProvider(s.alice, s.bob); err != nil {
		return nil, err
	}
	if s.s3, err = StartS3(lake); err != nil {
		return nil, err
	}
	if err = s.s3.Put(ctx, lake, "public/holidays.csv", []byte(holidaysCSV)); err != nil {
		return nil, err
	}
	err = writeFiles(s.folder, []file{
		{configFile, configuration(s.provider, s.s3)},
		{dataMapFile, dataMapYAML},
		{policyFile, r.customerPolicy},
		{policyFolder + "/public-data.yaml", publicPolicyYAML},
		{secretFile, s.s3.SecretAccessKey().Reveal()},
		{sampleFile, sampleCSV},
	})
	if err != nil {
		return nil, fmt.Errorf("write the files of the stack: %w", err)
	}
	side, err := r.sidecar(s.path(configFile), log)
	if err != nil {
		return nil, fmt.Errorf("start the sidecar: %w", err)
	}
	s.url = side.url
	running, stop := context.WithCancel(ctx)
	s.stopSidecar = stop
	go func() {
		defer close(s.stopped)
		s.ran = side.run(running)
	}()
	return s, nil
}

// close stops everything that was started, waits for it, and removes the
// folder.
func (s *stack) close() error {
	var err error
	if s.stopSidecar != nil {
		s.stopSidecar()
		<-s.stopped
		err = errors.Join(err, s.ran)
	}
	if s.s3 != nil {
		err = errors.Join(err, s.s3.Close())
	}
	if s.provider != nil {
		err = errors.Join(err, s.provider.Close())
	}
	if s.folder != "" {
		err = errors.Join(err, os.RemoveAll(s.folder))
	}
	return err
}

// path is where a file of the folder is.
func (s *stack) path(name string) string {
	return filepath.Join(s.folder, filepath.FromSlash(name))
}

func (s *stack) awsConfig() string      { return s.path(homeFolder + "/.aws/config") }
func (s *stack) awsCredentials() string { return s.path(homeFolder + "/.aws/credentials") }

// environment is what a command of the story sees: a home of its own, and of
// the real one only where programs are.
func (s *stack) environment() map[string]string {
	home := s.path(homeFolder)
	return map[string]string{
		"HOME":                        home,
		"BROWSER":                     "gimme-demo", // the person of the demo is one
		"USERPROFILE":                 home,
		"XDG_CONFIG_HOME":             filepath.Join(home, ".config"),
		"XDG_CACHE_HOME":              filepath.Join(home, ".cache"),
		"XDG_STATE_HOME":              filepath.Join(home, ".local", "state"),
		"AWS_CONFIG_FILE":             s.awsConfig(),
		"AWS_SHARED_CREDENTIALS_FILE": s.awsCredentials(),
		"PATH":                        os.Getenv("PATH"),
	}
}
