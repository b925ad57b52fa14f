// Command shared measures what a store that several brokers share asks of Redis: how many commands, how much of its processor and of
// its memory.
//
//	redis-server --port 7000 --save "" --appendonly yes --dir /var/tmp &
//	go run ./bench/shared -store redis://127.0.0.1:7000 -links 20000 costs
//	go run ./bench/shared -store redis://127.0.0.1:7000 -links 1000000 size
//
// The server should have nothing else to do, and nothing else in it. A store that is there already is not touched: the prefix of
// the one that is measured is new each time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/bench"
	"linkbroker/cache"
)

func main() { bench.Main("shared", run) }

// shared is what is measured, and how.
type shared struct {
	url     string // with a prefix of its own
	store   *cache.Store
	server  server
	corpus  bench.Corpus
	callers int
	brokers int
	out     io.Writer
}

func run(ctx context.Context) (err error) {
	s := shared{out: os.Stdout, corpus: bench.Corpus{App: bench.App}}
	url := flag.String("store", "redis://127.0.0.1:7000", "`URL` of the store, without a prefix")
	flag.IntVar(&s.corpus.Links, "links", 20_000, "how many")
	flag.IntVar(&s.callers, "callers", 64, "costs: how many ask at once, where not one alone does")
	flag.IntVar(&s.brokers, "brokers", 2, "costs: how many are on the store, each of which is told of every change; 2 or more")
	flag.Parse()
	measures := map[string]func(context.Context) error{"costs": s.costs, "size": s.size}
	measure, known := measures[flag.Arg(0)]
	if !known {
		return errors.New("say costs or size")
	}
	s.url = inOwnPrefix(*url)
	if s.server, err = dial(*url); err != nil {
		return err
	}
	defer s.server.client.Close()
	if s.store, err = cache.Open(ctx, s.url, cache.Options{Clock: time.Now}); err != nil {
		return err
	}
	defer s.store.Close() //nolint:errcheck // nothing is left to be written
	return measure(ctx)
}

func inOwnPrefix(url string) string {
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return fmt.Sprintf("%s%sprefix=bench%d", url, separator, time.Now().UnixMilli())
}

// say prints a line.
func (s *shared) say(what, format string, args ...any) {
	fmt.Fprintf(s.out, "%-34s %s\n", what, fmt.Sprintf(format, args...))
}

// dial connects to the server beside the store.
func dial(url string) (server, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return server{}, err
	}
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	return server{client}, err
}
