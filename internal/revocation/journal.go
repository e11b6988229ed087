package revocation

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"
)

// formatVersion is that of the file.
const formatVersion = 1

// maxFile bounds the file, in bytes.
const maxFile = 64 << 20

// newID is the id of an order: 60 bits, for people to copy.
func newID() string { return rand.Text()[:12] }

// A header is the first line of the file.
type header struct {
	Version  int    `json:"version"`
	Seq      uint64 `json:"seq"`      // of the last record when the file was last written anew
	Recorded uint64 `json:"recorded"` // likewise, the last one whose event was written
}

// A record is any other line: one of three things.
type record struct {
	Seq      uint64    `json:"seq"` // one more than that of the record before, when it was written
	Order    *Order    `json:"order,omitempty"`
	Clear    *Clearing `json:"clear,omitempty"`
	Recorded uint64    `json:"recorded,omitempty"` // up to this one, events have been written
}

// A Clearing takes an order back.
type Clearing struct {
	ID string    `json:"id"` // of the order
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// strict decodes one line, which is spelled exactly as encode does: no other
// names, no name twice, no other order, no white space.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	again, err := encode(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, line) {
		return errors.New("not as gimme writes it")
	}
	return nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// check says what is wrong with a record that was read.
func (r *record) check() error {
	things := 0
	for _, there := range []bool{r.Order != nil, r.Clear != nil, r.Recorded != 0} {
		if there {
			things++
		}
	}
	switch {
	case things != 1:
		return errors.New("a line is one of order, clear and recorded")
	case r.Order != nil && r.Order.ID == "":
		return errors.New("the order has no id")
	case r.Order != nil:
		return r.Order.Check()
	case r.Clear != nil && (r.Clear.ID == "" || r.Clear.By == "" || r.Clear.At.IsZero()):
		return errors.New("the clearing does not say of what, by whom and when")
	}
	return nil
}
