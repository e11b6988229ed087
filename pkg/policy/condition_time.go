package policy

import (
	"fmt"
	"strings"
	"time"
)

// A schedule is the days and the hours of them, on the clocks of one zone.
type schedule struct {
	days  [7]bool // by time.Weekday
	spans []span  // empty: all day
	zone  *time.Location
	text  string // as it was written
}

// A span is minutes of a day: from the first to before the second. When the
// second is the smaller, it goes over midnight.
type span struct{ from, to int }

func (s schedule) holds(_ *Principal, f *Facts, _ map[string]string) bool {
	if f.Now.IsZero() {
		return false
	}
	local := f.Now.In(s.zone)
	if !s.days[local.Weekday()] {
		return false
	}
	minute := local.Hour()*60 + local.Minute()
	for _, h := range s.spans {
		if h.covers(minute) {
			return true
		}
	}
	return len(s.spans) == 0
}

func (h span) covers(minute int) bool {
	if h.from < h.to {
		return h.from <= minute && minute < h.to
	}
	return h.from <= minute || minute < h.to
}

func (s schedule) want() string { return "on " + s.text }

func (s schedule) seen(_ *Principal, f *Facts, _ map[string]string) string {
	if f.Now.IsZero() {
		return "the time is not known"
	}
	return "it is " + strings.ToLower(f.Now.In(s.zone).Format("Mon 15:04"))
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func dayOf(name string) int {
	for i, d := range dayNames {
		if d == name {
			return i
		}
	}
	return -1
}

// parseDays adds to days what text names: "mon", or "mon-fri", which may go
// over the end of the week.
func parseDays(text string, days *[7]bool) bool {
	first, last, ranged := strings.Cut(text, "-")
	from, to := dayOf(first), dayOf(last)
	if !ranged {
		to = from
	}
	if from < 0 || to < 0 {
		return false
	}
	for d := from; ; d = (d + 1) % 7 {
		days[d] = true
		if d == to {
			return true
		}
	}
}

// parseSpan reads "08:00-18:00". The end may be 24:00.
func parseSpan(text string) (span, bool) {
	first, last, ok := strings.Cut(text, "-")
	from, good := parseClock(first)
	to, alsoGood := parseClock(last)
	return span{from, to}, ok && good && alsoGood && from != to && from < 24*60
}

func parseClock(text string) (minute int, ok bool) {
	var h, m int
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	fmt.Sscanf(text, "%d:%d", &h, &m) // five characters as above are two numbers
	return h*60 + m, m < 60 && h*60+m <= 24*60
}
