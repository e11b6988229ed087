package workload

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// A Masking is how a platform is told to keep a value out of its logs from
// then on. The zero value does nothing.
type Masking struct {
	Line    func(value string) string // the line to print, on either output; nil: none
	Command []string                  // takes the value on its standard input; nil: none
}

// Mask returns the masking of the platform that Platform names. Only GitHub
// Actions, Azure Pipelines and Buildkite can be told while a job runs; Jenkins
// masks what withCredentials binds, GitLab what is a masked variable of the
// project.
func Mask(platform string) Masking {
	switch platform {
	case "github":
		escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
		return Masking{Line: func(v string) string { return "::add-mask::" + escape.Replace(v) }}
	case "azure":
		escape := strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A")
		return Masking{Line: func(v string) string { return "##vso[task.setsecret]" + escape.Replace(v) }}
	case "buildkite":
		return Masking{Command: []string{"buildkite-agent", "redactor", "add"}}
	}
	return Masking{}
}

// Apply has the platform mask values; empty ones are passed over. Lines go to
// w, which the platform must be reading: both outputs of a step are read, so
// standard error serves where standard output is evaluated by a shell.
func (m Masking) Apply(ctx context.Context, w io.Writer, values ...string) error {
	for _, v := range values {
		if v == "" {
			continue
		}
		if m.Line != nil {
			if _, err := fmt.Fprintln(w, m.Line(v)); err != nil {
				return fmt.Errorf("mask a secret: %w", err)
			}
		}
		if m.Command != nil {
			if _, err := feed(ctx, v, m.Command...); err != nil {
				return fmt.Errorf("mask a secret: %w", err)
			}
		}
	}
	return nil
}
