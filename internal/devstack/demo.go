package devstack

import (
	"context"
	"errors"
)

// Demo tells the story of two people and one bucket, and checks every step of
// it. The error names the first step that came out wrong.
func Demo(ctx context.Context, o Options) error {
	return errors.New("demo: not built yet")
}

// Dev starts the same servers and stays until ctx ends.
func Dev(ctx context.Context, o Options) error {
	return errors.New("dev: not built yet")
}
