package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// tencent is a WeChat on a socket of its own that makes links as fast as it can, each after a while.
func tencent(b *testing.B, takes time.Duration, calls *atomic.Int64) *wechat.Client {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(takes)
		_, _ = fmt.Fprintf(rw, `{"errcode":0,"errmsg":"ok","url_link":"https:\/\/wxaurl.cn\/%011d"}`, n)
	}))
	b.Cleanup(server.Close)
	client, err := wechat.New([]wechat.App{{ID: appid, BaseURL: server.URL, Token: wechat.TokenNone}}, time.Now, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return client
}

// program is linkbroker on a socket with everything on: HTTP in, HTTP to WeChat, a store on the disk.
func program(b *testing.B, takes time.Duration, calls *atomic.Int64) (address string) {
	b.Helper()
	store := openStore(b)
	policy := broker.Policy{Apps: []broker.App{{ID: appid, Rate: 1e9, DailyQuota: 1 << 40}}}
	links := broker.New(store, tencent(b, takes, calls), policy, time.Now)
	server := httptest.NewServer(publicOver(b, store, links))
	b.Cleanup(func() {
		server.Close()
		_ = links.Drain(context.Background())
	})
	return server.Listener.Addr().String()
}

// caller is a connection on which one question follows the other. It costs as little as it can: it shares the cores.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(b *testing.B, address string) *caller {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &caller{conn: conn, in: bufio.NewReader(conn)}
}

func (c *caller) ask(query string) error {
	body := fmt.Sprintf(`{"path":"pages/product/detail","query":%q}`, query)
	_, err := fmt.Fprintf(c.conn, "POST /api/v1/links HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		apiKey, len(body), body)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	return nil
}

// BenchmarkProgramMiss is a miss through the whole program, WeChat and the callers in the same process. What WeChat and
// the callers cost is in it; WeChat's own time, where it takes any, is not in ms-over.
func BenchmarkProgramMiss(b *testing.B) {
	for _, test := range []struct {
		callers int
		takes   time.Duration
	}{{1, 0}, {1, 20 * time.Millisecond}, {64, 0}} {
		b.Run(fmt.Sprintf("callers=%d/wechat=%s", test.callers, test.takes), func(b *testing.B) {
			var calls, next atomic.Int64
			address := program(b, test.takes, &calls)
			callers := make([]*caller, test.callers)
			for i := range callers {
				callers[i] = dial(b, address)
			}
			took := make([]time.Duration, b.N)
			b.ResetTimer()
			var asking sync.WaitGroup
			for _, c := range callers {
				asking.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						began := time.Now()
						if err := c.ask(fmt.Sprint("n=", i)); err != nil {
							b.Error(err)
							return
						}
						took[i] = time.Since(began)
					}
				})
			}
			asking.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "misses/s")
			over(b, took, test.takes)
		})
	}
}

// over reports how long callers waited beyond WeChat's own time.
func over(b *testing.B, took []time.Duration, wechat time.Duration) {
	b.Helper()
	slices.Sort(took)
	for name, d := range map[string]time.Duration{"p50": took[len(took)/2], "p99": took[len(took)*99/100], "last": took[len(took)-1]} {
		b.ReportMetric(float64((d-wechat).Microseconds())/1000, name+"-ms-over")
	}
}

// slow is a WeChat that takes its time, without a socket.
type slow struct {
	takes time.Duration
	calls *atomic.Int64
}

func (s slow) Generate(context.Context, broker.Target) (broker.Generated, error) {
	s.calls.Add(1)
	sent := time.Now()
	<-time.After(s.takes)
	return broker.Generated{URL: "https://wxaurl.cn/AbCdEfGhIjK", SentAt: sent}, nil
}

// upstream is how long WeChat takes where many wait for one link.
const upstream = 100 * time.Millisecond

// BenchmarkColdKey has 10,000 callers ask for one link that nobody has asked for before. last-ms-over is how long after
// WeChat's answer the last of them has his: the time from the first question on, less WeChat's.
func BenchmarkColdKey(b *testing.B) {
	var calls atomic.Int64
	policy := broker.Policy{Apps: []broker.App{{ID: appid, Rate: 1e9, DailyQuota: 1 << 40}}}
	links := broker.New(openStore(b), slow{upstream, &calls}, policy, time.Now)
	var took []time.Duration
	rounds := 0
	for ; b.Loop(); rounds++ {
		took = append(took, together(b, 10_000, func(int) error {
			_, err := links.Get(context.Background(), request(rounds))
			return err
		}))
	}
	b.ReportMetric(float64(calls.Load())/float64(rounds), "calls")
	over(b, took, upstream)
}

// BenchmarkProgramColdKey is the same with 1,000 callers on connections of their own, through the whole program.
func BenchmarkProgramColdKey(b *testing.B) {
	var calls atomic.Int64
	address := program(b, upstream, &calls)
	callers := make([]*caller, 1000)
	for i := range callers {
		callers[i] = dial(b, address)
	}
	var took []time.Duration
	rounds := 0
	for ; b.Loop(); rounds++ {
		took = append(took, together(b, len(callers), func(i int) error { return callers[i].ask(fmt.Sprint("n=", rounds)) }))
	}
	b.ReportMetric(float64(calls.Load())/float64(rounds), "calls")
	over(b, took, upstream)
}

// together has so many callers ask at once and says when the last had his answer.
func together(b *testing.B, n int, ask func(i int) error) time.Duration {
	b.Helper()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			if err := ask(i); err != nil {
				b.Error(err)
			}
		})
	}
	ready.Wait()
	began := time.Now()
	close(start)
	done.Wait()
	return time.Since(began)
}
