package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// raw keeps every sample, one a line.
type raw struct {
	f *os.File
	*json.Encoder
}

func newRaw(folder string, began time.Time) (*raw, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(folder, began.UTC().Format("2006-01-02T150405")+".jsonl"))
	if err != nil {
		return nil, err
	}
	return &raw{f, json.NewEncoder(f)}, nil
}

func (r *raw) Write(s sample) error { return r.Encode(s) }
func (r *raw) Close() error         { return r.f.Close() }

// A machine is what the figures hold for.
type machine struct{ processor, kernel, goVersion string }

func thisMachine() machine {
	m := machine{processor: "unknown processor", kernel: "unknown", goVersion: runtime.Version()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.processor = strings.TrimSpace(value)
				break
			}
		}
	}
	data, err := os.ReadFile("/proc/sys/kernel/osrelease")
	// The version alone: what stands behind it names somebody's build.
	version, _, _ := strings.Cut(strings.TrimSpace(string(data)), "-")
	if err == nil && version != "" {
		m.kernel = version
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s, %s", m.processor, runtime.NumCPU(), m.kernel, m.goVersion)
}
