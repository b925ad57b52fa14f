package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// bench is one run of the suite, and all that it has started.
type bench struct {
	options

	says     io.Writer // progress
	dir      string    // on the disk; everything is deleted at the end
	tmpfs    string    // the same in memory
	root     string    // of the checkout
	upstream *upstream
	children []*child
	fleet    []*running
	built    map[string]string // programs, by name
	missed   atomic.Int64      // links that were asked for as misses
}

func newBench(ctx context.Context, o options, says io.Writer) (b *bench, err error) {
	b = &bench{options: o, says: says, built: map[string]string{}}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "linkbroker").Output()
	if err != nil {
		return nil, fmt.Errorf("run it in a checkout of linkbroker: %w", err)
	}
	b.root = strings.TrimSpace(string(root))
	if b.dir, err = os.MkdirTemp(o.dir, "suite-"); err != nil {
		return nil, err
	}
	if b.tmpfs, err = os.MkdirTemp("/dev/shm", "suite-"); err != nil {
		b.close()
		return nil, err
	}
	if b.upstream, err = startUpstream(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// close stops all that was started and deletes what it has left.
func (b *bench) close() {
	for _, c := range slices.Backward(b.children) {
		c.stop()
	}
	if b.upstream != nil {
		b.upstream.stop()
	}
	for _, folder := range []string{b.dir, b.tmpfs} {
		if folder == "" {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			b.say("deleting %s: %v", folder, err)
		}
	}
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.says, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// build builds a program as it is shipped, but with the names of its functions, for perf. It does so once, and says where
// the program is.
func (b *bench) build(ctx context.Context, folder, name string) (program string, err error) {
	if program = b.built[name]; program != "" {
		return program, nil
	}
	b.say("building %s", name)
	program = filepath.Join(b.dir, name+".bin")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, ".")
	cmd.Dir = filepath.Join(b.root, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, said)
	}
	b.built[name] = program
	return program, nil
}

// muster starts the contestants that speak one of the fronts, ours first.
func (b *bench) muster(ctx context.Context, chosen []contestant, fronts []front) error {
	for _, c := range chosen {
		if !slices.ContainsFunc(fronts, c.speaks) {
			continue
		}
		if _, err := exec.LookPath(c.needs); c.needs != "" && err != nil {
			b.say("%s is left out: %s is not installed (make bench-peers installs it)", c.name, c.needs)
			continue
		}
		b.say("starting %s", c.name)
		r, err := c.start(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.contestant = c
		if c.name == ours {
			if err := b.sample(ctx, r); err != nil {
				return err
			}
		}
		b.fleet = append(b.fleet, r)
	}
	return nil
}

// primers is how many ask at once while priming, so that commits are shared.
const primers = 256

// prime has each contestant that keeps links keep those below a number. All its fronts share them.
func (b *bench) prime(ctx context.Context, links int) error {
	for _, r := range b.fleet {
		if r.constant() {
			continue
		}
		for range 2 { // what a store keeps in memory of what it is asked for, it has from the second time on
			if err := b.primeOne(ctx, r, r.fronts[0], links); err != nil {
				return fmt.Errorf("priming %s: %w", r.name, err)
			}
		}
		r.primed = links
	}
	return nil
}

func (b *bench) primeOne(ctx context.Context, r *running, f front, links int) error {
	const bite = 50_000 // between two lines of progress
	for from := r.primed; from < links; from += bite {
		to := min(from+bite, links)
		if links-r.primed > bite {
			b.say("priming %s: %d of %d", r.name, from, links)
		}
		over, err := dialAll(ctx, r.address, primers)
		if err != nil {
			return err
		}
		_, err = load{
			front: f, connections: primers, requests: to - from, check: r.check(),
			links: func(connection, n int) int { return min(from+n*primers+connection, to-1) },
		}.drive(ctx, over)
		over.close()
		if err != nil {
			return err
		}
	}
	return nil
}
