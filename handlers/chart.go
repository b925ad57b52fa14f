package handlers

import (
	"bytes"
	"image/color"
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ink is the colours of charts in a scheme. app.css has the same for the keys that stand beside them.
type ink struct {
	text, line color.Color
	series     map[string]color.Color
}

func rgb(hex uint32) color.Color {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255} //nolint:gosec // each is a byte of it
}

//nolint:gochecknoglobals // a constant table
var inks = map[string]ink{
	"light": {rgb(0x566059), rgb(0xe3e7e5), map[string]color.Color{
		"hit": rgb(0x1f8f68), "stale": rgb(0xc98a1b), "miss": rgb(0x4a7fb8), "failed": rgb(0xc4454b),
		"wechat": rgb(0x1f8f68), "ios": rgb(0x4a7fb8), "android": rgb(0xc98a1b), "other": rgb(0x87918d), "fallback": rgb(0xc4454b),
	}},
	"dark": {rgb(0x9ba7a3), rgb(0x2b3235), map[string]color.Color{
		"hit": rgb(0x3fae82), "stale": rgb(0xd9a441), "miss": rgb(0x6ea3dc), "failed": rgb(0xe0706f),
		"wechat": rgb(0x3fae82), "ios": rgb(0x6ea3dc), "android": rgb(0xd9a441), "other": rgb(0x6b767a), "fallback": rgb(0xe0706f),
	}},
}

// chartSize is how large a chart is drawn: about as large as it is shown, so that its text has the size of that around it.
type chartSize struct{ Width, Height int }

//nolint:gochecknoglobals // a constant table
var chartSizes = map[string]chartSize{"wide": {640, 220}, "half": {450, 200}, "narrow": {330, 180}}

// chart is a picture of numbers over time. It has no words, and so no language.
type chart struct {
	size     chartSize
	ink      ink
	zone     *time.Location
	from, to time.Time
	most     float64 // of the vertical axis; 0 = as the numbers want it
}

// slot is what happened in one stretch of a chart of bars.
type slot struct {
	At     time.Time
	Counts map[string]uint64
}

// N is how often something happened.
func (s slot) N(what string) uint64 { return s.Counts[what] }

// bars draws what happened in each stretch, the series on top of each other.
func (c chart) bars(slots []slot, series ...string) []byte {
	p := c.plot()
	width := (vg.Length(c.size.Width) - 50) / vg.Length(max(len(slots), 1)) * .72
	var below *plotter.BarChart
	for _, name := range series {
		values := make(plotter.Values, len(slots))
		for i, s := range slots {
			values[i] = float64(s.Counts[name])
		}
		bar, err := plotter.NewBarChart(values, min(width, 26))
		if err != nil {
			continue // there are no slots
		}
		bar.Color, bar.LineStyle.Width = c.ink.series[name], 0
		if below != nil {
			bar.StackOn(below)
		}
		below = bar
		p.Add(bar)
	}
	p.X.Min, p.X.Max = -.6, float64(len(slots))-.4
	p.X.Tick.Marker = plot.ConstantTicks(c.slotTicks(slots))
	c.fitY(p)
	return c.svg(p)
}

// point is a number at a moment.
type point struct {
	At time.Time
	N  float64
}

// lines draws what is known as a line with an area under it, and what is expected dashed.
func (c chart) lines(known, expected []point) []byte {
	p := c.plot()
	colour := c.ink.series["hit"]
	if line, err := plotter.NewLine(c.xys(known)); err == nil {
		line.Color, line.Width = colour, 2
		line.FillColor = faded(colour)
		p.Add(line)
	}
	if line, err := plotter.NewLine(c.xys(expected)); err == nil && len(expected) > 1 {
		line.Color, line.Width, line.Dashes = c.ink.series["stale"], 2, []vg.Length{4, 3}
		p.Add(line)
	}
	p.X.Min, p.X.Max = 0, c.to.Sub(c.from).Hours()
	p.X.Tick.Marker = plot.ConstantTicks(c.hourTicks())
	c.fitY(p)
	return c.svg(p)
}

func (c chart) xys(points []point) plotter.XYs {
	xys := make(plotter.XYs, len(points))
	for i, p := range points {
		xys[i] = plotter.XY{X: p.At.Sub(c.from).Hours(), Y: p.N}
	}
	return xys
}

func faded(c color.Color) color.Color {
	n, _ := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = 40
	return n
}

// plot is an empty plot: light horizontal lines, and text at two edges.
func (c chart) plot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Width, axis.Tick.Length, axis.Padding = 0, 0, 4
		axis.Tick.Label.Color, axis.Tick.Label.Font.Size, axis.Tick.Label.Font.Variant = c.ink.text, 12, "Sans"
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color, grid.Horizontal.Width = nil, c.ink.line, 1
	p.Add(grid)
	return p
}

// fitY has the vertical axis begin at zero and end at a round number.
func (c chart) fitY(p *plot.Plot) {
	most := c.most
	if most == 0 {
		most = p.Y.Max
	}
	step := roundStep(most / 3)
	p.Y.Min, p.Y.Max = 0, step*math.Ceil(max(most, step)/step)
	if c.most > 0 {
		p.Y.Max = c.most
	}
	var ticks []plot.Tick
	for y := 0.0; y <= p.Y.Max; y += step {
		ticks = append(ticks, plot.Tick{Value: y, Label: short(y)})
	}
	if above := p.Y.Max - ticks[len(ticks)-1].Value; above >= step/2 {
		ticks = append(ticks, plot.Tick{Value: p.Y.Max, Label: short(p.Y.Max)})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
}

// roundStep gives a round number of about a size: 1, 2 or 5 and noughts.
func roundStep(size float64) float64 {
	if !(size > 1) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(size)))
	for _, factor := range []float64{1, 2, 5} {
		if power*factor >= size {
			return power * factor
		}
	}
	return power * 10
}

// short writes a number in few places: 1.5k, 2M.
func short(n float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if n >= unit.size {
			return strconv.FormatFloat(math.Round(n/unit.size*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// slotTicks names some slots, as many as there is room for: hours by their time, days by their date.
func (c chart) slotTicks(slots []slot) []plot.Tick {
	const room = 42 // of a name
	daily := len(slots) > 1 && slots[1].At.Sub(slots[0].At) >= 24*time.Hour
	format, every := "15:04", 6
	if daily {
		format, every = "01-02", 7
	}
	for every*(c.size.Width-50) < room*len(slots) {
		every *= 2
	}
	var ticks []plot.Tick
	for i, s := range slots {
		at := s.At.In(c.zone)
		if !daily && at.Hour()%every == 0 || daily && (len(slots)-1-i)%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: at.Format(format)})
		}
	}
	return ticks
}

func (c chart) hourTicks() []plot.Tick {
	var ticks []plot.Tick
	for at := c.from; !at.After(c.to); at = at.Add(6 * time.Hour) {
		label := at.In(c.zone).Format("15:04")
		if at.Equal(c.to) && label == "00:00" {
			label = "24:00"
		}
		ticks = append(ticks, plot.Tick{Value: at.Sub(c.from).Hours(), Label: label})
	}
	return ticks
}

func (c chart) svg(p *plot.Plot) []byte {
	canvas := vgsvg.New(vg.Length(c.size.Width), vg.Length(c.size.Height))
	p.Draw(draw.Crop(draw.New(canvas), 2, -4, 2, -4))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		panic(err) // a buffer takes everything
	}
	// The fonts it measured with are not on every machine.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:system-ui,sans-serif"))
}
