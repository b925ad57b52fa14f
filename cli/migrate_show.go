package cli

import (
	"fmt"
	"io"
	"strings"

	"linkbroker/cache"
)

// moveProgress tells how far a migration has come, step by step.
type moveProgress struct {
	meter

	out   io.Writer
	quiet bool
	at    cache.Progress
}

func (p *moveProgress) tell(at cache.Progress) {
	if at.Doing != p.at.Doing {
		p.end()
		p.meter = newMeter(p.out, p.quiet, at.Total)
		p.begin(at.Done)
	}
	if p.at = at; p.due() {
		p.draw()
	}
}

func (p *moveProgress) draw() {
	p.measure(p.at.Done)
	text := fmt.Sprintf("%s: %s of %s records, %s", p.at.Doing, thousands(p.at.Done), thousands(p.at.Total),
		strings.Join(p.pace(max(p.at.Total-p.at.Done, 0)), ", "))
	p.show(min(p.at.Done, p.at.Total), text, text)
}

// end leaves the line of the bar.
func (p *moveProgress) end() {
	if p.bar == nil {
		return
	}
	p.draw()
	fmt.Fprintln(p.out)
}

// movedKind is cache.Compared as JSON.
type movedKind struct {
	Kind   cache.Kind  `json:"kind"`
	Source movedTally  `json:"source"`
	Target *movedTally `json:"target,omitempty"`
	Equal  *bool       `json:"equal,omitempty"`
}

type movedTally struct {
	Records  int    `json:"records"`
	Checksum string `json:"checksum"`
	Ended    int    `json:"ended"`
	Damaged  int    `json:"damaged"`
}

func tallied(t cache.Tally) movedTally {
	return movedTally{t.Records, fmt.Sprintf("%016x", t.Checksum), t.Ended, t.Damaged}
}

// report prints what the stores keep, and fails if they differ.
func (o *migrateOptions) report(from, to StoreURL, comparison cache.Comparison) error {
	kinds := make([]movedKind, 0, len(comparison))
	for _, c := range comparison {
		kind := movedKind{Kind: c.Kind, Source: tallied(c.Source)}
		if !o.dryRun {
			target, equal := tallied(c.Target), c.Equal()
			kind.Target, kind.Equal = &target, &equal
		}
		kinds = append(kinds, kind)
	}
	rows := func() table { return countedTable(comparison) }
	if !o.dryRun {
		rows = func() table { return comparedTable(comparison) }
	}
	if err := o.output.show(kinds, rows); err != nil {
		return err
	}
	if !o.dryRun && !comparison.Equal() {
		return o.different(from, to)
	}
	if o.output.format == formatTable {
		fmt.Fprintln(o.output, o.summary(from, to))
	}
	return nil
}

func (o *migrateOptions) different(from, to StoreURL) error {
	text := "%s and %s do not keep the same"
	if !o.compareOnly {
		text += ": the same command moves everything again, and if they still differ then, begin with an empty TO"
	}
	return fmt.Errorf(text, from, to)
}

func (o *migrateOptions) summary(from, to StoreURL) string {
	switch {
	case o.dryRun:
		return "Nothing was moved."
	case o.compareOnly:
		return "They keep the same."
	default:
		return fmt.Sprintf("Moved. %s is as it was: let no broker use both.\nNow set store: %s", from, to)
	}
}

func countedTable(comparison cache.Comparison) table {
	rows := table{{"KIND", "RECORDS", "CHECKSUM", "ENDED", "DAMAGED"}}
	for _, c := range comparison {
		source := tallied(c.Source)
		rows = append(rows, []string{
			string(c.Kind), thousands(source.Records), source.Checksum, thousands(source.Ended), thousands(source.Damaged),
		})
	}
	return rows
}

func comparedTable(comparison cache.Comparison) table {
	rows := table{{"KIND", "SOURCE", "TARGET", "SOURCE'S CHECKSUM", "TARGET'S CHECKSUM", "", "ENDED", "DAMAGED"}}
	for _, c := range comparison {
		source, target, verdict := tallied(c.Source), tallied(c.Target), "equal"
		if !c.Equal() {
			verdict = "DIFFERENT"
		}
		rows = append(rows, []string{
			string(c.Kind), thousands(source.Records), thousands(target.Records), source.Checksum, target.Checksum, verdict,
			thousands(source.Ended), thousands(source.Damaged),
		})
	}
	return rows
}
