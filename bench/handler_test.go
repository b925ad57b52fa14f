package bench_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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
func public(b *testing.B) http.Handler {
	b.Helper()
	store := openStore(b)
	links := newBroker(b, store)
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

// BenchmarkHandlerHit is a hit through the whole handler; constant is gin answering a constant, for comparison.
func BenchmarkHandlerHit(b *testing.B) {
	whole := public(b)
	gin.SetMode(gin.ReleaseMode)
	constant := gin.New()
	constant.POST("/", func(c *gin.Context) { c.String(http.StatusOK, "ok") })
	const body = `{"path":"pages/product/detail","query":"id=7&src=sms"}`
	for _, test := range []struct {
		name    string
		handler http.Handler
		address string
	}{
		{"constant", constant, "/"},
		{"native", whole, "/api/v1/links"},
		{"facade", whole, "/wxa/generate_urllink"},
		{"facade-prefix", whole, "/k/" + apiKey + "/wxa/generate_urllink"},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, test.address, nil)
			r.Header.Set("Authorization", "Bearer "+apiKey)
			reader := strings.NewReader(body)
			r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
			w := &nowhere{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				clear(w.header)
				test.handler.ServeHTTP(w, r)
			}
			if w.status != http.StatusOK {
				b.Fatalf("status %d", w.status)
			}
		})
	}
}

// BenchmarkWrongKey refuses keys that nobody has, that are nearly right and that have ended. Their times must not
// differ by more than the noise.
func BenchmarkWrongKey(b *testing.B) {
	whole := public(b)
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
