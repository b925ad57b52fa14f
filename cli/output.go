package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// output is what a command prints: a table for people, JSON for machines.
type output struct {
	io.Writer

	format string
}

// addOutputFlag gives a command -o.
func addOutputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().VarP(&choice{value: format, of: []string{"table", "json"}}, "output", "o", "`format`: table or json")
	*format = "table"
}

// table is rows of cells.
type table [][]string

func (o output) print(value any, rows func() table) error {
	if o.format == "json" {
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
