package proxy

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/delivery"
	"github.com/gimme-broker/gimme/internal/durable"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// Audit says where events go, and how the log is kept.
type Audit struct {
	// File is appended to; "-" is standard output. Required.
	File text `yaml:"file"`

	// Durability is write (the default: an event is with the operating system
	// before anything goes upstream, and survives the end of the process) or
	// fsync (it is on the disk, and survives a loss of power).
	Durability text `yaml:"durability"`

	// Timeout is how long a request waits for the log's device, until it is
	// refused. Default 10s.
	Timeout Duration `yaml:"timeout"`

	Rotate      Rotate      `yaml:"rotate"`
	Checkpoints Checkpoints `yaml:"checkpoints"`

	// Sinks are where else events are delivered to, as docs/audit-sinks.md has
	// it. They read the log in file, so that none of them holds a request up.
	// Default none.
	Sinks []delivery.Sink `yaml:"sinks"`
}

// Rotate says when the file is closed and the next begun.
type Rotate struct {
	// Size is that of the file, such as 100MiB. Default: it grows on.
	Size text `yaml:"size"`

	// Keep is how many closed files stay. Default 0: all.
	Keep strictyaml.Value[int] `yaml:"keep"`

	// Compress says that closed files are compressed with gzip. Default false.
	Compress bool `yaml:"compress"`
}

// Checkpoints are signed statements of how far the log is, beside the file.
type Checkpoints struct {
	// Every is how often new events are signed for: a duration from 1s on, or
	// never. Default 10s.
	Every Duration `yaml:"every"`
}

const never = "never"

func (c *Config) checkAudit(l *faultList) {
	a := c.Audit
	l.need(a.File, text{}, "audit.file", `the file that events are appended to, or "-" for standard output`)
	l.choice(a.Durability, "audit.durability", string(audit.DurableWrite), string(audit.DurableFsync))
	if a.File.V == "-" && a.Durability.V == string(audit.DurableFsync) {
		l.at(a.Durability, "audit.durability: standard output is not on a disk, so fsync cannot be had; write to a file")
	}
	c.checkSinks(l)
	c.checkDuration(l, a.Timeout, "audit.timeout")
	if a.Checkpoints.Every.V != never {
		c.checkDuration(l, a.Checkpoints.Every, "audit.checkpoints.every")
	}
	size := a.Rotate.Size
	if _, ok := parseSize(size.V); size.V != "" && !ok {
		l.at(size, "audit.rotate.size %q: a size of at least 4KiB is wanted, such as 100MiB", size.V)
	}
	if size.V == "" && (a.Rotate.Compress || a.Rotate.Keep.V != 0) {
		l.at(a.File, "audit.rotate: without a size nothing is rotated, so there is nothing to keep or to compress")
	}
	if k := a.Rotate.Keep; k.V < 0 {
		l.found = append(l.found, k.Fault(l.file, "audit.rotate.keep is %d; 0 keeps all", k.V))
	}
}

// parseSize reads a whole number and a unit of bytes.
func parseSize(s string) (int64, bool) {
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		digits, ok := strings.CutSuffix(s, unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		scale := int64(1) << (10 * (i + 1))
		return n * scale, err == nil && n > 0 && n <= math.MaxInt64/scale && n*scale >= 4<<10
	}
	return 0, false
}

func (s *Server) eventOptions() audit.Options {
	a := s.config.Audit
	size, _ := parseSize(a.Rotate.Size.V)
	o := audit.Options{
		Durability: audit.Durability(a.Durability.V),
		Timeout:    a.Timeout.Or(0),
		Rotate:     audit.Rotation{Size: size, Keep: a.Rotate.Keep.V, Compress: a.Rotate.Compress},
		OnError:    func(err error) { s.log.Error("the audit log is written, but not kept as it should be", "cause", err) },
	}
	if a.Checkpoints.Every.V != never {
		o.Checkpoints = a.Checkpoints.Every.Or(10 * time.Second)
	}
	return o
}

// openEvents opens the log. Nobody else writes to it until unlock: two writers
// would fork it.
func (s *Server) openEvents(stdout io.Writer) (log *audit.Log, unlock func(), err error) {
	if s.config.Audit.File.V == "-" {
		if stdout == nil {
			stdout = os.Stdout
		}
		return s.eventOptions().NewLog(struct{ io.Writer }{stdout}), func() {}, nil // not ours to close
	}
	path := s.config.path(s.config.Audit.File.V)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe or a device, which many may write to
		log, err = s.eventOptions().Open(path)
		return log, func() {}, err
	}
	unlock, ok, err := durable.TryLock(path)
	if err != nil {
		return nil, nil, fmt.Errorf("lock audit log (the sidecar makes files in its folder): %w", err)
	}
	if !ok {
		return nil, nil, fmt.Errorf("audit log %q: another sidecar writes to it; each needs a log of its own", path)
	}
	if log, err = s.eventOptions().Open(path); err != nil {
		unlock()
		return nil, nil, err
	}
	return log, unlock, nil
}

func (s *Server) closeEvents() error {
	defer s.unlock()
	return s.events.Close()
}
