// Command pgo makes default.pgo afresh, by which Go compiles the paths that matter for speed: `make pgo`.
//
// It builds the program without a profile, so that a profile never depends on the one before, serves a load of every
// kind of request against a fake WeChat on this machine, and asks the program what it was busy with.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/google/pprof/profile"
)

func main() {
	seconds := flag.Int("seconds", 30, "how long to look, 60 at most")
	rounds := flag.Int("compare", 0, "make no profile, but say in so many `rounds` of a second what it and the settings of the collector win")
	file := flag.String("o", "default.pgo", "the profile's `file`, beside main.go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *file, *seconds, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file string, seconds, rounds int) error {
	dir, err := os.MkdirTemp("", "pgo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if rounds > 0 {
		return compare(ctx, dir, file, rounds, os.Stdout)
	}
	small, err := take(ctx, dir, seconds)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s: %d bytes\n", filepath.Base(file), len(small))
	return os.WriteFile(file, small, 0o644)
}

// take makes a profile.
func take(ctx context.Context, dir string, seconds int) ([]byte, error) {
	program := filepath.Join(dir, "linkbroker")
	if err := build(ctx, program, "off"); err != nil {
		return nil, err
	}
	s, err := start(ctx, program, filepath.Join(dir, "run"))
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.prime(ctx); err != nil {
		return nil, err
	}
	cpu, err := s.profileUnderLoad(ctx, time.Duration(seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return slim(cpu)
}

// slim takes out what the compiler does not read, among it where on this machine the program lay. What remains is the
// same for the same samples.
func slim(cpu []byte) ([]byte, error) {
	p, err := profile.ParseData(cpu)
	if err != nil {
		return nil, err
	}
	p.TimeNanos, p.DurationNanos, p.Comments, p.Mapping = 0, 0, nil, nil
	for _, l := range p.Location {
		l.Mapping, l.Address = nil, 0
	}
	for _, s := range p.Sample {
		s.Label, s.NumLabel, s.NumUnit = nil, nil, nil
	}
	if p, err = profile.Merge([]*profile.Profile{p}); err != nil { // what differed in that alone is one now
		return nil, err
	}
	var small bytes.Buffer
	err = p.Write(&small)
	return small.Bytes(), err
}
