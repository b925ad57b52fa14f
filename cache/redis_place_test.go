package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// TestWhyThereIsNoConnectionIsSaid connects to servers that do not let a store in.
func TestWhyThereIsNoConnectionIsSaid(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() { <-time.After(1100 * time.Millisecond) }) // so long rueidis waits until it may look for a Cluster again
	locked := serverWithRules(t, "user default on >SECRETPW ~* &* +@all -client|tracking\n", "default SECRETPW")
	open := redistest.Start(t).Addr
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	noErr(t, err)
	defer func() { _ = silent.Close() }()
	loading := serverThatSays(t, "-LOADING Redis is loading the dataset in memory")
	for claim, test := range map[string]struct{ url, want string }{
		"a wrong password":     {"redis://:SECRETPX@" + locked.Addr, "password"},
		"no password":          {"redis://" + locked.Addr, "password"},
		"no right":             {"redis://:SECRETPW@" + locked.Addr, "client|tracking"},
		"TLS to a plain port":  {"rediss://" + open + "?timeout=200ms", "TLS"},
		"a server that is mum": {"redis://" + silent.Addr().String() + "?timeout=200ms", "no answer within 200ms"},
		"one that has begun":   {"redis://" + loading, "still reads its file"},
		"nobody":               {"redis://127.0.0.1:1", "connection refused"},
	} {
		_, opening := cache.OpenRedis(t.Context(), test.url, options())
		_, examining := cache.ExamineRedis(context.Background(), test.url, time.Now)
		for _, err := range []error{opening, examining} {
			switch {
			case err == nil && claim == "no right": // examining needs less
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("%s: %v", claim, err)
			case strings.Contains(err.Error(), "SECRETP") || strings.Contains(err.Error(), "ClientOption"):
				t.Errorf("%s says too much: %v", claim, err)
			}
		}
	}
}

// serverThatSays is one that answers whatever it is asked by the same line.
func serverThatSays(t *testing.T, line string) (addr string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	noErr(t, err)
	var all sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				for in := bufio.NewScanner(conn); in.Scan(); {
					if strings.HasPrefix(in.Text(), "*") { // begins a command
						fmt.Fprintf(conn, "%s\r\n", line)
					}
				}
			})
		}
	})
	return listener.Addr().String()
}
