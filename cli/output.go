package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// output is what a command prints: a table for people, JSON for machines.
type output struct {
	io.Writer

	format string
}

const formatTable = "table" // and formatJSON

// addOutputFlag gives a command -o.
func addOutputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().VarP(&choice{value: format, of: []string{formatTable, formatJSON}}, "output", "o", "`format`: table or json")
	*format = formatTable
}

// table is rows of cells.
type table [][]string

// show prints a value as JSON, whole, or as the rows that people want to see of it.
func (o output) show(value any, rows func() table) error {
	if o.format == formatJSON {
		encoder := json.NewEncoder(o)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	}
	w := tabwriter.NewWriter(o, 0, 0, 2, ' ', 0)
	for _, row := range rows() {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// fromNow tells a moment as people do: in 29d, 5m ago.
func fromNow(t, now time.Time) string {
	switch d := t.Sub(now); {
	case t.IsZero():
		return "-"
	case d >= 0:
		return "in " + roughly(d)
	default:
		return roughly(-d) + " ago"
	}
}

func roughly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// choice is a flag that takes one of a few words.
type choice struct {
	value *string
	of    []string
}

// String gives the word chosen.
func (c *choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Set refuses any other word.
func (c *choice) Set(word string) error {
	for _, allowed := range c.of {
		if word == allowed {
			*c.value = word
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(c.of, ", "))
}

// Type is for the help.
func (c *choice) Type() string { return "format" }
