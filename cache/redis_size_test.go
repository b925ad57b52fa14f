package cache_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache/redistest"
)

// shopLink is link i of a shop, as bench.Corpus makes them. One in four has been used, on up to ten days.
func shopLink(i int) (broker.Link, []broker.Use) {
	link := linkOf(broker.Target{
		App: "wx0123456789abcdef", Path: "pages/product/detail", Query: fmt.Sprintf("id=%d&src=sms", i),
	}, fmt.Sprintf("%011x", uint64(i)*0x9E3779B97F4A7C15>>20))
	link.GeneratedAt = noon.Add(-time.Duration(i%1_000_000) * time.Second / 2).Truncate(time.Millisecond)
	link.ExpiresAt = link.GeneratedAt.Add(30*24*time.Hour - time.Minute).Truncate(time.Second)
	link.AskedBy = "shop-web"
	var uses []broker.Use
	if i%4 == 0 {
		for day := range 1 + i/4%10 {
			uses = append(uses, broker.Use{Key: link.Key, Count: uint64(1 + i%50), UsedAt: link.GeneratedAt.AddDate(0, 0, day)})
		}
	}
	return link, uses
}

// BenchmarkRedisSize measures how many bytes of Redis' memory a link takes.
func BenchmarkRedisSize(b *testing.B) {
	for _, links := range []int{100_000, 1_000_000} {
		b.Run(strconv.Itoa(links), func(b *testing.B) {
			for b.Loop() {
				server := redistest.Start(b, "--appendonly", "no")
				r := openRedis(b, server.URL()+"?timeout=10s&prefix=linkbroker")
				before := usedMemory(b, server)
				var all sync.WaitGroup
				var next atomic.Int64
				for range 64 {
					all.Go(func() {
						for i := int(next.Add(1)); i <= links; i = int(next.Add(1)) {
							link, uses := shopLink(i)
							mustDo(b, r.PutLink(b.Context(), link))
							mustDo(b, r.TouchLinks(b.Context(), uses))
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(usedMemory(b, server)-before)/float64(links), "B/link")
				b.ReportMetric(0, "ns/op")
				noErr(b, r.Close())
				server.Kill()
			}
		})
	}
}

func usedMemory(t testing.TB, s *redistest.Server) int64 {
	t.Helper()
	info, err := s.Ask("INFO", "memory")
	noErr(t, err)
	_, rest, _ := strings.Cut(info, "used_memory:")
	number, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.ParseInt(number, 10, 64)
	noErr(t, err)
	return n
}
