package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/eventlog"
)

// summary says the most important in two sentences.
func (n *Numbers) summary() string {
	t := n.Totals
	if t.Requests == 0 {
		return "Nobody asked for anything in this period."
	}
	var b strings.Builder
	who := []string{}
	if t.People > 0 {
		who = append(who, counted(t.People, "person", "people"))
	}
	if t.Services > 0 {
		who = append(who, counted(t.Services, "service", "services"))
	}
	if len(who) == 0 {
		who = append(who, "nobody who is known")
	}
	fmt.Fprintf(&b, "%s made %s, read %s and wrote %s; ", capital(strings.Join(who, " and ")), counted(t.Requests, "request", "requests"), bytesOf(t.Read), bytesOf(t.Written))
	if t.Blocked == 0 {
		b.WriteString("nothing was blocked")
	} else {
		fmt.Fprintf(&b, "%s (%s) %s blocked", thousands(t.Blocked), percent(t.Blocked, t.Requests), was(t.Blocked))
		if len(n.Blocked) > 0 {
			// Whoever was blocked most is among the people, however seldom they asked.
			most := slices.MaxFunc(n.People, func(a, b Person) int { return cmp.Compare(a.Blocked, b.Blocked) })
			if most.Blocked > 0 && len(n.People) > 1 {
				fmt.Fprintf(&b, ", most often %s (%s)", eventlog.Clip(most.Who, 60), thousands(most.Blocked))
			}
		}
	}
	b.WriteByte('.')
	if t.WouldBlock > 0 {
		fmt.Fprintf(&b, " Policies in monitor mode would have blocked %s more.", thousands(t.WouldBlock))
	}
	return b.String()
}

// notes are what to know of the numbers.
func (r *Report) notes() []string {
	notes := []string{}
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if r.torn > 0 {
		note("%s of the log could not be read and %s not counted.", counted(r.torn, "line", "lines"), was(r.torn))
	}
	if r.freshPairs > 0 && r.before == 0 {
		note("The files have nothing from before the period, so each bucket that somebody used counts as new. Name older files of the log, too, to see which really are.")
	}
	if !r.people.exact() {
		note("There were more than %s people and services. The rarest were forgotten: their number, and the numbers of those who asked seldom, are too low.", thousands(roomPeople))
	}
	if !r.labels.exact() {
		note("There were more than %s labels. The numbers of rare ones are too low.", thousands(roomLabels))
	}
	if !r.blocked.exact() {
		note("There were more than %s different refusals. Where it says “at least”, some were not counted.", thousands(roomBlocked))
	}
	if !r.newBuckets.exact() || r.fullSeen {
		note("There were more new buckets than can be told apart; some are missing.")
	}
	if !r.monitor.exact() {
		note("More people met policies in monitor mode than can be told apart; where it says “at least”, some were not counted.")
	}
	if slices.Contains(keys(r.labels), "label unknown") {
		note("Of some requests the log has the end and not the beginning: their bytes are of data whose label is unknown.")
	}
	return notes
}

func keys[V any](m *most[string, V]) []string {
	var all []string
	for k := range m.entries {
		all = append(all, k)
	}
	return all
}

func was(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands is a number with its digits in groups.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesOf is a number of bytes for people.
func bytesOf(n int64) string {
	if n < 1000 {
		return counted(n, "byte", "bytes")
	}
	return short(float64(n), [...]string{"kB", "MB", "GB", "TB", "PB", "EB"})
}

// short is a number of at least 1,000 with three digits or so.
func short(x float64, units [6]string) string {
	for i, unit := range units {
		if x /= 1000; x < 999.5 || i == len(units)-1 {
			digits := 1
			if x >= 100 || x == float64(int64(x)) {
				digits = 0
			}
			return strconv.FormatFloat(x, 'f', digits, 64) + " " + unit
		}
	}
	return ""
}

func percent(part, whole int64) string {
	p := 100 * float64(part) / float64(max(whole, 1))
	switch {
	case part > 0 && p < 0.1:
		return "less than 0.1 %"
	case p < 10:
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}

// days is a period in words.
func (p Period) days() string {
	from, to := p.First, p.Last
	if p.Since != nil {
		from = *p.Since
	}
	if p.Until != nil {
		to = *p.Until
	}
	if from.IsZero() && to.IsZero() {
		return "an empty log"
	}
	const layout = "2 January 2006, 15:04"
	return from.UTC().Format(layout) + " – " + to.UTC().Format(layout) + " UTC"
}

func span(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return counted(int64(d/(24*time.Hour)), "day", "days")
	case d >= time.Hour:
		return counted(int64(d/time.Hour), "hour", "hours")
	}
	return counted(int64(d/time.Minute), "minute", "minutes")
}
