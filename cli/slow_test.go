package cli_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSlowClientsHoldNobodyUp opens what slowhttptest opens (headers, bodies and readers that come to no end) and
// 5,000 connections that say nothing. Hits go on beside them, and in the end the slow are hung up on.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	w := newWeChat(t)
	p := serve(t, configured(t, strings.Replace(w.configuration(), "level: debug", "level: info", 1)), secrets)
	if got := p.postLink(`{"path":"pages/item","query":"id=1"}`); got.status != http.StatusOK {
		t.Fatal(got.body)
	}
	before := p.holds(t)
	idle := p.hits(t, 1000, nil)

	quiet := p.connect(t, 5000, "")
	slow := p.connect(t, 300, "POST /api/v1/links HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	slow = append(slow, p.connect(t, 300, fmt.Sprintf(
		"POST /api/v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", shopKey))...)
	// Readers that never read, of answers that are asked for again and again until no buffer takes more.
	p.connect(t, 100, strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n", 200))

	busy := p.hits(t, 1000, nil)
	t.Logf("a hit took %s idle and %s beside 5,700 slow connections (p99)", idle, busy)

	var all sync.WaitGroup
	for _, conn := range slow {
		all.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(soon))
			if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Error("a slow client was not hung up on")
			}
		})
	}
	all.Wait()
	for _, conn := range quiet {
		_ = conn.Close()
	}
	eventually(t, "goroutines and files are back to where they were but for the readers", func() bool {
		now := p.holds(t)
		return now.goroutines <= before.goroutines+110 && now.files <= before.files+110
	})
}

// dial connects to the public listener.
func (p *program) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: soon}
	return dialer.DialContext(ctx, "tcp", strings.TrimPrefix(p.public, "http://"))
}

// connect opens connections, says something on each and keeps them open.
func (p *program) connect(t *testing.T, n int, say string) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := p.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, say) // a reader's requests may not all fit
		_ = conn.SetWriteDeadline(time.Time{})
		conns[i] = conn
	}
	return conns
}
