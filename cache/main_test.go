package cache_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"linkbroker/cache"
)

// TestMain lets this program be the child process of its own tests: linkbroker's tests need no binary of linkbroker.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		os.Exit(child(os.Args[2], os.Args[3:]))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		endShared()
		os.Exit(code)
	}))
}

func child(role string, args []string) int {
	switch role {
	case "probe":
		return cache.InspectAndExit(context.Background(), cache.Depth(args[0]), args[1], os.Stderr)
	case "write":
		return writeForEver(args[0], args[1])
	case "crash":
		panic("a damaged file")
	case "hang":
		return hang()
	default:
		return 1
	}
}

// hang waits outside of the runtime, which would end a program whose goroutines all wait for each other.
func hang() int {
	_ = syscall.Pause()
	return 1
}

// writeForEver puts links from many goroutines until somebody kills it, and says which ones were acknowledged.
func writeForEver(path, round string) int {
	b, err := cache.OpenBolt(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	first, err := strconv.Atoi(round)
	if err != nil {
		return 1
	}
	var say sync.Mutex
	for worker := range 16 {
		go func() {
			for n := first + worker; ; n += 16 {
				if err := b.PutLink(context.Background(), numbered(n)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				_, total, err := b.ReserveQuota(context.Background(), "wx1", "2026-03-01", 1, 1<<40)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				say.Lock()
				fmt.Println(n, total)
				say.Unlock()
			}
		}()
	}
	select {}
}

// childProbe is the probe as linkbroker runs it.
func childProbe(t *testing.T) cache.Probe {
	t.Helper()
	self, err := os.Executable()
	noErr(t, err)
	return cache.Subprocess(self, "child", "probe")
}
