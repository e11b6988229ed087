package workload

import (
	"context"
	"io"
)

// A Masking is how a platform is told to keep a value out of its logs.
type Masking struct {
	Line    func(value string) string // the line to print; nil: none
	Command []string                  // takes the value on its standard input; nil: none
}

// Mask returns the masking of the platform that Platform names. The zero
// Masking means that it has none while a job runs.
func Mask(platform string) Masking { return Masking{} }

// Apply has the platform mask values: lines go to w.
func (m Masking) Apply(ctx context.Context, w io.Writer, values ...string) error { return nil }
