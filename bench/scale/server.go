package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"linkbroker/bench"
	"linkbroker/broker"
	"linkbroker/handlers"
)

const apiKey = "bench-key-0123456789"

// instant is a WeChat that answers at once.
type instant struct{ clock broker.Clock }

func (i instant) Generate(context.Context, broker.Target) (broker.Generated, error) {
	return broker.Generated{URL: "https://wxaurl.cn/AbCdEfGhIjK", SentAt: i.clock()}, nil
}

func newBroker(store broker.Store, clock broker.Clock) *broker.Broker {
	policy := broker.Policy{Apps: []broker.App{{ID: bench.App, Rate: 1e9, DailyQuota: 1 << 40}}}
	return broker.New(store, instant{clock}, policy, clock)
}

// server is the public listener over a store, with client, limits and metrics.
type server struct {
	http http.Server
	url  string
}

func serve(ctx context.Context, store broker.Store) (*server, error) {
	clients, err := broker.OpenClients(ctx, store, []broker.Client{
		{Name: "bench", Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(apiKey)}}},
	})
	if err != nil {
		return nil, err
	}
	tokens, err := broker.OpenTokens(ctx, store, clients)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + listener.Addr().String() + "/api/v1/links"}
	s.http.ReadHeaderTimeout = time.Second
	s.http.Handler = handlers.Public(handlers.Config{
		Broker: newBroker(store, time.Now), Clients: clients, Tokens: tokens, Metrics: handlers.NewMetrics([]string{bench.App}, handlers.Version{}),
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) ([]string, error) { return nil, nil },
	})
	go s.http.Serve(listener) //nolint:errcheck // it ends with Close
	return s, nil
}

func (s *server) close() { _ = s.http.Close() }

// load asks a server at a fixed rate, from so many connections.
type load struct {
	server      *server
	rate        int
	connections int
	target      func() broker.Target
	want        string // what Cache-Status must say
}

// run asks until ctx ends, and says how long each answer took from when it was due.
func (l load) run(ctx context.Context) (latencies, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.connections}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all latencies
	var failed error
	var workers sync.WaitGroup
	pause := time.Second * time.Duration(l.connections) / time.Duration(l.rate)
	began := time.Now()
	for n := range l.connections {
		workers.Go(func() {
			took, err := l.work(ctx, client, began.Add(pause/time.Duration(l.connections)*time.Duration(n)), pause)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	workers.Wait()
	return all, failed
}

func (l load) work(ctx context.Context, client *http.Client, due time.Time, pause time.Duration) (took latencies, err error) {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for ; ; due = due.Add(pause) {
		began := due
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return took, nil
			}
			began = time.Now() // a timer that is late is no fault of the server's
		}
		if ctx.Err() != nil {
			return took, nil
		}
		if err := l.ask(client); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
}

func (l load) ask(client *http.Client) error {
	target := l.target()
	body := strings.NewReader(fmt.Sprintf(`{"path":%q,"query":%q}`, strings.TrimPrefix(target.Path, "/"), target.Query))
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, l.server.url, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if status := answer.Header.Get("Cache-Status"); !strings.Contains(status, l.want) {
		return fmt.Errorf("status %d and %q, not %q: %s", answer.StatusCode, status, l.want, text)
	}
	return err
}

// latencies are how long things took.
type latencies []time.Duration

func (l latencies) quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(l))[int(q*float64(len(l)-1))]
}

func (l latencies) String() string {
	return fmt.Sprintf("p50 %v, p99 %v (%d)", l.quantile(0.5).Round(time.Microsecond), l.quantile(0.99).Round(time.Microsecond), len(l))
}
