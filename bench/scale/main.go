// Command scale measures a store of many links that fill has made. It opens the store, says how long that took, and does
// what it is told to in that order:
//
//	go run ./bench/scale -links 15000000 -store bolt:///var/tmp/links.db reads lists census touches
//	go run ./bench/scale -links 15000000 -store bolt:///var/tmp/links.db hits
//	go run ./bench/scale -links 15000000 -store bolt:///var/tmp/links.db purge backup
//	go run ./bench/scale -links 1500000 -store bolt:///var/tmp/churn.db churn
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"linkbroker/bench"
	"linkbroker/cache"
)

func main() { bench.Main("scale", run) }

// scale is what is measured, and how.
type scale struct {
	url    string
	store  *cache.Store
	corpus bench.Corpus
	rate   int
	rounds int
	days   int
	out    io.Writer
}

func run(ctx context.Context) (err error) {
	s := scale{out: os.Stdout, corpus: bench.Corpus{App: bench.App, Until: time.Now()}}
	flag.StringVar(&s.url, "store", "", "`URL` of the store")
	flag.IntVar(&s.corpus.Links, "links", 1_000_000, "how many it holds; churn: for how many a month is")
	flag.IntVar(&s.rate, "rate", 1000, "hits a second")
	flag.IntVar(&s.rounds, "rounds", 5, "hits: how often each store has its turn")
	flag.IntVar(&s.days, "days", 60, "churn: how many; the store is full after 30")
	flag.Parse()
	measures := map[string]func(context.Context) error{
		"reads": s.reads, "touches": s.touches, "lists": s.lists, "census": s.census,
		"hits": s.hits, "purge": s.purge, "backup": s.backup, "churn": s.churn,
	}
	began := time.Now()
	if s.store, err = cache.Open(ctx, s.url, cache.Options{Clock: time.Now}); err != nil {
		return err
	}
	defer s.store.Close() //nolint:errcheck // what was written is durable
	s.say("opened", "%v, %.2f GiB", time.Since(began).Round(time.Microsecond), float64(s.store.Size())/(1<<30))
	for _, name := range flag.Args() {
		measure, known := measures[name]
		if !known {
			return fmt.Errorf("%q cannot be measured", name)
		}
		if err := measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// say prints a line.
func (s *scale) say(what, format string, args ...any) {
	fmt.Fprintf(s.out, "%-34s %s\n", what, fmt.Sprintf(format, args...))
}
