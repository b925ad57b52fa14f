package bench_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
	"linkbroker/web"
	"linkbroker/wechat"
)

// storedLinks is how many links there are for the pages that list them: LINKS, or 10,000.
func storedLinks(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(os.Getenv("LINKS"))
	if err != nil {
		return 10_000
	}
	return n
}

// fill stores links whose ends lie over the next 30 days.
func fill(b *testing.B, s broker.Store, n int) {
	b.Helper()
	now, numbers := time.Now(), make(chan int)
	var writers sync.WaitGroup
	for range 256 {
		writers.Go(func() {
			for i := range numbers {
				if err := s.PutLink(context.Background(), numbered(i, n, now)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	writers.Wait()
}

func numbered(i, n int, now time.Time) broker.Link {
	target, err := request(i).Normalize()
	if err != nil {
		panic(err)
	}
	age := 30 * 24 * time.Hour / time.Duration(n) * time.Duration(i)
	return broker.Link{
		Key: target.Key(), Target: target, URL: fmt.Sprintf("https://wxaurl.cn/%011d", i),
		GeneratedAt: now.Add(-age), ExpiresAt: now.Add(30*24*time.Hour - age), Uses: uint64(i % 1000), UsedAt: now.Add(-age / 2),
	}
}

// BenchmarkPage is the server's part of what a browser of an administrator asks for, over a store with LINKS links.
func BenchmarkPage(b *testing.B) {
	store := openStore(b)
	fill(b, store, storedLinks(b))
	admin := administered(b, store)
	key := numbered(7, storedLinks(b), time.Now()).Key.String()
	for _, test := range []struct{ name, path string }{
		{"overview", "/"},
		{"links", "/links"},
		{"links-500", "/links?limit=500"},
		{"links-ending-soon", "/links?expiring_within=72h"},
		{"links-search-found", "/links?q=src%3Dsms&fragment=rows"},
		{"links-search-in-vain", "/links?q=nothing&fragment=rows"},
		{"links-most-used", "/links?sort=-uses&fragment=rows"},
		{"link", "/links/" + key},
		{"tester", "/tester?path=pages/product/detail&query=id%3D7"},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, test.path, nil)
				r.Header.Set("Authorization", "Bearer "+apiKey)
				w := &nowhere{header: http.Header{}}
				if admin.ServeHTTP(w, r); w.status != http.StatusOK {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}

// administered gives the handler of the admin listener, after a first census.
func administered(b *testing.B, store broker.Store) http.Handler {
	b.Helper()
	links := newBroker(b, store)
	clients, err := broker.OpenClients(b.Context(), store, []broker.Client{
		{Name: "bench", Role: broker.RoleAdmin, Keys: []broker.ClientKey{{Digest: broker.DigestKey(apiKey)}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	pages, err := handlers.NewPages(web.Files(), time.UTC, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := links.TakeCensus(b.Context()); err != nil {
		b.Fatal(err)
	}
	return handlers.Admin(handlers.Config{
		Broker: links, Clients: clients, Jobs: idle{}, Metrics: handlers.NewMetrics([]string{appid}, handlers.Version{}), Pages: pages,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), CallFor: wechat.Call,
		Ready: func(context.Context) ([]string, error) { return nil, nil },
	})
}

// idle is upkeep without a job.
type idle struct{}

func (idle) Statuses() []broker.JobStatus { return nil }

func (idle) Run(context.Context, string) (broker.JobStatus, error) {
	return broker.JobStatus{}, broker.Errorf(broker.NotFound, "there is none")
}
