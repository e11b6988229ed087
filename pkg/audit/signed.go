package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A signedSet is the checkpoints that a log is verified against.
type signedSet struct {
	logs   map[string][]signedPoint // by log, in the order of their sizes
	faults []Fault
}

type signedPoint struct {
	checkpoint
	file string
	row  int // the line in it where it begins
}

// readCheckpoints reads and verifies the files of checkpoints.
func readCheckpoints(o Verification) (*signedSet, error) {
	s := &signedSet{logs: map[string][]signedPoint{}}
	if len(o.Checkpoints) == 0 {
		return s, nil
	}
	if o.Key == "" {
		return nil, errors.New("checkpoints cannot be verified without the key that signed them")
	}
	known, err := verifiers(o.Key)
	if err != nil {
		return nil, err
	}
	for _, path := range o.Checkpoints {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		s.read(path, data, known)
	}
	for log, points := range s.logs {
		slices.SortStableFunc(points, func(a, b signedPoint) int { return int(min(max(a.size-b.size, -1), 1)) })
		for i, p := range points[1:] {
			if before := points[i]; before.size == p.size && before.checkpoint != p.checkpoint {
				s.faults = append(s.faults, Fault{File: p.file, Line: p.row, Log: log, Seq: uint64(p.size), Reason: fmt.Sprintf("this checkpoint contradicts that of %s, line %d: the log was forked", before.file, before.row)})
			}
		}
	}
	return s, nil
}

func (s *signedSet) read(path string, data []byte, known note.Verifiers) {
	line := 1
	for len(data) > 0 {
		signed, rest := nextNote(data)
		if signed == nil {
			s.faults = append(s.faults, Fault{File: path, Line: line, Reason: "the checkpoint is cut"})
			return
		}
		p, err := openCheckpoint(signed, known)
		if err != nil {
			s.faults = append(s.faults, Fault{File: path, Line: line, Reason: "the checkpoint does not hold: " + err.Error()})
		} else {
			s.logs[p.log] = append(s.logs[p.log], signedPoint{p, path, line})
		}
		line += bytes.Count(data[:len(data)-len(rest)], []byte("\n"))
		data = rest
	}
}

func (s *signedSet) any(log string) bool { return len(s.logs[log]) > 0 }

// most is the number of the last record that a checkpoint of the log covers.
func (s *signedSet) most(log string) uint64 {
	if points := s.logs[log]; len(points) > 0 {
		return uint64(points[len(points)-1].size)
	}
	return 0
}

// at is the checkpoint whose last record is seq.
func (s *signedSet) at(log string, seq uint64) (signedPoint, bool) {
	points := s.logs[log]
	i, ok := slices.BinarySearchFunc(points, int64(seq), func(p signedPoint, size int64) int { return int(min(max(p.size-size, -1), 1)) })
	if !ok {
		return signedPoint{}, false
	}
	return points[i], true
}

// settle holds the record at the head of c against the checkpoint of that size.
func (v *verifier) settle(c *chain) error {
	p, ok := v.signed.at(c.log, c.seq)
	if !ok || c.seq < c.first || c.bad {
		return nil
	}
	root, err := v.root(c, p.line)
	if err != nil {
		return err
	}
	if p.line == c.sum {
		if root != nil && *root != p.root {
			v.add(c, Fault{File: p.file, Line: p.row, Log: c.log, Seq: c.seq, Reason: "the tree of this checkpoint is not that of the records: the log was forked"})
			return nil
		}
		c.held++
		c.heldUntil = c.seq
		return nil
	}
	f := Fault{File: c.last.file, Line: c.last.line, Log: c.log, Seq: c.seq, ID: c.last.id(), Reason: fmt.Sprintf("it was changed: the checkpoint at %s, line %d, has another hash for it", p.file, p.row)}
	if root == nil || *root != p.root { // then it is not the only one
		f.Seq, f.Until, f.ID = max(c.heldUntil+1, c.first), c.seq, ""
		f.Reason = fmt.Sprintf("one of them was changed, and those after it were chained anew: the checkpoint at %s, line %d, has another hash for the last", p.file, p.row)
	}
	v.add(c, f)
	return nil
}

// root is that of the tree over the records before the head of c, and last; nil
// when not all of them are at hand, or one is known to be changed.
func (v *verifier) root(c *chain, last sum) (*tlog.Hash, error) {
	if !c.whole || c.broken {
		return nil, nil
	}
	tree := c.tree
	tree.add(last)
	root, err := tree.root()
	return &root, err
}

// VerifierKey is the public part of the key in the file at path. Whoever holds
// it can verify checkpoints, and sign none.
func VerifierKey(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if _, err := note.NewSigner(text); err != nil {
		return "", fmt.Errorf("%q holds no key of an audit log: %w", path, err)
	}
	parts := strings.SplitN(text, "+", 5) // PRIVATE, KEY, name, hash, algorithm and seed
	seed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil {
		return "", err
	}
	public, _ := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}
