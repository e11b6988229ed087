package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/eventlog"
)

// A plot is a picture of series over time as bars, one on another, with the table
// behind it. Its coordinates are percents of its height, and slots of its width.
type plot struct {
	ID, Title, Text string
	Width           int
	Bars            []bar
	Ticks           []string // from the top down to 0
	Lines           []float64
	Times           []string // at equal distances
	Long            bool     // they take much room
	Legend          []legend
	Table           table
}

type legend struct {
	Class, Name, Total string
}

type bar struct {
	Title string
	X     int
	Parts []part
}

type part struct {
	Class string
	Y, H  float64
}

type table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// classes are those of series by their colours.
func classes(list []Series, fixed []string) []string {
	names := make([]string, len(list))
	for i, s := range list {
		switch {
		case fixed != nil:
			names[i] = fixed[i]
		case s.Name == Others && i == len(list)-1:
			names[i] = "others"
		default:
			names[i] = "s" + strconv.Itoa(i)
		}
	}
	return names
}

// A measure is what a plot shows of a count.
type measure struct {
	name string
	of   func(count) int64
	text func(int64) string
	axis func(float64) string
}

func measures() [2]measure {
	return [2]measure{
		{"requests", func(c count) int64 { return c.Requests }, thousands, func(x float64) string {
			if x < 1000 {
				return strconv.FormatFloat(x, 'f', -1, 64)
			}
			return short(x, [...]string{"k", "M", "G", "T", "P", "E"})
		}},
		{"bytes", func(c count) int64 { return c.Bytes }, bytesOf, func(x float64) string {
			if x < 1000 {
				return strconv.FormatFloat(x, 'f', -1, 64) + " B"
			}
			return short(x, [...]string{"kB", "MB", "GB", "TB", "PB", "EB"})
		}},
	}
}

// newPlot draws list over the whole time that a has.
func newPlot(id, title string, list []Series, colours []string, a *axis, m measure) *plot {
	p := &plot{ID: id, Title: title, Width: int(a.last-a.first) + 1}
	colours = classes(list, colours)
	p.Table = table{Caption: title + ", per " + span(a.length()), Head: []string{"From (UTC)"}}
	by := make([][]int64, len(list)) // by series, then slot
	sums := make([]int64, p.Width)
	for i, s := range list {
		name := eventlog.Clip(s.Name, 48)
		p.Legend = append(p.Legend, legend{colours[i], name, m.text(m.of(s.count))})
		p.Table.Head = append(p.Table.Head, name)
		by[i] = make([]int64, p.Width)
		for _, point := range s.Points {
			at := point.Time.Unix()/int64(a.length().Seconds()) - a.first
			by[i][at] = m.of(point.count)
			sums[at] += by[i][at]
		}
	}
	top := p.scale(sums, m)
	for x, sum := range sums {
		if sum == 0 {
			continue
		}
		start := a.start(a.first + int64(x)).Format("2 Jan 2006 15:04")
		p.Bars = append(p.Bars, p.bar(x, start, list, by, colours, top, m))
		row := []string{start}
		for i := range list {
			row = append(row, m.text(by[i][x]))
		}
		p.Table.Rows = append(p.Table.Rows, row)
	}
	p.Text = fmt.Sprintf("Bars, one per %s, %s. The table below has the same numbers.", span(a.length()), p.legendText())
	p.Times, p.Long = times(a)
	return p
}

func (p *plot) legendText() string {
	var text strings.Builder
	text.WriteString("made up of")
	for i, l := range p.Legend {
		if i > 0 {
			text.WriteString(",")
		}
		text.WriteString(" " + l.Name + " (" + l.Total + " in all)")
	}
	return text.String()
}

// scale chooses the largest number of the axis, and labels it.
func (p *plot) scale(sums []int64, m measure) (top float64) {
	const most = 5 // parts
	highest := int64(1)
	for _, s := range sums {
		highest = max(highest, s)
	}
	step := math.Pow(10, math.Floor(math.Log10(float64(highest)/most)))
	step = max(step, 1)
	for _, by := range []float64{1, 2, 2.5, 5, 10} {
		if most*step*by >= float64(highest) && math.Mod(step*by, 1) == 0 {
			step *= by
			break
		}
	}
	parts := int(math.Ceil(float64(highest) / step))
	for i := range parts + 1 {
		p.Ticks = append(p.Ticks, m.axis(float64(parts-i)*step))
		p.Lines = append(p.Lines, round(float64(i)*100/float64(parts)))
	}
	return float64(parts) * step
}

// bar stacks what is in one slot.
func (p *plot) bar(x int, start string, list []Series, by [][]int64, colours []string, top float64, m measure) bar {
	b := bar{X: x, Title: start + " UTC"}
	y := 100.0
	for i := range list {
		n := by[i][x]
		if n == 0 {
			continue
		}
		h := 100 * float64(n) / top
		y -= h
		b.Parts = append(b.Parts, part{colours[i], round(y), round(h)})
		b.Title += "\n" + p.Legend[i].Name + ": " + m.text(n)
	}
	return b
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// times are what stands below a plot: the beginning, the middles and the end.
func times(a *axis) (all []string, long bool) {
	const parts = 3
	from, to := a.start(a.first), a.start(a.last+1)
	layout := "2 Jan"
	if to.Sub(from) <= 60*time.Hour {
		layout, long = "2 Jan 15:04", true
	} else if to.Sub(from) > 2*365*24*time.Hour {
		layout = "Jan 2006"
	}
	for i := range parts + 1 {
		all = append(all, from.Add(to.Sub(from)*time.Duration(i)/parts).Format(layout))
	}
	return all, long
}
