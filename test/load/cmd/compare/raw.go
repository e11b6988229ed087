package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A raw is a file of samples, one a line, behind a line that says what they
// hold for.
type raw struct {
	f *os.File
	*json.Encoder
}

// A head says what samples hold for.
type head struct {
	Machine  machine       `json:"machine"`
	Began    time.Time     `json:"began"`
	Rounds   int           `json:"rounds"`
	Duration time.Duration `json:"duration_ns"`
}

func newRaw(folder string, h head) (*raw, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(folder, h.name()+".jsonl"))
	if err != nil {
		return nil, err
	}
	r := &raw{f, json.NewEncoder(f)}
	return r, r.Encode(h)
}

// name is that of the files of a run.
func (h head) name() string { return h.Began.UTC().Format("2006-01-02T150405") }

func (r *raw) Write(s sample) error { return r.Encode(s) }
func (r *raw) Close() error         { return r.f.Close() }

// readRaw reads what earlier runs have kept. The head is that of the first.
func readRaw(files []string) (first head, all []sample, err error) {
	for i, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return head{}, nil, err
		}
		lines := json.NewDecoder(bytes.NewReader(data))
		var h head
		if err := lines.Decode(&h); err != nil || h.Began.IsZero() {
			return head{}, nil, fmt.Errorf("%s: its first line does not say what the figures hold for: %w", name, err)
		}
		if i == 0 {
			first = h
		}
		for {
			var s sample
			if err := lines.Decode(&s); err == io.EOF {
				break
			} else if err != nil {
				return head{}, nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, s)
		}
	}
	return first, all, nil
}

// A machine is what the figures hold for.
type machine struct {
	Processor string  `json:"processor"`
	Cores     int     `json:"cores"`
	Kernel    string  `json:"kernel"`
	Go        string  `json:"go"`
	SHA256    float64 `json:"sha256_mib_per_second"` // of one core
}

func thisMachine() machine {
	m := machine{Processor: "unknown processor", Cores: runtime.NumCPU(), Kernel: "unknown", Go: runtime.Version(), SHA256: hashing()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	data, err := os.ReadFile("/proc/sys/kernel/osrelease")
	// The version alone: what stands behind it names somebody's build.
	version, _, _ := strings.Cut(strings.TrimSpace(string(data)), "-")
	if err == nil && version != "" {
		m.Kernel = version
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s, %s", m.Processor, m.Cores, m.Kernel, m.Go)
}

// hashing is how many MiB of SHA-256 one core computes in a second.
func hashing() float64 {
	data := make([]byte, 64<<20)
	best := time.Duration(math.MaxInt64)
	for range 3 {
		began := time.Now()
		sha256.Sum256(data)
		best = min(best, time.Since(began))
	}
	return float64(len(data)>>20) / best.Seconds()
}
