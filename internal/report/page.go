package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/gimme-broker/gimme/internal/eventlog"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// A page is what the template shows.
type page struct {
	N        *Numbers
	Style    template.CSS
	Policy   string
	Tiles    []tile
	Sections []section
	Severity *plot
	// The largest of what meters show.
	MostBlocked, MostSevere, MostRequests int64

	Monitored []monitored
	More      struct{ Blocked, Buckets, People string }
	Sessions  string
	Counted   string
}

type tile struct{ Class, Name, Value, Text string }

type section struct {
	ID, Title, Text string
	Plots           []*plot
}

// A monitored is a policy in monitor mode, with those whom it met most.
type monitored struct {
	Policy  string
	Count   int64
	AtLeast bool
	Who     []Monitor
}

// contentPolicy forbids the page everything but its own style.
func contentPolicy() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// WriteHTML writes the report as one page.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"clip": eventlog.Clip, "thousands": thousands, "bytes": bytesOf, "meter": meter, "meter2": meter2,
		"moment": func(at time.Time) string { return at.UTC().Format("2 Jan, 15:04") },
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("the page of a report: %w", err)
	}
	return t.Execute(w, r.page())
}

func (r *Report) page() *page {
	n := r.Numbers()
	p := &page{N: n, Style: template.CSS(pageCSS), Policy: contentPolicy(), Tiles: n.tiles(), Monitored: n.monitored(), Sessions: n.sessions(), Counted: n.counted()}
	p.Sections = r.sections(n)
	var colours []string
	for _, s := range n.By.Severity {
		colours = append(colours, map[string]string{"high": "blocked", "medium": "would-block", "low": "allowed"}[s.Name])
		if colours[len(colours)-1] == "" {
			colours[len(colours)-1] = "others"
		}
	}
	p.Severity = newPlot("severity", "Violations by severity", n.By.Severity, colours, &r.axis, measures()[0])
	for _, b := range n.Blocked {
		p.MostBlocked = max(p.MostBlocked, b.Count)
	}
	for _, s := range n.Severe {
		p.MostSevere = max(p.MostSevere, s.Blocked+s.WouldBlock)
	}
	for _, x := range n.People {
		p.MostRequests = max(p.MostRequests, x.Requests)
	}
	if more := len(r.blocked.entries) - len(n.Blocked); more > 0 {
		p.More.Blocked = "The most frequent are shown; " + counted(int64(more), "other kind is", "other kinds are") + " rarer."
	}
	if more := n.Totals.NewBuckets - int64(len(n.Buckets)); more > 0 {
		p.More.Buckets = "Those that were used most are shown, of " + thousands(n.Totals.NewBuckets) + "."
	}
	if len(r.people.entries) > len(n.People) {
		p.More.People = thousands(int64(len(n.People))) + " are shown, of " + thousands(int64(len(r.people.entries))) + "."
	}
	return p
}

func (r *Report) sections(n *Numbers) []section {
	list := []section{
		{ID: "decisions", Title: "By decision", Text: "What was let through, what only monitor mode let through, and what was blocked."},
		{ID: "persons", Title: "By person", Text: "People and services who asked most, or moved the most bytes."},
		{ID: "labels", Title: "By label", Text: "What kinds of data were asked for."},
	}
	for i, x := range []struct {
		id, of  string
		series  []Series
		colours []string
	}{
		{"decision", "decision", n.By.Decision, []string{"allowed", "would-block", "blocked"}},
		{"person", "person", n.By.Person, nil},
		{"label", "label", n.By.Label, nil},
	} {
		for _, m := range measures() {
			list[i].Plots = append(list[i].Plots, newPlot(x.id+"-"+m.name, capital(m.name)+" by "+x.of, x.series, x.colours, &r.axis, m))
		}
	}
	return list
}

func (n *Numbers) tiles() []tile {
	t := n.Totals
	list := []tile{
		{"", "Requests", thousands(t.Requests), counted(t.People, "person", "people") + ", " + counted(t.Services, "service", "services")},
		{"bad", "Blocked", thousands(t.Blocked), percent(t.Blocked, t.Requests) + " of requests"},
		{"warn", "Would be blocked", thousands(t.WouldBlock), "without monitor mode"},
		{"", "Read", bytesOf(t.Read), ""},
		{"", "Written", bytesOf(t.Written), ""},
		{"", "New buckets", thousands(t.NewBuckets), "by person"},
		{"", "Sessions", thousands(t.Sessions), counted(t.Refused, "refused", "refused")},
		{"", "Revocations", thousands(t.Revocations), counted(t.Policies, "change of policies", "changes of policies")},
	}
	if t.Blocked == 0 {
		list[1].Class = ""
	}
	if t.WouldBlock == 0 {
		list[2].Class = ""
	}
	return list
}

// monitored puts together what one policy would have blocked.
func (n *Numbers) monitored() []monitored {
	const told = 3
	var list []monitored
	for _, m := range n.Monitor {
		i := slices.IndexFunc(list, func(x monitored) bool { return x.Policy == m.Policy })
		if i < 0 {
			i = len(list)
			list = append(list, monitored{Policy: m.Policy})
		}
		x := &list[i]
		x.Count += m.Count
		x.AtLeast = x.AtLeast || m.AtLeast || len(n.Monitor) == toldMonitor
		if len(x.Who) < told {
			x.Who = append(x.Who, m)
		}
	}
	slices.SortStableFunc(list, func(a, b monitored) int { return cmp.Compare(b.Count, a.Count) })
	return list
}

func (n *Numbers) sessions() string {
	t := n.Totals
	text := counted(t.Sessions, "session was issued", "sessions were issued") + ", " + counted(t.Refused, "was refused", "were refused") + ". "
	text += capital(counted(t.Revocations, "order of revocation was given", "orders of revocation were given")) + ". "
	return text + "Policies came into force or were found faulty " + counted(t.Policies, "time", "times") + "; the sidecar started " + counted(t.Starts, "time", "times") + "."
}

func (n *Numbers) counted() string {
	text := "Read: " + counted(n.Log.Lines, "line", "lines") + " of the log, of which " + counted(n.Log.Events, "is an event", "are events") + " of the period"
	if n.Log.Outside > 0 {
		text += " and " + thousands(n.Log.Outside) + " are outside it"
	}
	return text + "."
}

// Days is the period in words.
func (p Period) Days() string { return p.days() }

// meter is a bar that shows n as a part of most.
func meter(n, most int64, class string) template.HTML {
	return meterOf(most, []int64{n}, []string{class})
}

// meter2 shows blocked and would-block.
func meter2(blocked, would, most int64) template.HTML {
	return meterOf(most, []int64{blocked, would}, []string{"blocked", "would-block"})
}

// meterOf is made of numbers and names of classes alone.
func meterOf(most int64, parts []int64, classes []string) template.HTML {
	out, x := `<svg viewBox="0 0 100 1" preserveAspectRatio="none">`, 0.0
	for i, n := range parts {
		width := 100 * float64(n) / float64(max(most, 1))
		out += fmt.Sprintf(`<rect class="%s" x="%.2f" width="%.2f" height="1"/>`, classes[i], x, width)
		x += width
	}
	return template.HTML(out + "</svg>")
}
