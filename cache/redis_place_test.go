package cache_test

import (
	"context"
	"net"
	"strings"
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
	for claim, test := range map[string]struct{ url, want string }{
		"a wrong password":     {"redis://:SECRETPX@" + locked.Addr, "password"},
		"no password":          {"redis://" + locked.Addr, "password"},
		"no right":             {"redis://:SECRETPW@" + locked.Addr, "client|tracking"},
		"TLS to a plain port":  {"rediss://" + open + "?timeout=200ms", "TLS"},
		"a server that is mum": {"redis://" + silent.Addr().String() + "?timeout=200ms", "no answer within 200ms"},
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
