package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scenarios are what can be compared.
//
//nolint:gochecknoglobals // a constant table
var scenarios = map[string]func(b *bench, ctx context.Context) (*report, error){
	"hits":    (*bench).hits,
	"misses":  (*bench).misses,
	"mixed":   (*bench).mixed,
	"rate":    (*bench).rated,
	"trouble": (*bench).trouble,
	"cold":    (*bench).cold,
}

const help = `Compares linkbroker with others. It builds and starts each contestant on a free port of this
machine, primes it, drives all with the same load in short alternating rounds, reads the processor
time of each one's whole process tree, and prints medians, quartiles and ratios. Everything that it
starts ends with it.

  go run ./bench/suite                                  hits, 1,000 links, all that is installed
  go run ./bench/suite -keys 1000,100000 -dist uniform,zipf -front native,facade,get
  go run ./bench/suite -with nethttp,gin -rounds 10     only against these
  go run ./bench/suite -scenario rate -store /var/tmp/links.db -keys 15000000 -from 7500000
                                                        p99 at a fixed rate, with the store that bench/fill has made
  go run ./bench/suite -quick -most 2                   half a minute; fails if a hit costs more than twice bare net/http

Flags:
`

// options are the flags.
type options struct {
	args          []string
	scenarios     []string
	contestants   []contestant
	fronts        []front
	keys          []int
	distributions []string
	rounds        int
	length        time.Duration
	connections   int
	out           string
	dir           string
	store         string
	from          int
	rate          float64
	cycles        int
	troubles      []string
	window        time.Duration
	dead          int
	callers       int
	quick         bool
	most          float64
}

func parseOptions(args []string, says io.Writer) (o options, err error) {
	o.args = args
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	flags.SetOutput(says)
	flags.Usage = func() {
		fmt.Fprint(says, help)
		flags.PrintDefaults()
	}
	scenario := flags.String("scenario", "hits", "what to compare: "+strings.Join(slices.Sorted(maps.Keys(scenarios)), ", ")+" or all")
	with := flags.String("with", "", "`contestants` beside linkbroker: "+strings.Join(namesOf(contestants())[1:], ", ")+" (default all)")
	fronts := flags.String("front", "native,get", "how hits are asked for: native, facade, get")
	keys := flags.String("keys", "1000", "how many links there are; several `numbers` are done one after the other")
	distributions := flags.String("dist", uniform, "how links are drawn: uniform, zipf")
	flags.IntVar(&o.rounds, "rounds", 30, "how many rounds count")
	flags.DurationVar(&o.length, "round", time.Second, "how `long` one contestant is driven in a round")
	flags.IntVar(&o.connections, "connections", 32, "how many connections ask at once")
	flags.StringVar(&o.out, "out", "", "`folder` for the results as JSON, Markdown and SVG (default: they are only printed)")
	flags.StringVar(&o.dir, "dir", "", "`folder` on the disk for what contestants store (default that for temporary files)")
	flags.StringVar(&o.store, "store", "", "rate: an existing `file` of -keys links, which is used and changed (default: one is made)")
	flags.IntVar(&o.from, "from", 0, "rate: the first link that is asked for, where the oldest have ended")
	flags.Float64Var(&o.rate, "rate", 2000, "rate, trouble: hits a `second`")
	flags.IntVar(&o.cycles, "cycles", 5, "rate, trouble: how many pairs of windows count")
	flags.DurationVar(&o.window, "window", 10*time.Second, "rate, trouble: how `long` a window is")
	beside := flags.String("beside", "purging,backing-up,down", "trouble: what goes on meanwhile")
	flags.IntVar(&o.dead, "dead", 500_000, "trouble: how many dead links are purged")
	flags.IntVar(&o.callers, "callers", 10_000, "cold: how many ask at once")
	flags.BoolVar(&o.quick, "quick", false, "for CI: few short rounds against net/http alone")
	flags.Float64Var(&o.most, "most", 0, "fail if a hit's CPU ÷ bare net/http's is above this `ratio`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		*with, *fronts, o.rounds, o.length = "nethttp", string(native), 15, 300*time.Millisecond
	}
	if o.store != "" {
		if o.store, err = filepath.Abs(strings.TrimPrefix(o.store, "bolt://")); err != nil {
			return o, err
		}
	}
	o.troubles = list(*beside)
	for _, name := range o.troubles {
		if troubles[name].window == nil {
			return o, fmt.Errorf("-beside %q is none of purging, backing-up, down", name)
		}
	}
	return o, o.split(*scenario, *with, *fronts, *keys, *distributions)
}

// split reads the flags that are lists.
func (o *options) split(scenario, with, fronts, keys, distributions string) (err error) {
	if o.contestants, err = choose(list(with)); err != nil {
		return err
	}
	o.scenarios = list(scenario)
	if scenario == "all" {
		o.scenarios = slices.Sorted(maps.Keys(scenarios))
	}
	for _, name := range o.scenarios {
		if scenarios[name] == nil {
			return fmt.Errorf("there is no scenario %q", name)
		}
	}
	for _, name := range list(fronts) {
		f := front(name)
		if f != native && f != facade && f != get {
			return fmt.Errorf("there is no front %q", name)
		}
		o.fronts = append(o.fronts, f)
	}
	for _, text := range list(keys) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-keys %q is no number above 0", text)
		}
		o.keys = append(o.keys, n)
	}
	o.distributions = list(distributions)
	for _, d := range o.distributions {
		if d != uniform && d != zipf {
			return fmt.Errorf("-dist %q is neither %s nor %s", d, uniform, zipf)
		}
	}
	return nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func (o options) settings() string {
	return fmt.Sprintf("Medians of %d alternating rounds of %s each, %d connections; quartiles in brackets.", o.rounds, o.length, o.connections)
}

// judge fails a run in which ours costs too much.
func (o options) judge(r *report) error {
	if o.most == 0 {
		return nil
	}
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if ratio := row.cell(1).Median; row.Name == "nethttp" && ratio > o.most {
				return fmt.Errorf("%s: linkbroker spends %s times what bare net/http does, and may spend %s", t.Title, figure(ratio), figure(o.most))
			}
		}
	}
	return nil
}
