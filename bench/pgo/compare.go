package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// contestant is one way to build and set the program. Its rounds alternate with those of the others.
type contestant struct {
	name    string
	program string
	environ []string

	server *server
	costs  []float64 // CPU per request of each round, in µs
}

// compare says what a hit costs with the settings of the collector that Go has, with those of cli/memory.go, and with
// a profile as well.
func compare(ctx context.Context, dir, profile string, rounds int, w io.Writer) error {
	plain, profiled := filepath.Join(dir, "plain"), filepath.Join(dir, "profiled")
	if err := build(ctx, plain, "off"); err != nil {
		return err
	}
	all := []*contestant{
		{name: "Go's collector", program: plain, environ: []string{"GOGC=100", "GOMEMLIMIT=off"}},
		{name: "as it is set", program: plain},
	}
	if _, err := os.Stat(profile); err == nil {
		if err := build(ctx, profiled, profile); err != nil {
			return err
		}
		all = append(all, &contestant{name: "and " + filepath.Base(profile), program: profiled})
	}
	for i, c := range all {
		var err error
		if c.server, err = start(ctx, c.program, filepath.Join(dir, strconv.Itoa(i)), c.environ...); err != nil {
			return err
		}
		defer c.server.stop()
		if err := c.server.prime(ctx); err != nil {
			return err
		}
	}
	for range rounds {
		for _, c := range all {
			if err := c.round(ctx); err != nil {
				return err
			}
		}
	}
	return report(w, all)
}

// round asks for stored links for a second.
func (c *contestant) round(ctx context.Context) error {
	before, err := c.server.spent()
	if err != nil {
		return err
	}
	asking, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	var asked atomic.Int64
	err = c.server.load(asking, func() question {
		asked.Add(1)
		return post("/api/v1/links", known())
	})
	if err != nil {
		return err
	}
	after, err := c.server.spent()
	c.costs = append(c.costs, float64((after-before).Microseconds())/float64(asked.Load()))
	return err
}

// spent is how long the program has kept processors busy (proc(5)).
func (s *server) spent() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	const user, system, perTick = 11, 12, 10 * time.Millisecond // behind the name, which may have spaces in it
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	u, err := strconv.Atoi(fields[user])
	if err != nil {
		return 0, err
	}
	k, err := strconv.Atoi(fields[system])
	return time.Duration(u+k) * perTick, err
}

// report writes medians, and in brackets between what half of the ratios lie.
func report(w io.Writer, all []*contestant) error {
	for _, c := range all {
		ratios := make([]float64, len(c.costs))
		for i := range ratios {
			ratios[i] = c.costs[i] / all[0].costs[i]
		}
		resident, err := c.server.resident()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-16s %6.2f µs  %.3f [%.3f to %.3f]  %s\n",
			c.name, quantile(c.costs, .5), quantile(ratios, .5), quantile(ratios, .25), quantile(ratios, .75), resident)
	}
	return nil
}

// resident is the memory that the program holds of its own.
func (s *server) resident() (string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	line, _, _ := strings.Cut(rest, "\n")
	return "RssAnon " + strings.TrimSpace(line), nil
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+.5)]
}
