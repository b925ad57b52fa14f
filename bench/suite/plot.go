package main

import (
	"fmt"
	"image/color"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// plotted is the column that the table's plot shows; -1 = there is no plot.
func (t *table) plotted() int {
	return slices.IndexFunc(t.Columns, func(c column) bool { return c.Plot })
}

// plot draws a box for each row: the median, the quartiles, and the rounds that are far from them.
func (t *table) plot(folder string) error {
	at := t.plotted()
	if at < 0 {
		return nil
	}
	p := plot.New()
	p.Title.Text, p.Title.Padding = t.Title, vg.Points(8)
	p.Y.Label.Text = t.Columns[at].title()
	p.Y.Min = 0
	var names []string
	for i, r := range t.Rows {
		box, err := plotter.NewBoxPlot(vg.Points(24), float64(i), plotter.Values(r.Figures[at]))
		if err != nil {
			return fmt.Errorf("plotting %s: %w", r.Name, err)
		}
		box.FillColor = color.Gray{Y: 225}
		p.Add(box)
		names = append(names, r.Name)
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.6, float64(len(t.Rows))-0.4
	width := vg.Length(len(t.Rows))*vg.Points(90) + vg.Points(80)
	return p.Save(width, vg.Points(280), filepath.Join(folder, t.Name+".svg"))
}
