package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/store"
)

// shown is what a terminal of 200 columns shows in the end.
func shown(text string) []string {
	lines := []string{""}
	column := 0
	for _, r := range text {
		last := &lines[len(lines)-1]
		switch r {
		case '\n':
			lines, column = append(lines, ""), 0
		case '\r':
			column = 0
		default:
			for len(*last) <= column {
				*last += " "
			}
			*last = (*last)[:column] + string(r) + (*last)[column+1:]
			column++
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func TestCountdown(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, live: true}
	p.login(login.Notice{Step: login.Started, Flow: login.Browser, Browser: true, URL: "https://idp.example/a", Paste: true, Left: 5 * time.Minute})
	before := len(shown(out.String()))
	for left := 299 * time.Second; left > 0; left -= time.Second {
		p.login(login.Notice{Step: login.Waiting, Flow: login.Browser, Left: left, Paste: true})
		if left == 9*time.Second {
			if lines := shown(out.String()); len(lines) != before || lines[len(lines)-1] != "Waiting for the login, 9s left" {
				t.Errorf("the countdown is\n%s", strings.Join(lines, "\n"))
			}
		}
	}
	p.login(login.Notice{Step: login.Disturbed, Refused: 3})
	p.login(login.Notice{Step: login.Waiting, Flow: login.Browser, Left: time.Second})
	out.WriteString("^C") // as the terminal shows it
	p.end()
	lines := shown(out.String())
	if got := lines[len(lines)-2:]; !strings.HasPrefix(got[0], "Note: 3 requests") || got[1] != "" {
		t.Errorf("it ends with %q", got)
	}
	if !strings.HasSuffix(out.String(), "\r") {
		t.Error("what comes next does not begin at the left")
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("there are escape sequences")
	}
}

// Where no line can be rewritten, and where the person types one, a line comes
// every half minute, whatever beats the clock skips.
func TestWaitIsSaid(t *testing.T) {
	for _, p := range []*progress{{live: false}, {live: true}} {
		var out bytes.Buffer
		p.out = &out
		flow := login.Paste
		if !p.live {
			flow = login.Browser
		}
		p.login(login.Notice{Step: login.Started, Flow: flow, URL: "https://idp.example/a", Left: 2*time.Minute + 400*time.Millisecond})
		for left := 119 * time.Second; left > 2*time.Second; left -= 1300 * time.Millisecond {
			p.login(login.Notice{Step: login.Waiting, Flow: flow, Left: left})
		}
		p.end()
		if n := strings.Count(out.String(), "Still waiting"); n != 3 || strings.Contains(out.String(), "\r") {
			t.Errorf("said %d times:\n%q", n, out.String())
		}
	}
}

// What would be a request of roff at the beginning of a line is none.
func TestRoff(t *testing.T) {
	if got, want := roff(".so /etc/passwd\na-b\\n\n'quoted\n"), "\\&.so /etc/passwd\na\\-b\\en\n\\&'quoted\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhatIsToldOfTheBroker(t *testing.T) {
	for _, test := range []struct {
		n     broker.Notice
		words string
	}{
		{broker.Notice{Step: broker.WaitingForOther}, "Another gimme is logging in"},
		{broker.Notice{Step: broker.Refreshed}, "without asking"},
		{broker.Notice{Step: broker.Remembered, Rest: store.Rest{Place: "/p", Why: "there is no keyring"}}, "rests in the file /p, which is yours alone, because there is no keyring"},
		{broker.Notice{Step: broker.Remembered, Rest: store.Rest{Place: "the OS keyring"}}, ""},
		{broker.Notice{Step: broker.KeptOld, Err: errors.New("it is\x1b[2J away")}, "(it is[2J away)"},
		{broker.Notice{Step: broker.NotKept, Err: errors.New("disk full")}, "Note: disk full."},
	} {
		var out bytes.Buffer
		(&progress{out: &out}).broker(test.n)
		if got := out.String(); !strings.Contains(got, test.words) || (test.words == "") != (got == "") {
			t.Errorf("%+v: %q", test.n, got)
		}
	}
}
