package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// An edge is the right edge of a Merkle tree (RFC 6962, section 2.1) that
// grows: of each complete subtree there the hash, by its level. It is all that
// is needed to add leaves and to tell the root. The zero value is the empty tree.
type edge struct {
	size   int64
	levels [64]tlog.Hash
}

// add makes a line the next leaf. The leaf's data is the line's SHA-256, which
// the next line has as prev.
func (e *edge) add(line sum) {
	hash := leaf(line)
	level := 0
	for ; e.size>>level&1 == 1; level++ {
		hash = tlog.NodeHash(e.levels[level], hash)
	}
	e.levels[level] = hash
	e.size++
}

// leaf is what tlog.RecordHash is, without garbage.
func leaf(line sum) tlog.Hash {
	var data [1 + len(line)]byte // RFC 6962, section 2.1: a zero, and the data
	copy(data[1:], line[:])
	return sha256.Sum256(data[:])
}

// root is the hash of the tree.
func (e *edge) root() (tlog.Hash, error) {
	if e.size == 0 {
		return sha256.Sum256(nil), nil
	}
	return tlog.TreeHash(e.size, e)
}

// ReadHashes is asked for hashes of the right edge alone.
func (e *edge) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, _ := tlog.SplitStoredHashIndex(x)
		hashes[i] = e.levels[level]
	}
	return hashes, nil
}

// An edgeFile is how an edge lies on disk. What is in it is checked against the
// lines and the last checkpoint; without it the tree is made anew from the lines.
type edgeFile struct {
	Log  string   `json:"log"`
	Size int64    `json:"size"`
	Edge []string `json:"edge"` // the hashes of the complete subtrees, the smallest first
	Head string   `json:"head"` // SHA-256 of the last line
}

func (e *edge) save(path string, h head) error {
	f := edgeFile{Log: h.log, Size: e.size, Head: hex.EncodeToString(h.sum[:])}
	for level := range e.levels {
		if e.size>>level&1 == 1 {
			f.Edge = append(f.Edge, hex.EncodeToString(e.levels[level][:]))
		}
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return replace(path, append(data, '\n'))
}

// loadEdge reads what save wrote. A file that is not there, or makes no sense,
// is an empty tree.
func loadEdge(path string) (edge, head, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return edge{}, head{}, nil
	}
	if err != nil {
		return edge{}, head{}, err
	}
	var f edgeFile
	if json.Unmarshal(data, &f) != nil || f.Size < 0 || bits.OnesCount64(uint64(f.Size)) != len(f.Edge) {
		return edge{}, head{}, nil
	}
	e, h := edge{size: f.Size}, head{log: f.Log, seq: uint64(f.Size)}
	if !decodeSum(f.Head, &h.sum) {
		return edge{}, head{}, nil
	}
	for level := range e.levels {
		if e.size>>level&1 == 0 {
			continue
		}
		if !decodeSum(f.Edge[0], (*sum)(&e.levels[level])) {
			return edge{}, head{}, nil
		}
		f.Edge = f.Edge[1:]
	}
	return e, h, nil
}

func decodeSum(s string, to *sum) bool {
	n, err := hex.Decode(to[:], []byte(s[:min(len(s), 2*len(to))]))
	return err == nil && n == len(to) && len(s) == 2*len(to)
}

// replace puts data in the place of path in one step, for the owner alone.
func replace(path string, data []byte) error {
	tmp, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("replace %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
