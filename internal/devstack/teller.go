package devstack

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// A teller writes for people: chapters, commands, and what came of them.
type teller struct {
	out    io.Writer
	colour bool
}

// newTeller colours only what a person sees on a terminal (no-color.org).
func newTeller(out io.Writer) *teller {
	f, ok := out.(*os.File)
	return &teller{out: out, colour: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""}
}

// Colours of the terminal, as SGR parameters.
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (t *teller) paint(sgr, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// line writes text after two spaces; an empty line stays empty. Nothing can be
// done about a terminal that is gone, so failed writes are passed over.
func (t *teller) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = "  " + text
	}
	fmt.Fprintln(t.out, text)
}

func (t *teller) heading(text string) {
	fmt.Fprintln(t.out)
	fmt.Fprintln(t.out, t.paint(bold, text))
}

func (t *teller) command(text string) {
	t.line("")
	t.line("%s %s", t.paint(cyan, "$"), text)
}

// shown is what a command printed, under the command.
func (t *teller) shown(text string) {
	for l := range strings.Lines(text) {
		t.line("  %s", t.paint(faint, strings.TrimRight(l, "\n")))
	}
}

func (t *teller) right(text string) { t.line("%s %s", t.paint(green, "✓"), text) }
func (t *teller) wrong(text string) { t.line("%s %s", t.paint(red, "✗"), text) }

// table writes rows with aligned columns. paint may colour a cell; nil leaves
// all as they are.
func (t *teller) table(rows [][]string, paint func(column int, cell string) string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if paint != nil {
				cell = paint(i, cell)
			}
			b.WriteString(cell + pad + "  ")
		}
		t.line("%s", strings.TrimRight(b.String(), " "))
	}
}

// A margin passes lines on to a teller as they come, for commands that speak
// while they run.
type margin struct {
	to   *teller
	rest []byte
}

func (m *margin) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	for {
		l, rest, ok := bytes.Cut(m.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		m.to.shown(string(l) + "\n")
		m.rest = rest
	}
}

// Close writes a last line that had no end.
func (m *margin) Close() error {
	if len(m.rest) > 0 {
		m.to.shown(string(m.rest))
		m.rest = nil
	}
	return nil
}

// size is a number of bytes as aws prints it.
func size(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d Bytes", n)
}
