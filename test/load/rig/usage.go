package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a part has used.
type Usage struct {
	CPU  time.Duration // user and system, since it started
	RSS  int64         // bytes resident now; pages that processes share count for each
	Peak int64         // the most that were, since ResetPeak
}

// tick is the unit of times in /proc, which Linux fixes (USER_HZ).
const tick = 10 * time.Millisecond

// Usage reads /proc about the part and its children.
func (p *Part) Usage() (Usage, error) {
	var u Usage
	for _, pid := range family(p.cmd.Process.Pid) {
		cpu, err := cpuOf(pid)
		if err != nil {
			return Usage{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return Usage{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		u.CPU += cpu
		u.RSS += sizeIn(status, "VmRSS:")
		u.Peak += sizeIn(status, "VmHWM:")
	}
	return u, nil
}

// ResetPeak begins anew what Usage.Peak says.
func (p *Part) ResetPeak() error {
	var errs []error
	for _, pid := range family(p.cmd.Process.Pid) {
		errs = append(errs, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o200))
	}
	return errors.Join(errs...)
}

// family is pid and all its children and theirs.
func family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", all[i]))
		if err != nil {
			continue // it has just ended
		}
		for _, t := range tasks {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", all[i], t.Name()))
			if err != nil {
				continue
			}
			for child := range strings.FieldsSeq(string(data)) {
				if n, err := strconv.Atoi(child); err == nil {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// cpuOf is the time that a process has used, from proc(5).
func cpuOf(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may have spaces; utime and stime are the 12th and
	// 13th field behind it.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err, err2)
}

// sizeIn is a size of /proc/PID/status in bytes; 0 where it does not stand, as
// of a process that has ended.
func sizeIn(status []byte, name string) int64 {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
