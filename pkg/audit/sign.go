package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// CheckpointsFile is where the checkpoints of the log at path are, KeyFile where
// the key is that signs them.
func CheckpointsFile(path string) string { return path + ".checkpoints" }

// KeyFile is where the key is that signs the checkpoints of the log at path.
func KeyFile(path string) string { return path + ".key" }

func treeFile(path string) string { return path + ".tree" }

// checkpoints are the signed ones of a log, and the tree that they are made of.
type checkpoints struct {
	archive *archive
	signer  note.Signer
	every   time.Duration

	growing sync.Mutex // guards tree and last; held for a moment only
	tree    edge       // over all lines that are written
	last    head       // the last of them

	mu     sync.Mutex // guards the files and the field below
	signed int64      // the size of the last checkpoint
}

// grow adds a batch of lines that are written, of which last is the last.
func (c *checkpoints) grow(batch []*entry, last head) {
	c.growing.Lock()
	defer c.growing.Unlock()
	for _, n := range batch {
		c.tree.add(n.sum)
	}
	c.last = last
}

func (c *checkpoints) grown() (edge, head) {
	c.growing.Lock()
	defer c.growing.Unlock()
	return c.tree, c.last
}

// openCheckpoints makes the log sign. The tree goes on where the files say it
// was; if they contradict the log, a new one is begun, and an event tells why.
func (l *Log) openCheckpoints(a *archive) ([]Event, error) {
	signer, err := openKey(KeyFile(a.path))
	if err != nil {
		return nil, err
	}
	c := &checkpoints{archive: a, signer: signer, every: l.options.Checkpoints}
	if err := c.mend(); err != nil {
		return nil, err
	}
	l.checkpoints = c
	tree, at, err := loadEdge(treeFile(a.path))
	if err != nil {
		return nil, err
	}
	if at.log == l.head.log || l.head.seq > 0 {
		if at.log != l.head.log {
			tree, at = edge{}, head{log: l.head.log, sum: genesis(l.head.log)}
		}
		c.tree, c.signed = tree, tree.size
		if why := l.catchUp(a, at); why != nil {
			old := l.head
			l.head = newHead()
			c.tree, c.last, c.signed = edge{}, l.head, 0
			text := fmt.Sprintf("the log %s cannot go on after line %d: %v; this line begins a new one", old.log, old.seq, why)
			return []Event{notice("log-begun", text)}, nil
		}
	}
	c.last = l.head
	return nil, nil
}

// catchUp adds the lines after at to the tree, which no checkpoint covers yet.
func (l *Log) catchUp(a *archive, at head) error {
	if at.seq > l.head.seq {
		return fmt.Errorf("a checkpoint covers %d lines, and there are %d", at.seq, l.head.seq)
	}
	if at.seq == l.head.seq {
		if at.sum != l.head.sum {
			return fmt.Errorf("line %d is not the one that the last checkpoint covers", at.seq)
		}
		return nil
	}
	files, err := Files(a.path)
	if err != nil {
		return err
	}
	last := at
	for _, path := range files {
		if c, ok := asClosed(a.path, path); ok && (c.log != at.log || c.last <= at.seq) {
			continue
		}
		if last, err = l.catchUpFrom(path, last); err != nil {
			return err
		}
	}
	if last.seq != l.head.seq {
		return fmt.Errorf("line %d is missing", last.seq+1)
	}
	return nil
}

// catchUpFrom adds the lines after last that are in one file.
func (l *Log) catchUpFrom(path string, last head) (head, error) {
	in, err := openLogFile(path)
	if err != nil {
		return last, err
	}
	defer in.close()
	if err := in.skip(last); err != nil {
		return last, err
	}
	for {
		line, whole, err := in.line()
		if err != nil || !whole {
			return last, ignoreEOF(err)
		}
		p, ok := placeOf(line)
		if !ok || p.log != last.log || p.seq <= last.seq {
			continue
		}
		if p.seq != last.seq+1 || p.prev != last.sum {
			return last, fmt.Errorf("line %d does not come after line %d", p.seq, last.seq)
		}
		last = head{log: p.log, seq: p.seq, sum: sumOf(line)}
		l.checkpoints.tree.add(last.sum)
	}
}

// sign signs for what is new, at its times.
func (l *Log) sign() {
	tick := time.NewTicker(l.checkpoints.every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		if err := l.checkpoint(); err != nil {
			l.options.report(err)
		}
	}
}

// checkpoint signs for all lines that are written, if there are new ones. What
// it signs for is on the disk: a checkpoint outlives no line.
func (l *Log) checkpoint() error {
	c := l.checkpoints
	c.mu.Lock()
	defer c.mu.Unlock()
	tree, last := c.grown()
	if tree.size == c.signed {
		return nil
	}
	if err := l.out.sync(); err != nil && !errors.Is(err, os.ErrClosed) { // closed: it was rotated, and synced before
		return fmt.Errorf("checkpoint: %w", err)
	}
	root, err := tree.root()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	signed, err := checkpoint{log: last.log, size: tree.size, root: root, line: last.sum}.sign(c.signer)
	if err != nil {
		return err
	}
	if err := c.append(signed); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	c.signed = tree.size
	if err := tree.save(treeFile(c.archive.path), last); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// append adds a note to the file, whole or not at all. The caller holds mu, or
// is alone.
func (c *checkpoints) append(signed []byte) error {
	f, err := os.OpenFile(CheckpointsFile(c.archive.path), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(signed)
	if err = errors.Join(err, f.Sync()); err != nil {
		err = errors.Join(err, f.Truncate(info.Size()))
	}
	return errors.Join(err, f.Close())
}

// mend takes away a note that a crash has torn.
func (c *checkpoints) mend() error {
	f, err := os.OpenFile(CheckpointsFile(c.archive.path), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	tail := make([]byte, min(info.Size(), 4096)) // a note has some 300
	start := info.Size() - int64(len(tail))
	if _, err := f.ReadAt(tail, start); err != nil && len(tail) > 0 {
		return err
	}
	if end := start + int64(noteEnd(tail)); end < info.Size() && (end > start || start == 0) {
		return f.Truncate(end)
	}
	return nil
}

// forget drops the checkpoints of lines in closed files that are removed, up
// to the last of them.
func (c *checkpoints) forget(removed closedFile) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := CheckpointsFile(c.archive.path)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept []byte
	for all := data; ; {
		signed, rest := nextNote(all)
		if signed == nil {
			break
		}
		all = rest
		text, _, _ := strings.Cut(string(signed), "\n\n")
		if at, err := parseCheckpoint(text + "\n"); err == nil && at.log == removed.log && uint64(at.size) <= removed.last {
			continue
		}
		kept = append(append(kept, signed...), '\n')
	}
	if len(kept) == len(data) {
		return nil
	}
	return replace(path, kept)
}

// openKey reads the key at path, or makes one.
func openKey(path string) (note.Signer, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key, _, genErr := note.GenerateKey(rand.Reader, keyName)
		if genErr != nil {
			return nil, genErr
		}
		data, err = []byte(key+"\n"), replace(path, []byte(key+"\n"))
	}
	if err != nil {
		return nil, fmt.Errorf("key of the audit log's checkpoints: %w", err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("key of the audit log's checkpoints: %q holds none: move it away, and a new one is made", path)
	}
	return signer, nil
}
