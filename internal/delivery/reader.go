package delivery

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
)

// A reader reads the log from a position on, across its files, and finds its
// place again whatever has happened to them meanwhile.
type reader struct {
	layout *layout
	at     position // of the last line that was read

	file    io.ReadSeekCloser // nil: not open
	in      *bufio.Reader
	segment segment
	begun   bool      // its first event was read
	offset  int64     // of the next line in it
	further []segment // after it
	sure    bool      // since the file was opened, at was looked up in the log
}

// A gap is a run of events that can no longer be delivered, because they are
// gone from the log.
type gap struct {
	from, to uint64 // both included
	again    bool   // nothing is missing, but what was read is no longer there: its file is read again
}

// next reads the next event. At the end of what there is so far the error is
// io.EOF, and a later call reads on. lost, if not nil, tells what is missing
// before the line; it comes once.
func (r *reader) next() (line []byte, h head, lost *gap, err error) {
	if r.file == nil {
		if lost, err = r.seek(); err != nil {
			return nil, head{}, nil, r.end(err)
		}
	}
	for looked := false; ; {
		start := r.offset
		line, err := r.readLine()
		if errors.Is(err, io.EOF) && len(r.further) > 0 {
			if err = r.enter(r.further); err == nil {
				continue
			}
		}
		// Where nothing was read, a file before it may have been closed since the files were listed.
		if errors.Is(err, io.EOF) && !looked && (!r.begun || !r.stays()) {
			looked = true
			again, err := r.seek()
			if err != nil {
				return nil, head{}, lost, r.end(err)
			}
			lost = orGap(lost, again)
			continue
		}
		if err != nil {
			return nil, head{}, lost, r.end(err)
		}
		h, ok := readHead(line)
		if !ok && r.sure {
			continue
		}
		// A line that was read may have been taken back since, and this be the end of
		// another.
		if !ok || r.moved(h) || !r.at.precedes(h) && !r.sure {
			again, err := r.seek()
			if err != nil {
				return nil, head{}, lost, r.end(err)
			}
			lost = orGap(lost, again)
			continue
		}
		if h.Log == r.at.Log && h.Seq <= r.at.Seq {
			continue
		}
		lost = orGap(lost, r.at.before(h))
		r.at = position{Log: h.Log, Seq: h.Seq, File: r.segment.id, Offset: start, Sum: sumOf(line)}
		r.sure = false
		return line, h, lost, nil
	}
}

// moved says whether another file has taken the place of the one that was to be
// read, which its first event h tells.
func (r *reader) moved(h head) bool {
	if r.begun {
		return false
	}
	listed := r.segment.id
	r.begun, r.segment.id = true, h.id()
	if listed == "" { // it was empty, and may be any
		r.sure = false
	}
	return listed != "" && listed != h.id()
}

func orGap(a, b *gap) *gap {
	if a != nil {
		return a
	}
	return b
}

// readLine reads one whole line, without its newline.
func (r *reader) readLine() ([]byte, error) {
	line, err := r.in.ReadBytes('\n')
	if err != nil {
		return nil, err // of a line that is being written nothing counts as read
	}
	r.offset += int64(len(line))
	return line[:len(line)-1], nil
}

// seek opens the log behind the line that was read last.
func (r *reader) seek() (*gap, error) {
	r.close()
	all, err := r.layout.segments()
	if err != nil {
		return nil, err
	}
	r.sure = true
	for i, s := range all {
		if r.at.Seq == 0 || s.id != r.at.File {
			continue
		}
		if err := r.enter(all[i:]); err != nil {
			return nil, err
		}
		r.sure = true
		found, err := r.resume()
		if err != nil || found {
			return nil, err
		}
		if now, err := r.layout.segments(); err != nil || !slices.Equal(now, all) {
			return nil, fs.ErrNotExist // its file was closed just now
		}
		// A crash of the machine, or a failed write, has taken it back.
		was := r.at
		r.at = position{}
		return &gap{to: was.Seq, again: true}, r.enter(all[i:])
	}
	err = r.enter(all) // from the start, or because its file is gone
	r.sure = true
	return nil, err
}

// resume moves behind the line that was read last, and says whether it is still
// the same.
func (r *reader) resume() (bool, error) {
	if _, err := r.file.Seek(r.at.Offset, io.SeekStart); err != nil {
		return false, ignoreEnd(err)
	}
	r.in.Reset(r.file)
	r.begun, r.offset = true, r.at.Offset
	line, err := r.readLine()
	return err == nil && sumOf(line) == r.at.Sum, ignoreEnd(err)
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// enter opens the first of all at its start.
func (r *reader) enter(all []segment) error {
	sure := r.sure
	r.close()
	f, err := openSegment(all[0].path)
	if err != nil {
		return err
	}
	r.file, r.in, r.segment, r.begun, r.offset, r.further, r.sure = f, bufio.NewReaderSize(f, 64<<10), all[0], false, 0, all[1:], sure
	return nil
}

// end is the error of next. At the end of the file that grows it stays open,
// for as long as it is that file; a file that is not there is being rotated, or
// not yet made.
func (r *reader) end(err error) error {
	atEnd := errors.Is(err, io.EOF)
	if !atEnd || !r.stays() {
		r.close()
	}
	if atEnd || errors.Is(err, fs.ErrNotExist) {
		return io.EOF
	}
	return fmt.Errorf("read the audit log: %w", err)
}

// stays says whether the open file is the one that grows, and goes back to the
// start of a line that is being written.
func (r *reader) stays() bool {
	f, ok := r.file.(*os.File)
	if !ok || runtime.GOOS == "windows" { // where an open file cannot be rotated
		return false
	}
	live, err := os.Stat(r.layout.path)
	if err != nil {
		return false
	}
	mine, err := f.Stat()
	if err != nil || !os.SameFile(live, mine) || mine.Size() < r.offset {
		return false
	}
	if _, err := f.Seek(r.offset, io.SeekStart); err != nil {
		return false
	}
	r.in.Reset(f)
	return true
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.in, r.further, r.sure = nil, nil, nil, false
}
