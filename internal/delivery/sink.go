package delivery

import (
	"context"
	"fmt"
	"io"
	"time"
)

// A sink takes events. It is used by one goroutine.
type sink interface {
	io.Closer

	// send hands batch over, in order, and returns once the sink has it. With an
	// error the events from result.done on come again; it is a *refusal when
	// the sink said that it does not take such events. Without an error done may
	// still be less than the batch, and not 0.
	send(ctx context.Context, batch []record) (result, error)
}

// A result is what became of a batch.
type result struct {
	done    int       // how many of its first events need not come again
	refused []refused // those among them that the sink will never take
}

// all is the result when every event of batch was taken.
func all(batch []record) result { return result{done: len(batch)} }

// A refused is one event that a sink does not take.
type refused struct {
	seq uint64
	why string
}

// A refusal says that a sink does not take what it was given, however often it
// comes.
type refusal struct{ why string }

func (r *refusal) Error() string { return "refused: " + r.why }

// A busy says that a sink wants to be left alone for a while.
type busy struct {
	after time.Duration
	err   error
}

func (b *busy) Error() string {
	if b.after > 0 {
		return fmt.Sprintf("%v (asks for a pause of %v)", b.err, b.after)
	}
	return b.err.Error()
}

func (b *busy) Unwrap() error { return b.err }

// limits bound a batch. Bytes are those of the lines, and overhead for each.
type limits struct {
	events   int
	bytes    int
	overhead int
	event    int // the largest line; longer ones are shortened
}

func (l limits) admits(events, bytes int, line []byte) bool {
	return events == 0 || events < l.events && bytes+len(line)+l.overhead <= l.bytes
}
