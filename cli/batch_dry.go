package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// rehearse says what a batch would do.
func (o *batchOptions) rehearse(ctx context.Context, cmd *cobra.Command, b *batch) error {
	r := &rehearsal{show: o.show, rules: make(map[string]*ruleReport), generated: make(map[string]map[string]bool), progress: b.progress}
	b.progress.start()
	err := r.run(ctx, b)
	b.progress.end()
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(cmd.ErrOrStderr(), "linkbroker: interrupted")
		return exitStatus(exitFailure)
	case err != nil:
		return err
	}
	r.report(cmd.OutOrStdout(), o.in)
	if r.refused > 0 {
		return exitStatus(exitFailure)
	}
	return nil
}

// rehearsal is what a dry run has found.
type rehearsal struct {
	*progress

	show      int // rows of each rule
	rules     map[string]*ruleReport
	refused   int
	stored    int
	generated map[string]map[string]bool // keys by app: rows of different requests may share one
}

// ruleReport is what a rule said of rows.
type ruleReport struct {
	severity string
	lines    []string // the first of them
	more     int
}

func (r *rehearsal) run(ctx context.Context, b *batch) error {
	for {
		c, err := readChunk(b.source)
		if err != nil || len(c.rows) == 0 {
			return err
		}
		if err := b.ask(ctx, c, rehearsalPath, r.settle); err != nil {
			return err
		}
	}
}

func (r *rehearsal) settle(a asked, line batchLine) error {
	if p := line.Problem; p != nil {
		if fates[p.Code] != rowFails {
			return p
		}
		if len(line.Findings) == 0 {
			line.Findings = []batchFinding{{Rule: string(p.Code), Severity: "error", Message: p.brief()}}
		}
	}
	said := make(map[string]bool)
	for _, f := range line.Findings {
		if !said[f.Message] {
			r.found(a.line, f)
		}
		said[f.Message] = true
	}
	switch line.Outcome {
	case "hit", "composed":
		r.stored++
	case "miss":
		if r.generated[line.App] == nil {
			r.generated[line.App] = make(map[string]bool)
		}
		r.generated[line.App][line.Key] = true
	default:
		r.refused++
	}
	r.add(line.result)
	return nil
}

func (r *rehearsal) found(line int, f batchFinding) {
	rule := r.rules[f.Rule]
	if rule == nil {
		rule = &ruleReport{severity: f.Severity}
		r.rules[f.Rule] = rule
	}
	if len(rule.lines) == r.show {
		rule.more++
		return
	}
	rule.lines = append(rule.lines, fmt.Sprintf("line %d: %s: %s", line, f.Severity, printable(f.Message)))
}

func (r *rehearsal) report(w io.Writer, name string) {
	rules := slices.SortedFunc(maps.Keys(r.rules), func(a, b string) int { // errors before warnings
		return strings.Compare(r.rules[a].severity+a, r.rules[b].severity+b)
	})
	for _, rule := range rules {
		report := r.rules[rule]
		for _, line := range report.lines {
			fmt.Fprintln(w, line)
		}
		if report.more > 0 {
			fmt.Fprintf(w, "… and %s more of %s (--show %d shows more)\n", thousands(report.more), rule, 10*max(r.show, 1))
		}
	}
	fmt.Fprintf(w, "%s: %s rows: %s would be refused\n", name, thousands(r.done), thousands(r.refused))
	if len(r.generated) == 0 {
		fmt.Fprintln(w, "No link would be generated.")
	}
	for _, app := range slices.Sorted(maps.Keys(r.generated)) {
		fmt.Fprintln(w, r.cost(app))
	}
}

// cost sets the generations for an app against its quota.
func (r *rehearsal) cost(app string) string {
	n := len(r.generated[app])
	text := fmt.Sprintf("%s: %s generations", app, thousands(n))
	q, ok := r.quotas[app]
	if !ok {
		return text
	}
	text += fmt.Sprintf("; %s of the day's quota are left, of which batches leave %s to others", thousands(int(q.Left)), thousands(int(q.Reserve)))
	if int64(n) <= q.Left-q.Reserve {
		return text + ": enough"
	}
	return text + fmt.Sprintf(": not enough. It would stop behind about %s of them, and could go on at %s",
		strconv.FormatInt(max(q.Left-q.Reserve, 0), 10), q.ResetsAt.Local().Format(time.RFC3339))
}
