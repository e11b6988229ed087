package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/gimme-broker/gimme/internal/eventlog"
	"github.com/gimme-broker/gimme/pkg/audit"
)

// A tint is how a terminal shows a text.
type tint string

const (
	plain  tint = ""
	faint  tint = "2"
	bold   tint = "1"
	red    tint = "1;31"
	green  tint = "32"
	yellow tint = "33"
	blue   tint = "36"
)

// A column of the table of events. Where there is not room for all, those of the
// highest rank go first.
type column struct {
	name  string
	width int // in characters; of what, what is left
	rank  int
	right bool
}

const whatColumn = "WHAT"

// columns are all that there are.
func columns() []column {
	return []column{
		{"TIME", 20, 0, false}, {"DECISION", 11, 0, false}, {"WHO", 26, 0, false}, {"OPERATION", 18, 1, false}, {whatColumn, 44, 0, false},
		{"LABELS", 16, 3, false}, {"STATUS", 6, 2, true}, {"BYTES", 9, 4, true}, {"TOOK", 8, 5, true},
	}
}

// The room that what is asked for, and who asks, have at least.
const (
	leastWhat = 24
	leastWho  = 12
)

// An eventTable prints events for people, one line each, and below it why it was
// blocked. On a terminal it keeps to the width and has colours.
type eventTable struct {
	out     *bufio.Writer
	colour  bool
	clip    bool // texts are cut to their columns
	columns []column
	headed  bool
}

// eventTable prints on stdout.
func (a App) eventTable() *eventTable {
	t := newEventTable(a.Stdout, 0)
	if isTerminal(a.Stdout) {
		width := 80
		onDescriptor(a.Stdout, func(fd int) {
			if w, _, err := term.GetSize(fd); err == nil && w > 0 {
				width = w
			}
		})
		t = newEventTable(a.Stdout, width)
		t.colour = a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
	}
	return t
}

// newEventTable prints on a terminal of that many columns; 0: on none.
func newEventTable(out io.Writer, width int) *eventTable {
	t := &eventTable{out: bufio.NewWriterSize(out, 64<<10), columns: columns(), clip: width > 0, headed: width == 0}
	if width == 0 {
		return t
	}
	for {
		room := width
		for _, c := range t.columns {
			if c.name != whatColumn {
				room -= c.width + 1
			}
		}
		last := slices.MaxFunc(t.columns, func(a, b column) int { return a.rank - b.rank })
		if room >= leastWhat || last.rank == 0 {
			t.fit(room)
			return t
		}
		t.columns = slices.DeleteFunc(t.columns, func(c column) bool { return c.name == last.name })
	}
}

// fit gives the room that is left to what is asked for; who asks gives some of
// theirs when it is not enough.
func (t *eventTable) fit(room int) {
	for i := range t.columns {
		switch c := &t.columns[i]; c.name {
		case whatColumn:
			c.width = max(room, leastWhat)
		case "WHO":
			c.width = max(leastWho, c.width-max(0, leastWhat-room))
		}
	}
}

// print prints an event, with its outcome if that is known.
func (t *eventTable) print(f eventlog.Found) {
	if !t.headed {
		t.headed = true
		t.line(func(c column) (string, tint) { return c.name, bold })
	}
	e, end := f.Event, f.Outcome
	if end == nil {
		end = e
	}
	t.line(func(c column) (string, tint) { return cell(c.name, e, end) })
	for i, why := range eventlog.Why(e) {
		if i == 3 {
			t.reason("and for more reasons, which --json has", e.ID)
			break
		}
		t.reason(why, e.ID)
	}
	if end != e && end.Decision == audit.Blocked {
		for _, why := range eventlog.Why(end) {
			t.reason("ended: "+why, e.ID)
		}
	}
}

// reason prints why an event's request was blocked.
func (t *eventTable) reason(why, id string) {
	t.text("    "+eventlog.Visible(why), plain)
	t.text("  event "+eventlog.Visible(id), faint)
	t.out.WriteByte('\n')
}

// line prints what of makes of the columns.
func (t *eventTable) line(of func(column) (string, tint)) {
	for i, c := range t.columns {
		text, tint := of(c)
		if t.clip {
			text = eventlog.Clip(text, c.width)
		} else {
			text = eventlog.Visible(text)
		}
		pad := strings.Repeat(" ", max(0, c.width-cellsOf(text)))
		if i > 0 {
			t.out.WriteByte(' ')
		}
		if c.right {
			t.out.WriteString(pad)
		}
		t.text(text, tint)
		if !c.right && i < len(t.columns)-1 {
			t.out.WriteString(pad)
		}
	}
	t.out.WriteByte('\n')
}

func (t *eventTable) text(s string, how tint) {
	if s = printable(s); t.colour && how != plain && s != "" {
		s = "\x1b[" + string(how) + "m" + s + "\x1b[0m"
	}
	t.out.WriteString(s)
}

func (t *eventTable) flush() error { return t.out.Flush() }

// cell is what stands in a column about an event and how it ended.
func cell(name string, e, end *audit.Event) (string, tint) {
	switch name {
	case "TIME":
		return e.Time.UTC().Format(time.RFC3339), faint
	case "DECISION":
		return answer(e)
	case "WHO":
		return dash(eventlog.Who(e.Principal)), plain
	case "OPERATION":
		if e.Request == nil {
			return "-", faint
		}
		return dash(e.Request.Operation), plain
	case whatColumn:
		return dash(eventlog.What(e)), plain
	case "LABELS":
		return dash(strings.Join(e.Labels, ",")), blue
	}
	r := end.Response
	if r == nil {
		return "-", faint
	}
	switch name {
	case "STATUS":
		if r.Status >= 400 {
			return strconv.Itoa(r.Status), red
		}
		return strconv.Itoa(r.Status), plain
	case "BYTES":
		n := r.Bytes
		if n == 0 && e.Request != nil && end.Kind == audit.KindOutcome {
			n = e.Request.Bytes
		}
		return size(n), plain
	}
	return took(r.DurationMS), faint
}

// answer is an event's decision, or what else it records.
func answer(e *audit.Event) (string, tint) {
	switch {
	case e.Decision == audit.Blocked:
		return string(e.Decision), red
	case e.Decision == audit.WouldBlock:
		return string(e.Decision), yellow
	case e.Decision == audit.Allowed && e.Kind == audit.KindSession:
		return string(e.Kind), green
	case e.Decision == audit.Allowed:
		return string(e.Decision), green
	}
	return string(e.Kind), blue
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	x, units := float64(n), "kMGTPE"
	for i, unit := range units {
		if x /= 1000; x < 999.95 || i == len(units)-1 {
			return fmt.Sprintf("%.1f %cB", x, unit)
		}
	}
	return ""
}

// took is a number of milliseconds for people.
func took(ms float64) string {
	switch {
	case ms < 9999:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 600_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.0f min", ms/60_000)
}

// cellsOf is how much room a text takes, but for the characters that are twice as
// wide as others.
func cellsOf(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			n--
		}
	}
	return n
}
