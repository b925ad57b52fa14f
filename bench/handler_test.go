package bench_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
	"linkbroker/handlers"
)

const (
	apiKey   = "bench-key-0123456789"
	endedKey = "ended-key-0123456789"
)

// public gives the handler of the public listener with everything on: client, roles, figures, a store on the disk.
// It has so many links.
func public(b *testing.B, stored int) http.Handler {
	b.Helper()
	store := openStore(b)
	links := newBroker(b, store)
	generate(b, links, 0, stored)
	return publicOver(b, store, links)
}

func publicOver(b *testing.B, store broker.Store, links *broker.Broker) http.Handler {
	b.Helper()
	clients, err := broker.OpenClients(b.Context(), store, []broker.Client{
		{Name: "bench", Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(apiKey)}}},
		{
			Name: "ended", Role: broker.RoleGenerate, ExpiresAt: time.Unix(1, 0),
			Keys: []broker.ClientKey{{Digest: broker.DigestKey(endedKey)}},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	tokens, err := broker.OpenTokens(b.Context(), store, clients)
	if err != nil {
		b.Fatal(err)
	}
	return handlers.Public(handlers.Config{
		Broker: links, Clients: clients, Tokens: tokens, Metrics: handlers.NewMetrics([]string{appid}, handlers.Version{}),
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) ([]string, error) { return nil, nil },
	})
}

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(status int)      { n.status = status }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkHandlerHit is a hit through the whole handler; constant is gin answering a constant, for comparison. 1 is one
// body over and over, which is decoded once; of 100,000 that come in turn each is decoded.
func BenchmarkHandlerHit(b *testing.B) {
	const many = 100_000
	whole := public(b, many)
	gin.SetMode(gin.ReleaseMode)
	constant := gin.New()
	constant.POST("/", func(c *gin.Context) { c.String(http.StatusOK, "ok") })
	body := func(i int) string { return fmt.Sprintf(`{"path":"pages/product/detail","query":"id=%d&src=sms"}`, i) }
	address := func(i int) string { return fmt.Sprintf("path=pages/product/detail&query=id%%3D%d%%26src%%3Dsms", i) }
	for _, test := range []struct {
		name, method, path string
		handler            http.Handler
		targets            int
	}{
		{"constant", http.MethodPost, "/", constant, 1},
		{"native", http.MethodPost, "/api/v1/links", whole, 1},
		{"native", http.MethodPost, "/api/v1/links", whole, many},
		{"get", http.MethodGet, "/api/v1/link", whole, 1},
		{"get", http.MethodGet, "/api/v1/link", whole, many},
		{"facade", http.MethodPost, "/wxa/generate_urllink", whole, 1},
		{"facade", http.MethodPost, "/wxa/generate_urllink", whole, many},
		{"facade-prefix", http.MethodPost, "/k/" + apiKey + "/wxa/generate_urllink", whole, 1},
	} {
		b.Run(fmt.Sprintf("%s/%d", test.name, test.targets), func(b *testing.B) {
			bodies, addresses := numberedTexts(test.targets, body), numberedTexts(test.targets, address)
			r := httptest.NewRequestWithContext(b.Context(), test.method, test.path, nil)
			r.Header.Set("Authorization", "Bearer "+apiKey)
			var reader strings.Reader
			r.Body = io.NopCloser(&reader)
			w := &nowhere{header: http.Header{}}
			b.ReportAllocs()
			began := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				if test.method == http.MethodPost {
					body := bodies[i%test.targets]
					reader.Reset(body)
					r.ContentLength = int64(len(body))
				} else {
					r.URL.RawQuery = addresses[i%test.targets]
				}
				clear(w.header)
				test.handler.ServeHTTP(w, r)
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
			if w.status != http.StatusOK {
				b.Fatalf("status %d", w.status)
			}
		})
	}
}

func numberedTexts(n int, text func(i int) string) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = text(i)
	}
	return texts
}

// cpuTime is what this process has taken of the processors, in nanoseconds. On a machine with other work it says more than
// a clock does.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkWrongKey refuses keys that nobody has, that are nearly right and that have ended. Their times must not
// differ by more than the noise.
func BenchmarkWrongKey(b *testing.B) {
	whole := public(b, 0)
	for name, key := range map[string]string{
		"unknown": "nobodys-key-01234567", "nearly": apiKey[:len(apiKey)-1] + "0", "ended": endedKey,
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v1/links", nil)
			r.Header.Set("Authorization", "Bearer "+key)
			w := &nowhere{header: http.Header{}}
			for b.Loop() {
				clear(w.header)
				whole.ServeHTTP(w, r)
			}
			if w.status != http.StatusUnauthorized {
				b.Fatalf("status %d", w.status)
			}
		})
	}
}

// BenchmarkMetrics counts a hit.
func BenchmarkMetrics(b *testing.B) {
	metrics := handlers.NewMetrics([]string{appid}, handlers.Version{})
	hit := broker.Event{Name: broker.Answered, App: appid, Kind: broker.URLLink, Outcome: broker.Hit}
	b.ReportAllocs()
	for b.Loop() {
		metrics.Observe(hit)
	}
}
