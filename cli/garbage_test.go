package cli_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// percentile gives the time within which so many of a hundred were done.
func percentile(took []time.Duration, percent int) time.Duration {
	slices.Sort(took)
	return took[min(len(took)*percent/100, len(took)-1)]
}

// garbage makes requests that no client should send: each time another, some of them nearly right.
var garbage = []func(*rand.Rand) string{
	func(r *rand.Rand) string { return body(r, `{"path":`) },
	func(r *rand.Rand) string { return body(r, `{"path":"p","path":"q"}`) },
	func(r *rand.Rand) string { return body(r, `{"path":"p"}{}`) },
	func(r *rand.Rand) string { return body(r, "{\"path\":\"\xff\xfe\"}") },
	func(r *rand.Rand) string { return body(r, `{"path":"\ud800"}`) },
	func(r *rand.Rand) string { return body(r, strings.Repeat("[", 1+r.IntN(5000))) },
	func(r *rand.Rand) string {
		return body(r, `{"path":"p","expire_time":-`+strings.Repeat("9", 1+r.IntN(400))+`.5}`)
	},
	func(r *rand.Rand) string {
		return body(r, `{"path":"p","expire_interval":1e-`+fmt.Sprint(1+r.IntN(999999))+`}`)
	},
	func(r *rand.Rand) string { return body(r, "{\"path\":\"\x01"+noise(r, 40)+`"}`) },
	func(r *rand.Rand) string { return body(r, noise(r, 200)) },
	func(r *rand.Rand) string { return body(r, strings.Repeat("x", 17<<10)) },
	func(r *rand.Rand) string {
		return "POST /wxa/generate_urllink HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"
	},
	func(r *rand.Rand) string {
		return "POST /wxa/generate_urllink HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"
	},
	func(r *rand.Rand) string {
		return "POST /api/v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + shopKey + "\r\nTransfer-Encoding: chunked\r\n\r\n" + noise(r, 20) + "\r\n"
	},
	func(r *rand.Rand) string {
		return "POST /api/v1/links HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nZ\r\n"
	},
	func(r *rand.Rand) string { return "GET /" + noise(r, 60) + " HTTP/1.1\r\nHost: x\r\n\r\n" },
	func(r *rand.Rand) string {
		return "GET /k/" + noise(r, 20) + "/../..//wxa/%2e%2e/%zz HTTP/1.1\r\nHost: x\r\n\r\n"
	},
	func(r *rand.Rand) string { return noise(r, 8) + " /api/v1/links HTTP/1.1\r\nHost: x\r\n\r\n" },
	func(r *rand.Rand) string {
		return "GET /api/v1/link HTTP/1.1\r\nHost: x\r\n" + noise(r, 30) + "\r\n\r\n"
	},
	func(r *rand.Rand) string {
		return "GET /api/v1/link?path=p&" + strings.Repeat("a=1&", 1+r.IntN(2000)) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + shopKey + "\r\n\r\n"
	},
	func(r *rand.Rand) string {
		return "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("h", r.IntN(1<<16)) + "\r\n\r\n"
	},
	func(r *rand.Rand) string { return "GET /healthz HTTP/0.9\r\n\r\n" },
	func(r *rand.Rand) string { return "\x16\x03\x01" + noise(r, 100) },
	func(r *rand.Rand) string { return noise(r, 300) + "\r\n\r\n" },
}

func body(r *rand.Rand, text string) string {
	address := []string{"/api/v1/links", "/wxa/generate_urllink", "/k/" + shopKey + "/wxa/generate_urllink", "/cgi-bin/stable_token"}[r.IntN(4)]
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", address, shopKey, len(text), text)
}

func noise(r *rand.Rand, n int) string {
	b := make([]byte, 1+r.IntN(n))
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return string(b)
}

// TestGarbageIsRefusedAndCostsNothing sends malformed requests over raw sockets: none is answered with a 5xx of ours,
// none reaches WeChat, and the program goes on.
func TestGarbageIsRefusedAndCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, strings.Replace(w.configuration(), "level: debug", "level: info", 1)), secrets)
	each := scale(100_000) / 16
	var senders sync.WaitGroup
	for sender := range 16 {
		senders.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(sender)))
			for range each {
				text := garbage[r.IntN(len(garbage))](r)
				if status := p.send(t, text); status >= 500 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported {
					t.Errorf("status %d for %.200q", status, text)
				}
			}
		})
	}
	senders.Wait()
	if s := w.Stats(); s.Generated != 0 {
		t.Errorf("WeChat made %d links for garbage", s.Generated)
	}
	if got := p.postLink(`{"path":"p"}`); got.status != http.StatusOK {
		t.Errorf("after all that: %d %s", got.status, got.body)
	}
	if log := p.stderr.String(); strings.Contains(log, "panic") || strings.Contains(log, "defect") {
		t.Errorf("the log tells of a defect:\n%.2000s", log)
	}
}

// send writes bytes to the public listener and gives the status of the answer: 0 if it hung up without one. 501 and
// 505 are net/http's own words for what is no HTTP/1.1, said before a handler is asked.
func (p *program) send(t *testing.T, text string) (status int) {
	conn, err := p.dial(t.Context())
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(soon))
	_, _ = conn.Write([]byte(text)) // it may hang up in the middle
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}
