package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// openShared opens a store as one broker of several does.
func openShared(t *testing.T, url string) *cache.Store {
	t.Helper()
	return openSharedLogging(t, url, slog.NewTextHandler(t.Output(), nil))
}

func openSharedLogging(t *testing.T, url string, handler slog.Handler) *cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), url, cache.Options{Clock: time.Now, Logger: slog.New(handler)})
	noErr(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// leaserOf gives the store as a broker finds it.
func leaserOf(t *testing.T, s *cache.Store) broker.Leaser {
	t.Helper()
	l, ok := s.Served().(broker.Leaser)
	if !ok {
		t.Fatal("a store that brokers share is no Leaser")
	}
	return l
}

// lasting gives links that do not end while the test runs.
func lasting(n int) broker.Link {
	link := numbered(n)
	link.GeneratedAt = time.Now().UTC().Truncate(time.Second)
	link.ExpiresAt = link.GeneratedAt.Add(24 * time.Hour)
	return link
}

// eventually polls until something holds, and says how long that took.
func eventually(t *testing.T, bound time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !holds() {
		if time.Since(begin) > bound {
			t.Fatalf("not within %v: %s", bound, what)
		}
		<-time.After(time.Millisecond)
	}
	return time.Since(begin)
}

func hasURL(t *testing.T, s broker.Store, key broker.Key, url string) bool {
	t.Helper()
	link, err := s.Link(t.Context(), key)
	return err == nil && link.URL == url
}

func isMissing(t *testing.T, s broker.Store, key broker.Key) bool {
	t.Helper()
	_, err := s.Link(t.Context(), key)
	return errors.Is(err, broker.NotFound)
}

func TestAStoreInRedisIsServedAsALeaser(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	s := openShared(t, url)
	leaserOf(t, s)
	own := open(t, newPath(t), options()).Served()
	if _, ok := own.(broker.Leaser); ok {
		t.Error("a file is a Leaser")
	}
	if h := s.Health(); h.State != "" {
		t.Errorf("health %+v", h)
	}
	if _, err := s.Backup(t.Context(), newPath(t), nil); err == nil || !strings.Contains(err.Error(), "backed up by Redis") {
		t.Errorf("a backup: %v", err)
	}
	for _, scheme := range []string{"redis", "valkey"} {
		openShared(t, strings.Replace(url, "redis", scheme, 1))
	}
}

func TestWhatOneBrokerWritesTheOthersKnow(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := openShared(t, url), openShared(t, url)
	link := lasting(1)
	put(t, a, link)
	wantLink(t, b, link)
	const moment = time.Second
	for n := range 20 {
		link.URL = fmt.Sprint("https://wxaurl.cn/", n)
		put(t, a, link)
		eventually(t, moment, "the new link", func() bool { return hasURL(t, b, link.Key, link.URL) })
		noErr(t, a.PinLink(t.Context(), link.Key, n%2 == 0))
		eventually(t, moment, "the pin", func() bool {
			got, err := b.Link(t.Context(), link.Key)
			return err == nil && got.Pinned == (n%2 == 0)
		})
	}
	noErr(t, a.DeleteLink(t.Context(), link.Key))
	eventually(t, moment, "the deletion", func() bool { return isMissing(t, b, link.Key) })

	alias := aliasOf("sale")
	putAlias(t, a, alias)
	got, err := b.Alias(t.Context(), "sale")
	noErr(t, err)
	changed := got
	changed.Title = "changed"
	noErr(t, a.PutAlias(t.Context(), changed, got.ETag()))
	eventually(t, moment, "the changed alias", func() bool {
		got, err := b.Alias(t.Context(), "sale")
		return err == nil && got.Title == "changed"
	})
	noErr(t, a.DeleteAlias(t.Context(), "sale", changed.ETag()))
	eventually(t, moment, "the deleted alias", func() bool {
		_, err := b.Alias(t.Context(), "sale")
		return errors.Is(err, broker.NotFound)
	})
}

func TestAHitAsksNoRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := openShared(t, server.URL())
	link := lasting(1)
	put(t, s, link)
	wantLink(t, s, link)
	server.Pause()
	defer server.Resume()
	for range 1000 {
		wantLink(t, s, link)
	}
}

func TestNothingIsBelievedAfterACut(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	net := startProxy(t, server.Addr)
	a, b := openShared(t, server.URL()), openShared(t, net.url())
	var links []broker.Link
	for n := range 50 {
		links = append(links, lasting(n))
	}
	put(t, a, links...)
	for _, link := range links {
		wantLink(t, b, link)
	}
	before := b.Health().Doubts
	net.sever()
	eventually(t, time.Second, "the cut is noticed", func() bool { return b.Health().Doubts > before && b.Health().State == "away" })
	for i := range links {
		wantLink(t, b, links[i])
		links[i].URL += "fresh"
	}
	put(t, a, links...)
	for _, link := range links[:25] {
		noErr(t, a.DeleteLink(t.Context(), link.Key))
	}
	net.mend()
	healed := eventually(t, 2*time.Second, "it is well again", func() bool { return b.Health().State == "" })
	t.Logf("healed after %v", healed)
	for _, link := range links[:25] {
		wantNoLink(t, b, link.Key)
	}
	for _, link := range links[25:] {
		wantLink(t, b, link)
	}
}

// TestACutThatIsMendedAtOnce loses notices without Redis ever being away.
func TestACutThatIsMendedAtOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	net := startProxy(t, server.Addr)
	a, b := openShared(t, server.URL()), openShared(t, net.url())
	link := lasting(1)
	put(t, a, link)
	wantLink(t, b, link)
	for n := range 20 {
		net.cut()
		link.URL = fmt.Sprint("https://wxaurl.cn/", n)
		put(t, a, link)
		eventually(t, time.Second, "the new link", func() bool { return hasURL(t, b, link.Key, link.URL) })
	}
	eventually(t, time.Second, "it is well", func() bool { return b.Health().State == "" })
}

// TestTroubleIsBoundedAndHeals takes Redis away in several ways while callers go on.
func TestTroubleIsBoundedAndHeals(t *testing.T) {
	for name, do := range map[string]struct {
		away, back func(t *testing.T, s *redistest.Server, p *proxy)
	}{
		"stopped": {
			func(t *testing.T, s *redistest.Server, _ *proxy) { s.Pause() },
			func(t *testing.T, s *redistest.Server, _ *proxy) { s.Resume() },
		},
		"killed": {
			func(_ *testing.T, s *redistest.Server, _ *proxy) { s.Kill() },
			func(t *testing.T, s *redistest.Server, _ *proxy) { s.Start(t) },
		},
		"severed": {
			func(_ *testing.T, _ *redistest.Server, p *proxy) { p.sever() },
			func(_ *testing.T, _ *redistest.Server, p *proxy) { p.mend() },
		},
		"stalled": {
			func(_ *testing.T, _ *redistest.Server, p *proxy) { p.stall() },
			func(_ *testing.T, _ *redistest.Server, p *proxy) { p.resume() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			net := startProxy(t, server.Addr)
			var told lines
			s := openSharedLogging(t, net.url(), slog.NewTextHandler(&told, nil))
			link := lasting(1)
			put(t, s, link)
			wantLink(t, s, link)

			do.away(t, server, net)
			noticed := eventually(t, 2*time.Second, "it is away", func() bool { return s.Health().State == "away" })
			slowest := time.Duration(0)
			for n := range 500 {
				begin := time.Now()
				wantLink(t, s, link)
				slowest = max(slowest, time.Since(begin))
				wantErr(t, second(s.Link(t.Context(), lasting(1000+n).Key)), broker.StoreFailed)
				wantErr(t, second(leaserOf(t, s).Lease(t.Context(), "jobs")), broker.StoreFailed)
				wantErr(t, s.PutLink(t.Context(), lasting(2)), broker.StoreFailed)
				slowest = max(slowest, time.Since(begin))
			}
			if slowest > 100*time.Millisecond {
				t.Errorf("a call took %v", slowest)
			}
			do.back(t, server, net)
			healed := eventually(t, 4*time.Second, "it is well again", func() bool { return s.Health().State == "" })
			put(t, s, link)
			wantLink(t, s, link)
			t.Logf("away after %v, well again after %v; slowest call %v", noticed, healed, slowest)
			if n := told.count("in trouble"); n != 1 {
				t.Errorf("its trouble was told %d times:\n%s", n, told.all())
			}
			if n := told.count("well again"); n != 1 {
				t.Errorf("its end was told %d times:\n%s", n, told.all())
			}
		})
	}
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	said []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, string(p))
	return len(p), nil
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "")
}

func (l *lines) count(what string) int { return strings.Count(l.all(), what) }

func TestTroubleWithWritingIsNamed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := openShared(t, server.URL())
	link := lasting(1)
	put(t, s, link)
	for state, do := range map[string]struct{ begin, end []string }{
		"full":      {[]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		"read-only": {[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}},
	} {
		_, err := server.Ask(do.begin...)
		noErr(t, err)
		eventually(t, time.Second, state, func() bool { return s.Health().State == state })
		wantErr(t, s.PutLink(t.Context(), lasting(2)), broker.StoreFailed)
		if _, err := s.Link(t.Context(), link.Key); err != nil {
			t.Errorf("%s: reading: %v", state, err)
		}
		_, err = server.Ask(do.end...)
		noErr(t, err)
		eventually(t, time.Second, "well", func() bool { return s.Health().State == "" })
		put(t, s, lasting(2))
	}
}

func TestAServerThatComesBackEmptyIsTold(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var told lines
	s := openSharedLogging(t, server.URL(), slog.NewTextHandler(&told, nil))
	link := lasting(1)
	put(t, s, link)
	wantLink(t, s, link)
	server.Kill()
	server.Dir = t.TempDir()
	server.Start(t)
	eventually(t, 3*time.Second, "it is told", func() bool { return told.count("has come back empty") == 1 })
	eventually(t, time.Second, "it is well", func() bool { return s.Health().State == "" })
	wantNoLink(t, s, link.Key)
	put(t, s, link)
	wantLink(t, s, link)
}

// TestMemoriesOfBrokersAgreeAfterAnyMix lets two brokers do everything to a few links, while connections are cut.
func TestMemoriesOfBrokersAgreeAfterAnyMix(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	net := startProxy(t, server.Addr)
	a, b := openShared(t, server.URL()), openShared(t, net.url())
	for round := range 9 {
		var links []broker.Link
		for n := range 8 {
			links = append(links, lasting(n))
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { mixWhileCut(t, a, links) })
			all.Go(func() { mixWhileCut(t, b, links) })
		}
		if round%3 == 0 {
			<-time.After(5 * time.Millisecond)
			net.cut()
		}
		all.Wait()
		eventually(t, 3*time.Second, "both are well", func() bool { return a.Health().State == "" && b.Health().State == "" })
		for _, link := range links {
			eventually(t, time.Second, "all know the same", func() bool {
				current, err := a.CurrentLink(t.Context(), link.Key)
				seen, err2 := b.Link(t.Context(), link.Key)
				return broker.CodeOf(err) == broker.CodeOf(err2) && current.URL == seen.URL && current.Pinned == seen.Pinned
			})
		}
	}
}

// mixWhileCut is mix, of which some may fail.
func mixWhileCut(t *testing.T, s broker.Store, links []broker.Link) {
	t.Helper()
	for n := range 30 {
		link := links[rand.IntN(len(links))]
		var err error
		switch rand.IntN(8) {
		case 0:
			link.URL += fmt.Sprint(n)
			err = s.PutLink(t.Context(), link)
		case 1:
			err = s.PinLink(t.Context(), link.Key, n%2 == 0)
		case 2:
			err = s.DeleteLink(t.Context(), link.Key)
		default:
			_, err = s.Link(t.Context(), link.Key)
		}
		if err != nil && !errors.Is(err, broker.NotFound) && !errors.Is(err, broker.StoreFailed) {
			t.Error(err)
		}
	}
}

func TestClientsAreWatched(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	net := startProxy(t, server.Addr)
	a, b := openShared(t, server.URL()), openShared(t, net.url())
	var names atomic.Pointer[[]string]
	b.WatchClients(func() error {
		clients, err := b.ListClients(context.Background())
		if err != nil {
			return err
		}
		var found []string
		for _, client := range clients {
			found = append(found, client.Name)
		}
		names.Store(&found)
		return nil
	})
	knows := func(want ...string) func() bool {
		return func() bool {
			found := names.Load()
			return found != nil && slices.Equal(*found, want)
		}
	}
	noErr(t, a.PutClient(t.Context(), broker.Client{Name: "ops"}, ""))
	eventually(t, time.Second, "the new client", knows("ops"))
	net.sever()
	eventually(t, 2*time.Second, "away", func() bool { return b.Health().State == "away" })
	noErr(t, a.DeleteClient(t.Context(), "ops"))
	noErr(t, a.PutClient(t.Context(), broker.Client{Name: "shop"}, ""))
	net.mend()
	eventually(t, 2*time.Second, "what was missed", knows("shop"))
}

func TestWaitersAreSentOffWhenNobodyKnows(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	net := startProxy(t, server.Addr)
	a, b := leaser(t, server.URL()), leaser(t, net.url())
	turn := takes(t, a, "jobs")
	over := waits(t, b, "jobs").Over
	net.sever()
	closesWithin(t, "a reason to ask again", over, 500*time.Millisecond)
	net.mend()
	turn.Leave(t.Context(), broker.Note{})
	eventually(t, 2*time.Second, "the turn", func() bool {
		turn, err := b.Lease(t.Context(), "jobs")
		return err == nil && turn.Leave != nil
	})
}
