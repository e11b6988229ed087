package rig

import (
	"testing"
	"time"
)

// TestUsage has a child of a child that uses processor and memory.
func TestUsage(t *testing.T) {
	r := &Rig{folder: t.TempDir()}
	p, err := r.start("busy", r.folder, "/bin/sh", nil, "-c", `(x=$(head -c 30000000 /dev/zero | tr '\0' x); while :; do :; done); true`)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got Usage
	for end := time.Now().Add(20 * time.Second); got.CPU < 500*time.Millisecond || got.Peak < 30<<20; time.Sleep(20 * time.Millisecond) {
		if got, err = p.Usage(); err != nil {
			continue // a process has just ended
		}
		if time.Now().After(end) {
			t.Fatalf("its child is not seen: %+v", got)
		}
	}
	if got.RSS == 0 || got.RSS > got.Peak {
		t.Errorf("%d bytes are resident, at most %d", got.RSS, got.Peak)
	}
	if err := p.ResetPeak(); err != nil {
		t.Fatal(err)
	}
	if after, err := p.Usage(); err != nil || after.Peak > after.RSS+1<<20 || after.CPU < got.CPU {
		t.Errorf("after the peak was reset: %+v, %v; before: %+v", after, err, got)
	}
	children := family(p.cmd.Process.Pid)
	if len(children) < 2 {
		t.Errorf("its family is %v", children)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	for _, pid := range children[1:] {
		// Whoever inherits it takes a moment to notice that it has ended.
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			cpu, err := cpuOf(pid)
			if err != nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("its child %d still runs, and has used %v", pid, cpu)
			}
		}
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopped again: %v", err)
	}
}
