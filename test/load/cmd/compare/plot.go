package main

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A picture shows one figure of every case and way.
type picture struct {
	file, title string
	figure      func(row) float64
}

func pictures() []picture {
	return []picture{
		{"throughput", "requests a second (further right is better)", func(r row) float64 { return r.rate }},
		{"p50", "median, ms (further left is better)", func(r row) float64 { return r.p50 }},
		{"p99", "99th percentile, ms (further left is better)", func(r row) float64 { return r.p99 }},
		{"cpu", "CPU of the way, µs a request (further left is better)", func(r row) float64 { return r.cpuPerRequest }},
		{"memory", "most memory of the way, MiB (further left is better)", func(r row) float64 { return r.ram }},
	}
}

// looksOf are the colours and the shapes of ways, which also tell them apart in
// print and for eyes that do not see all colours (Okabe and Ito's palette).
var looksOf = map[string]draw.GlyphStyle{
	straight:  {Color: color.Gray{150}, Shape: draw.PlusGlyph{}},
	nginx:     {Color: color.RGBA{0, 158, 115, 255}, Shape: draw.TriangleGlyph{}},
	goProxy:   {Color: color.RGBA{0, 114, 178, 255}, Shape: draw.SquareGlyph{}},
	gimme:     {Color: color.RGBA{213, 94, 0, 255}, Shape: draw.CircleGlyph{}},
	versitygw: {Color: color.RGBA{204, 121, 167, 255}, Shape: draw.RingGlyph{}},
	rclone:    {Color: color.RGBA{86, 180, 233, 255}, Shape: draw.BoxGlyph{}},
}

// rowHeight is what a case takes of a plot's height.
const rowHeight = 0.55 * vg.Centimeter

// drawAll writes every plot into the folder, as PNG and SVG.
func drawAll(folder string, rows []row) error {
	for _, p := range pictures() {
		shown := slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
			_, known := looksOf[r.way]
			return !known || p.file != "memory" && (r.name == memoryGet || r.name == memoryPut)
		})
		if len(shown) == 0 {
			continue
		}
		drawn, cases, err := p.draw(shown)
		if err != nil {
			return fmt.Errorf("plot %s: %w", p.file, err)
		}
		for _, kind := range []string{".svg", ".png"} {
			if err := drawn.Save(22*vg.Centimeter, vg.Length(cases)*rowHeight+3*vg.Centimeter, filepath.Join(folder, p.file+kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

// draw puts one line for each case, with a mark for each way.
func (p picture) draw(rows []row) (*plot.Plot, int, error) {
	var cases []string
	points := make(map[string]plotter.XYs)
	for _, r := range rows {
		if name := r.place.String(); !slices.Contains(cases, name) {
			cases = append(cases, name)
		}
	}
	slices.Reverse(cases) // the first is to be on top
	for _, r := range rows {
		if v := p.figure(r); v > 0 && !math.IsInf(v, 1) { // the axis is logarithmic
			points[r.way] = append(points[r.way], plotter.XY{X: v, Y: float64(slices.Index(cases, r.place.String()))})
		}
	}
	drawn := plot.New()
	drawn.X.Label.Text = p.title
	drawn.X.Min, drawn.X.Max = 1, 10
	if len(points) > 0 {
		drawn.X.Min, drawn.X.Max = math.Inf(1), math.Inf(-1) // as far as the points go
	}
	drawn.X.Scale, drawn.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	drawn.NominalY(cases...)
	drawn.Y.Min, drawn.Y.Max = -0.5, float64(len(cases))-0.5
	drawn.Legend.Top, drawn.Legend.Padding = true, vg.Millimeter
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{235}
	drawn.Add(grid)
	for _, way := range peers {
		if len(points[way]) == 0 {
			continue
		}
		marks, err := plotter.NewScatter(points[way])
		if err != nil {
			return nil, 0, err
		}
		marks.GlyphStyle = looksOf[way]
		marks.Radius = 3.2
		drawn.Add(marks)
		drawn.Legend.Add(way, marks)
	}
	drawn.X.Min, drawn.X.Max = drawn.X.Min/1.5, drawn.X.Max*3 // room for marks and for the legend
	return drawn, len(cases), nil
}
