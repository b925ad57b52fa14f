package handlers

import (
	"cmp"
	"errors"
	"slices"

	"linkbroker/broker"
)

// batchReport is what a dry run has found.
type batchReport struct {
	Rows, Hits, Generations, Refused int

	cost  costs
	rules []*ruleReport
}

// ruleReport is what a rule, or an error of one code, said of rows.
type ruleReport struct {
	name  string
	wrong bool // the rows are refused
	rows  int
	last  int // line that it was said of
	first []rowFinding
}

// rowFinding is what was said of one row.
type rowFinding struct {
	line    int
	finding broker.Finding
	err     error // in place of a finding
}

// mostTold is of how many rows a report says what a rule said.
const mostTold = 10

// add adds how a row would be answered.
func (r *batchReport) add(line int, plan broker.Plan, err error) {
	r.Rows++
	switch {
	case err != nil:
		r.Refused++
	case plan.Outcome == broker.Miss:
		r.Generations++
		r.spend(plan.Target.App, 1)
	default:
		r.Hits++
		r.spend(plan.Target.App, 0)
	}
	said := false
	for _, f := range plan.Findings {
		refuses := f.Err()
		said = said || refuses != nil
		name := string(f.Rule)
		if f.Rule == broker.Failed {
			name = string(broker.CodeOf(refuses))
		}
		r.note(name, refuses != nil, rowFinding{line: line, finding: f})
	}
	if err != nil && !said {
		r.note(string(broker.CodeOf(err)), true, rowFinding{line: line, err: err})
	}
}

func (r *batchReport) spend(app string, generations int64) {
	if r.cost == nil {
		r.cost = make(costs)
	}
	r.cost[app] += generations
}

func (r *batchReport) note(name string, wrong bool, found rowFinding) {
	at := slices.IndexFunc(r.rules, func(rule *ruleReport) bool { return rule.name == name })
	if at < 0 {
		at = len(r.rules)
		r.rules = append(r.rules, &ruleReport{name: name, wrong: wrong})
	}
	rule := r.rules[at]
	if rule.last == found.line {
		return // of one row one is enough
	}
	rule.last = found.line
	rule.rows++
	if len(rule.first) < mostTold {
		rule.first = append(rule.first, found)
	}
}

// ruleView is what a rule said of rows, in a language.
type ruleView struct {
	Wrong bool
	Rows  int
	First []rowView
	More  int
}

// rowView is what was said of one row.
type rowView struct {
	Line    int
	Message string
	English bool // whatever language is asked for
}

// view gives what the rules said: what refuses rows first, and of that what refuses the most.
func (r *batchReport) view(language broker.Language) []ruleView {
	rules := slices.Clone(r.rules)
	slices.SortStableFunc(rules, func(a, b *ruleReport) int {
		if a.wrong != b.wrong {
			return map[bool]int{true: -1, false: 1}[a.wrong]
		}
		return cmp.Compare(b.rows, a.rows)
	})
	var views []ruleView
	for _, rule := range rules {
		v := ruleView{Wrong: rule.wrong, Rows: rule.rows, More: rule.rows - len(rule.first)}
		for _, row := range rule.first {
			v.First = append(v.First, row.view(language))
		}
		views = append(views, v)
	}
	return views
}

func (f rowFinding) view(language broker.Language) rowView {
	err := f.err
	if err == nil && f.finding.Rule != broker.Failed {
		return rowView{Line: f.line, Message: f.finding.Message(language)}
	}
	if err == nil {
		err = f.finding.Err()
	}
	told := wrong(err, language)
	if told.Detail == "" {
		return rowView{Line: f.line, Message: told.Title}
	}
	return rowView{Line: f.line, Message: told.Detail, English: true}
}

// endView says why a batch ended before its end.
type endView struct {
	Cancelled bool
	Wrong     *wrongView
}

func viewEnd(why error, language broker.Language) *endView {
	switch {
	case why == nil:
		return nil
	case errors.Is(why, errCancelled):
		return &endView{Cancelled: true}
	default:
		told := wrong(why, language)
		return &endView{Wrong: &told}
	}
}
