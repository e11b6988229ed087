// Package eventlog reads logs of events, as docs/audit.md specifies them: whole
// files, compressed or not, a block of lines at a time, and files that grow. It
// says which events a person asks for, and which outcome belongs to which
// decision.
//
// What it holds does not grow with the log. What a log says is not trusted: lines
// that are no events are passed over, and Visible makes texts fit to be shown.
package eventlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// Sizes in bytes.
const (
	blockSize = 256 << 10 // of what is worked on at a time
	maxLine   = 16 << 20  // of the longest event: a batch of 1,000 keys is well below
)

const gzipMagic = "\x1f\x8b"

// Each hands a log, plain or compressed with gzip, to work in blocks of whole
// lines, and what work makes of them to take. Work runs on several blocks at once;
// take sees them one at a time, in the order of the log, and ends the reading by
// saying false. Each returns when all is taken, or when ctx ends.
func Each[T any](ctx context.Context, log io.Reader, work func(lines []byte) T, take func(T) bool) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	plain, err := unpacked(log)
	if err != nil {
		return err
	}
	type job struct {
		lines []byte
		done  chan T
	}
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan job), make(chan job, 2*workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for j := range jobs {
				j.done <- work(j.lines)
			}
		})
	}
	var failed error
	running.Go(func() {
		defer close(order)
		defer close(jobs)
		failed = blocks(plain, func(lines []byte) bool {
			j := job{lines, make(chan T, 1)}
			select {
			case order <- j:
			case <-reading.Done():
				return false
			}
			jobs <- j
			return true
		})
	})
	enough := false
	for j := range order {
		if did := <-j.done; !enough && !take(did) {
			enough = true
			stop()
		}
	}
	running.Wait()
	if enough {
		return nil
	}
	return errors.Join(failed, ctx.Err())
}

// unpacked is a log without its compression.
func unpacked(log io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(log, 64<<10)
	if magic, _ := in.Peek(len(gzipMagic)); string(magic) != gzipMagic {
		return in, nil
	}
	plain, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return plain, nil
}

// blocks hands the whole lines of a plain log to take, about 256 KiB of them at a
// time, until it says no. What take gets is its own. Of a line that is longer than
// 16 MiB only the end comes, which is no event.
func blocks(in io.Reader, take func(lines []byte) bool) error {
	var rest []byte // the beginning of a line
	for {
		block := make([]byte, len(rest)+max(blockSize, min(len(rest), maxLine-len(rest))))
		n := copy(block, rest)
		var err error
		for n < len(block) && err == nil {
			var m int
			m, err = in.Read(block[n:])
			n += m
		}
		block = block[:n]
		end := bytes.LastIndexByte(block, '\n') + 1
		if err != nil {
			end = n
		}
		if end > 0 && !take(block[:end]) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if rest = block[end:]; len(rest) > maxLine {
			rest = []byte{'!'}
		}
	}
}
