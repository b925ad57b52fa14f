package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scale multiplies what an attack sends: a tenth of the whole proof at a desk, all of it where ATTACK=full.
func scale(whole int) int {
	if os.Getenv("ATTACK") == "full" {
		return whole
	}
	return whole / 10
}

// pace spaces the requests of an attack to ATTACK_RATE a second, so that what is measured beside it is the program and
// not the want of processors; without it the attack is as fast as it can be.
func pace(t *testing.T) (turn func()) {
	t.Helper()
	rate, err := strconv.Atoi(os.Getenv("ATTACK_RATE"))
	if err != nil {
		return func() {}
	}
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	t.Cleanup(ticker.Stop)
	return func() { <-ticker.C }
}

const (
	pageKey    = "pk_canary0page0key0123456789"
	pageBudget = 50
)

// attacked is a program with a publishable client, as a shop has it.
func attacked(t *testing.T) (w *weChat, p *program) {
	t.Helper()
	w = newWeChat(t)
	config := w.configuration() + fmt.Sprintf(`
  - name: page
    key: "${PAGE}"
    role: generate
    publishable: true
    origins: [https://shop.example.com]
    paths: ["pages/item?*"]
    generations_per_day: %d
`, pageBudget)
	config = strings.Replace(config, "level: debug", "level: info", 1)
	config = "deadline: 30s\n" + config // the attacker takes the processors, which is no failure of WeChat's
	return w, serve(t, configured(t, config), append([]string{"PAGE=" + pageKey}, secrets...))
}

// TestAnAttackSpendsTheBudgetOfItsKeyAndNoMore asks with a page's key from a thousand addresses for queries that
// nobody has asked for.
func TestAnAttackSpendsTheBudgetOfItsKeyAndNoMore(t *testing.T) {
	w, p := attacked(t)
	shop := p.postLink(`{"path":"pages/item","query":"id=1"}`)
	if shop.status != http.StatusOK {
		t.Fatal(shop.body)
	}
	before := w.Stats().Generated
	idle := p.hits(t, 2000, nil)
	held := p.holds(t)

	var next atomic.Int64
	statuses := make([]atomic.Int64, 600)
	whole := int64(scale(200_000))
	var attackers sync.WaitGroup
	turn := pace(t)
	for attacker := range 100 {
		attackers.Go(func() { attack(t, p, attacker, turn, &next, whole, statuses) })
	}
	done := make(chan struct{})
	go func() { attackers.Wait(); close(done) }()
	busy := p.hits(t, 0, done)

	if made := w.Stats().Generated - before; made != pageBudget {
		t.Errorf("%d links were made, want the budget of %d", made, pageBudget)
	}
	for status := range statuses {
		switch n := statuses[status].Load(); {
		case n == 0, status == http.StatusOK && n <= pageBudget, status == http.StatusTooManyRequests:
		default:
			t.Errorf("%d answers have status %d", n, status)
		}
	}
	if other := p.postLink(`{"path":"pages/item","query":"id=2"}`); other.status != http.StatusOK {
		t.Errorf("another client's miss: %d %s", other.status, other.body)
	}
	eventually(t, "goroutines, files and memory are back to where they were", func() bool {
		p.hits(t, 1000, nil) // a program that does nothing collects no garbage for minutes
		return p.holds(t).settled(held)
	})
	t.Logf("%d requests from 1,000 addresses; a hit of another client took %s idle and %s under attack (p99)", whole, idle, busy)
}

// attack sends its share of the requests from ten addresses of its own.
func attack(t *testing.T, p *program, attacker int, turn func(), next *atomic.Int64, whole int64, statuses []atomic.Int64) {
	conns := make([]net.Conn, 10)
	readers := make([]*bufio.Reader, len(conns))
	for i := range conns {
		address := net.IPv4(127, 1, byte(attacker), byte(i+1))
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: address}, Timeout: soon}
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.public, "http://"))
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		conns[i], readers[i] = conn, bufio.NewReader(conn)
	}
	for i := 0; next.Add(1) <= whole; i = (i + 1) % len(conns) {
		turn()
		_, err := fmt.Fprintf(conns[i], "GET /api/v1/link?key=%s&path=pages/item&query=q%%3D%d HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example.com\r\n\r\n",
			pageKey, rand.Int64())
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := http.ReadResponse(readers[i], nil)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		statuses[resp.StatusCode].Add(1)
	}
}

// hits asks for a stored link with a secret key, over one connection, so many times or until done, and gives the time
// within which 99 of 100 were answered.
func (p *program) hits(t *testing.T, n int, done <-chan struct{}) (p99 time.Duration) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{}, Timeout: soon}
	defer client.CloseIdleConnections()
	var took []time.Duration
	for more := true; more; {
		began := time.Now()
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.public+"/api/v1/links", strings.NewReader(`{"path":"pages/item","query":"id=1"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+shopKey)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"outcome":"hit"`) {
			t.Fatalf("a hit of another client: %d %s", resp.StatusCode, body)
		}
		took = append(took, time.Since(began))
		more = len(took) < n
		if done != nil {
			select {
			case <-done:
				more = false
			default:
				more = true
			}
		}
	}
	return percentile(took, 99)
}

// holds is what the program has open and in use, by its own account.
type holds struct{ goroutines, files, heap float64 }

func (p *program) holds(t *testing.T) (h holds) {
	t.Helper()
	metrics := call(t, http.MethodGet, p.admin+"/metrics", "", bearer(opsKey)).body
	for name, figure := range map[string]*float64{
		"go_goroutines": &h.goroutines, "process_open_fds": &h.files, "go_memstats_heap_inuse_bytes": &h.heap,
	} {
		for line := range strings.Lines(metrics) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				var err error
				if *figure, err = strconv.ParseFloat(strings.TrimSpace(rest), 64); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return h
}

// settled reports whether the program holds no more than before, but for what a garbage collector leaves lying and for
// connections to WeChat that are kept for the next calls. Of an attack's thousand connections each has a goroutine.
func (h holds) settled(before holds) bool {
	const kept = 20 // connections, with two goroutines each
	return h.goroutines <= before.goroutines+2*kept && h.files <= before.files+kept && h.heap <= before.heap+16<<20
}
