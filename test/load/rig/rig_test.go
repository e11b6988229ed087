package rig_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/test/load"
	"github.com/gimme-broker/gimme/test/load/rig"
)

func start(t *testing.T) *rig.Rig {
	t.Helper()
	r, err := rig.New(t.Context(), "../../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestWays sends every operation along every way, and holds every byte against
// what it ought to be.
func TestWays(t *testing.T) {
	r := start(t)
	upstream, way := must[*rig.Upstream](t), must[*rig.Way](t)
	files, sink, store := upstream(r.Files()), upstream(r.Sink()), upstream(r.Versitygw())
	body := rig.Noise(3<<20, 1)
	trailer := must[*load.Body](t)(load.Trailer(body, "x-amz-checksum-crc64nvme"))
	reads := append(append(r.Gets(rig.Small)[:2], r.Gets(rig.Medium)[0], r.Heads(rig.Small)[0]), r.Lists()...)
	puts := []load.Operation{r.Puts(load.Hashed(body))[0], r.Puts(load.Unsigned(body))[1], r.Puts(trailer)[2]}
	for _, c := range []struct {
		upstream *rig.Upstream
		ops      []load.Operation
	}{{files, reads}, {sink, puts}, {store, append(reads, puts...)}} {
		for _, secure := range []bool{false, true} {
			gimme := must[*rig.Gimme](t)(r.Gimme(c.upstream, secure, rig.Sidecar{}))
			ways := []*rig.Way{gimme.Way, way(r.NginxProxy(c.upstream, secure, 1)), way(r.GoProxy(c.upstream, secure))}
			if !secure || c.upstream == files {
				ways = append(ways, way(r.Straight(c.upstream, secure)))
			}
			if c.upstream != sink {
				ways = append(ways, way(r.VersitygwProxy(c.upstream, secure)), way(r.RcloneProxy(c.upstream, secure)))
			}
			for _, w := range ways {
				name := c.upstream.Name + " by " + w.Name
				if secure {
					name += " over TLS"
				}
				ops := c.ops
				if w.Name == "versitygw-s3" { // it answers a trailer with 500 where its upstream has no TLS
					ops = slices.DeleteFunc(slices.Clone(ops), func(o load.Operation) bool { return o.Body == trailer })
				}
				t.Run(name, func(t *testing.T) { wantAll(t, w, ops) })
				if w.Part != nil {
					if err := w.Part.Stop(); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
}

// wantAll wants each of the operations to go well.
func wantAll(t *testing.T, w *rig.Way, ops []load.Operation) {
	t.Helper()
	for i, op := range ops {
		plan := load.Plan{Target: w.Target(), Operations: []load.Operation{op}, Connections: 1, Duration: time.Minute, Requests: 3, Digest: true}
		got, err := load.Run(context.WithoutCancel(t.Context()), plan)
		if err != nil || got.Requests != 3 || got.Errors != 0 {
			t.Errorf("%d: %s %s %s: %d requests, %d errors %q, %v", i, op.Method, op.Path, op.Query, got.Requests, got.Errors, got.Faults, err)
		}
	}
}
