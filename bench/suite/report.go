package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is what came of a scenario.
type report struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Command  string    `json:"command"`
	At       time.Time `json:"at"`
	Machine  machine   `json:"machine"`
	Settings string    `json:"settings"`
	Tables   []*table  `json:"tables"`

	to io.Writer // each table, as soon as it is there
}

// table has a row for each contestant or case, whose figures of all rounds it keeps.
type table struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Note    string   `json:"note,omitempty"`
	Columns []column `json:"columns"`
	Rows    []row    `json:"rows"`
}

type column struct {
	Name     string `json:"name"`
	Unit     string `json:"unit,omitempty"`
	Spread   bool   `json:"-"` // the quartiles are shown as well
	Optional bool   `json:"-"` // not shown where it is 0 in all rows
	Plot     bool   `json:"-"` // the plot shows it
}

type row struct {
	Name    string      `json:"name"`
	About   string      `json:"about,omitempty"`
	Figures [][]float64 `json:"figures"` // by column, of each round
}

// add adds a table and shows it: what comes after it may take long.
func (r *report) add(t *table) {
	r.Tables = append(r.Tables, t)
	fmt.Fprintln(r.to, t.markdown())
}

// cell is the median of a column's figures.
func (r row) cell(column int) quartiles { return quartilesOf(r.Figures[column]) }

// markdown shows the table: medians, with the quartiles in brackets where they matter.
func (t *table) markdown() string {
	shown := t.shown()
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n", t.Title)
	if t.Note != "" {
		fmt.Fprintf(&out, "%s\n\n", t.Note)
	}
	out.WriteString("| |")
	for _, i := range shown {
		fmt.Fprintf(&out, " %s |", t.Columns[i].title())
	}
	out.WriteString("\n|---|" + strings.Repeat("--:|", len(shown)) + "\n")
	for _, r := range t.Rows {
		fmt.Fprintf(&out, "| %s |", r.Name)
		for _, i := range shown {
			fmt.Fprintf(&out, " %s |", t.Columns[i].show(r.cell(i)))
		}
		out.WriteString("\n")
	}
	return out.String()
}

// shown are the columns that have something to show.
func (t *table) shown() (shown []int) {
	for i, c := range t.Columns {
		some := false
		for _, r := range t.Rows {
			some = some || r.cell(i).Median != 0
		}
		if some || !c.Optional {
			shown = append(shown, i)
		}
	}
	return shown
}

// title is the name with the unit.
func (c column) title() string { return strings.TrimSuffix(c.Name+", "+c.Unit, ", ") }

func (c column) show(q quartiles) string {
	if math.IsNaN(q.Median) {
		return "–"
	}
	if !c.Spread {
		return figure(q.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", figure(q.Median), figure(q.Low), figure(q.High))
}

// figure shows a number with three digits that count.
func figure(f float64) string {
	switch size := math.Abs(f); {
	case size >= 1000:
		return thousands(int(math.Round(f)))
	case size >= 99.95 || f == 0:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case size >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	default:
		return strconv.FormatFloat(f, 'f', 2, 64)
	}
}

// thousands writes a number as 1,000,000.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// markdown shows all of it.
func (r *report) markdown() string {
	var out strings.Builder
	out.WriteString(r.head())
	for _, t := range r.Tables {
		fmt.Fprintf(&out, "\n%s", t.markdown())
		if t.plotted() >= 0 {
			fmt.Fprintf(&out, "\n![%s](%s.svg)\n", t.Title, t.Name)
		}
	}
	out.WriteString(r.legend())
	return out.String()
}

func (r *report) head() string {
	return fmt.Sprintf("# %s\n\n```sh\n%s\n```\n\nTaken on %s, on %s. %s\n", r.Title, r.Command, r.At.Format(time.DateOnly), r.Machine, r.Settings)
}

// legend says what each contestant is, once.
func (r *report) legend() string {
	var lines []string
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			line := fmt.Sprintf("- %s: %s\n", row.Name, row.About)
			if row.About != "" && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n## What the rows are\n\n" + strings.Join(lines, "")
}

// write writes the report as NAME.json and NAME.md, and a plot for each table.
func (r *report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, r.Name+".json"), data, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, r.Name+".md"), []byte(r.markdown()), 0o644); err != nil {
		return err
	}
	for _, t := range r.Tables {
		if err := t.plot(folder); err != nil {
			return err
		}
	}
	return nil
}
