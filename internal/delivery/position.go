package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gimme-broker/gimme/internal/durable"
)

// A position is the last event that a sink has taken, or that is not for it.
// The zero value stands before the first.
type position struct {
	Log    string `json:"log"`
	Seq    uint64 `json:"seq"`
	File   string `json:"file"`   // the id of its segment
	Offset int64  `json:"offset"` // of its line in that file, uncompressed
	Sum    string `json:"sum"`    // sumOf its line
}

// precedes says whether h is the event after p, as far as can be told.
func (p position) precedes(h head) bool {
	if p.Seq == 0 || h.Log != p.Log {
		return h.Seq == 1 || p.Seq == 0
	}
	return h.Seq == p.Seq+1 && h.Prev == p.Sum
}

// before is what is missing between p and h. Before the first event that is
// read nothing is.
func (p position) before(h head) *gap {
	from := p.Seq + 1
	if h.Log != p.Log {
		from = 1
	}
	if p.Seq == 0 || h.Seq <= from {
		return nil
	}
	return &gap{from: from, to: h.Seq - 1}
}

// positionPath is where the position of a sink in the log at path is kept.
func positionPath(path, sink string) string { return path + ".sink-" + sink }

// loadPosition reads what savePosition wrote. Without a file delivery starts
// with the oldest event that there is.
func loadPosition(path string) (position, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return position{}, nil
	}
	var p position
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return position{}, fmt.Errorf("read position %s: %w; move the file away to deliver the whole log again", path, err)
	}
	return p, nil
}

func savePosition(path string, p position) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return durable.Replace(path, append(data, '\n'), 0o600)
}
