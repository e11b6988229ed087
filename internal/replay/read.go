package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// Sizes in bytes.
const (
	blockSize = 256 << 10 // of what is decided at a time
	maxLine   = 16 << 20  // of the longest event: a batch of 1,000 keys is well below
)

// Read takes in one log, plain or compressed with gzip. It returns when all of it
// is decided on, or when ctx ends.
func (r *Replay) Read(ctx context.Context, log io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	plain, err := unpacked(log)
	if err != nil {
		return err
	}
	// Blocks are decided on side by side, and added up in their order, so that the
	// same log always gives the same examples.
	type job struct {
		lines []byte
		done  chan *tally
	}
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan job), make(chan job, 2*workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for j := range jobs {
				j.done <- r.block(j.lines)
			}
		})
	}
	var failed error
	running.Go(func() {
		defer close(order)
		defer close(jobs)
		failed = blocks(plain, func(lines []byte) bool {
			j := job{lines, make(chan *tally, 1)}
			select {
			case order <- j:
			case <-ctx.Done():
				return false
			}
			jobs <- j
			return true
		})
	})
	for j := range order {
		r.add(<-j.done)
	}
	running.Wait()
	return errors.Join(failed, ctx.Err())
}

// unpacked is a log without its compression.
func unpacked(log io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(log, 64<<10)
	if magic, _ := in.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	plain, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return plain, nil
}

// block decides on whole lines.
func (r *Replay) block(lines []byte) *tally {
	t := &tally{}
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		t.Lines++
		// Quotes are escaped inside of texts, so this is the key. An outcome has all
		// that its decision has, and takes as long to decode.
		if bytes.Contains(line, []byte(`"kind":"outcome"`)) {
			t.Others++
			continue
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil || e.Version != audit.Version {
			t.Torn++
			continue
		}
		r.take(&e, t)
	}
	return t
}

// blocks hands whole lines to take, about blockSize of them at a time, until it
// says no. What take gets is its own. Of a line that is longer than maxLine only
// the end comes, which is no event.
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
