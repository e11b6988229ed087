package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A checkpoint says that a log had size lines, that root is the hash of the
// Merkle tree over them, and that line has the SHA-256 of the last of them.
// Signed, it binds all lines up to there: also those that are not at hand,
// because each line has the hash of the one before.
type checkpoint struct {
	log  string
	size int64
	root tlog.Hash
	line sum
}

const (
	keyName      = "gimme-audit"
	originPrefix = keyName + "/"
	linePrefix   = "line sha256:"
)

// text is a checkpoint as C2SP's tlog-checkpoint has it, with one extension line.
func (c checkpoint) text() string {
	return fmt.Sprintf("%s%s\n%d\n%s\n%s%x\n", originPrefix, c.log, c.size, base64.StdEncoding.EncodeToString(c.root[:]), linePrefix, c.line)
}

func parseCheckpoint(text string) (c checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return c, errors.New("a checkpoint has four lines")
	}
	var ok bool
	if c.log, ok = strings.CutPrefix(lines[0], originPrefix); !ok || !isLogName(c.log) {
		return c, fmt.Errorf("the origin %q is not that of an audit log", lines[0])
	}
	if c.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.size < 1 || strconv.FormatInt(c.size, 10) != lines[1] {
		return c, fmt.Errorf("%q is not the size of a log", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.root) {
		return c, fmt.Errorf("%q is not a hash", lines[2])
	}
	copy(c.root[:], root)
	digits, ok := strings.CutPrefix(lines[3], linePrefix)
	if !ok || !decodeSum(digits, &c.line) || digits != hex.EncodeToString(c.line[:]) {
		return c, fmt.Errorf("%q is not the hash of a line", lines[3])
	}
	return c, nil
}

// sign returns the checkpoint as a signed note, and the empty line that ends it
// in a file of checkpoints.
func (c checkpoint) sign(s note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return append(signed, '\n'), nil
}

// openCheckpoint reads a signed note.
func openCheckpoint(signed []byte, known note.Verifiers) (checkpoint, error) {
	n, err := note.Open(signed, known)
	if err != nil {
		return checkpoint{}, err
	}
	return parseCheckpoint(n.Text)
}

// signatureLine is how the lines of a note begin that are signatures.
var signatureLine = []byte("— ")

// noteEnd finds the end of the last whole note in data that a crash may have
// torn: after the empty line behind its signature. 0 is none.
func noteEnd(data []byte) int {
	for end := len(data); ; {
		i := bytes.LastIndex(data[:end], []byte("\n\n"))
		if i < 0 {
			return 0
		}
		if line := data[bytes.LastIndexByte(data[:i], '\n')+1 : i]; bytes.HasPrefix(line, signatureLine) {
			return i + 2
		}
		end = i + 1
	}
}

// nextNote cuts the first note off data. Without a whole one it returns nil.
func nextNote(data []byte) (signed, rest []byte) {
	for end := 0; ; {
		i := bytes.Index(data[end:], []byte("\n\n"))
		if i < 0 {
			return nil, data
		}
		end += i
		if line := data[bytes.LastIndexByte(data[:end], '\n')+1 : end]; bytes.HasPrefix(line, signatureLine) {
			return data[:end+1], data[end+2:]
		}
		end++
	}
}
