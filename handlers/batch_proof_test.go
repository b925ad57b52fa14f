package handlers_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// counting is a generator that counts what it is asked for, by the number in the query.
type counting struct{ calls [100_000]atomic.Int32 }

func (g *counting) Generate(_ context.Context, target broker.Target) (broker.Generated, error) {
	var n int
	if _, err := fmt.Sscanf(target.Query, "n=%d", &n); err != nil && target.Query != "" {
		return broker.Generated{}, err
	}
	g.calls[n].Add(1)
	return broker.Generated{URL: fmt.Sprint("https://wxaurl.cn/t", n), SentAt: time.Now()}, nil
}

func (g *counting) total() (n int) {
	for i := range g.calls {
		n += int(g.calls[i].Load())
	}
	return n
}

// memoryLinks bounds the memory layer, which would be full of the links of a batch and is no part of what it needs.
const memoryLinks = 1000

// realWorld makes a world with a store on disk, by real time.
func realWorld(t *testing.T, g broker.Generator, app broker.App) *world {
	t.Helper()
	store, err := cache.Open(t.Context(), "bolt://"+filepath.Join(t.TempDir(), "links.db"), cache.Options{Clock: time.Now, MemoryLinks: memoryLinks})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	app.ID, app.Rate, app.DailyQuota = appA, 1e9, 1<<50
	w := newWorldWith(t, store, app, broker.App{ID: appB})
	w.live, w.spec = true, nil
	w.broker = broker.New(store, g, broker.Policy{Apps: []broker.App{app}, Deadline: 10 * time.Second, Observe: w.metrics.Observe}, w.clock)
	w.config.Broker = w.broker
	w.listen()
	w.spec = nil
	t.Cleanup(func() {
		if err := w.broker.Drain(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// heap gives the bytes in use.
func heap(collect bool) uint64 {
	if collect {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// stream sends lines while it reads the answers, hands each to see, and gives the most bytes in use meanwhile.
func (w *world) stream(t *testing.T, query string, lines int, array bool, line func(i int) string, see func(line []byte)) (most uint64) {
	t.Helper()
	body, out := io.Pipe()
	go func() {
		buffered := bufio.NewWriterSize(out, 64<<10)
		between := "\n"
		if array {
			between = ","
			_, _ = buffered.WriteString("[")
		}
		for i := range lines {
			if i > 0 {
				_, _ = buffered.WriteString(between)
			}
			_, _ = buffered.WriteString(line(i))
		}
		if array {
			_, _ = buffered.WriteString("]")
		}
		_ = out.CloseWithError(buffered.Flush())
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+serve(t, w.public)+batchPath+query, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+shopKey)
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers := bufio.NewScanner(resp.Body)
	for n := 0; answers.Scan(); n++ {
		see(answers.Bytes())
		if n%2000 == 0 {
			most = max(most, heap(false))
		}
	}
	if err := answers.Err(); err != nil {
		t.Fatal(err)
	}
	return most
}

// proofLines is how many lines a proof has: 10,000, or BATCH_ROWS, up to 100,000.
func proofLines() int {
	if n, err := strconv.Atoi(os.Getenv("BATCH_ROWS")); err == nil {
		return min(n, 100_000)
	}
	return 10_000
}

// TestAHundredThousandLines answers 100,000 lines of which 30 % are duplicates, from a store on disk: in their order, each
// different target generated once, in memory that does not grow with the lines.
func TestAHundredThousandLines(t *testing.T) {
	lines := proofLines()
	different, allowed := lines*7/10, int64(64<<20)
	for name, array := range map[string]bool{"NDJSON": false, "an array": true} {
		t.Run(name, func(t *testing.T) {
			g := new(counting)
			w := realWorld(t, g, broker.App{})
			idle, next := heap(true), 1
			line := func(i int) string { return fmt.Sprintf(`{"path":"p","query":"n=%d","id":"%d"}`, i*7919%different, i) }
			var summary []byte
			most := w.stream(t, "", lines, array, line, func(text []byte) {
				if next > lines {
					summary = bytes.Clone(text)
					return
				}
				want := fmt.Appendf(nil, `{"line":%d,"id":"%d","key":"`, next, next-1)
				url := fmt.Appendf(nil, `"url":"https://wxaurl.cn/t%d"`, (next-1)*7919%different)
				if !bytes.HasPrefix(text, want) || !bytes.Contains(text, url) {
					t.Fatalf("got %s, want %s with %s", text, want, url)
				}
				next++
			})
			var last batchLine
			if err := json.Unmarshal(summary, &last); err != nil || last.Summary.Lines != lines || last.Summary.Generated != different || last.Summary.Failed != 0 {
				t.Fatalf("%s: %v", summary, err)
			}
			for i := range different {
				if n := g.calls[i].Load(); n != 1 {
					t.Fatalf("target %d was generated %d times", i, n)
				}
			}
			if grown := int64(most) - int64(idle); grown > allowed {
				t.Errorf("%d MiB above idle", grown>>20)
			} else {
				t.Logf("at most %.1f MiB above idle", float64(grown)/(1<<20))
			}
		})
	}
}

// TestSpliceServesAHundredThousandQueriesWithOneGeneration, which without it would be a hundred thousand.
func TestSpliceServesAHundredThousandQueriesWithOneGeneration(t *testing.T) {
	lines := proofLines()
	line := func(i int) string { return fmt.Sprintf(`{"path":"p","query":"n=%d"}`, i) }
	for name, test := range map[string]struct {
		splice      bool
		query, want string
		generations int
	}{
		"with splice":           {true, "", fmt.Sprintf(`{"summary":{"lines":%d,"hits":%d,"generated":1,"stale":0,"failed":0,`, lines, lines-1), 1},
		"a dry run with splice": {true, "?dry_run=true", fmt.Sprintf(`{"summary":{"dry_run":true,"lines":%d,"hits":%d,"generations":1,"refused":0,`, lines, lines-1), 0},
		"a dry run without":     {false, "?dry_run=true", fmt.Sprintf(`{"summary":{"dry_run":true,"lines":%d,"hits":0,"generations":%d,"refused":0,`, lines, lines), 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := new(counting)
			w := realWorld(t, g, broker.App{Splice: test.splice})
			last := ""
			idle := heap(true)
			most := w.stream(t, test.query, lines, false, line, func(text []byte) { last = string(text) })
			wantPrefix(t, last, test.want)
			if n := g.total(); n != test.generations {
				t.Errorf("%d generations", n)
			}
			t.Logf("at most %.1f MiB above idle", float64(most-idle)/(1<<20))
		})
	}
}

// TestABatchOverHTTP2 has a real client send a line once it has the answer to the one before.
func TestABatchOverHTTP2(t *testing.T) {
	w := newWorld(t)
	w.live = true
	server := httptest.NewUnstartedServer(nil)
	server.Config = handlers.NewServer(w.public, time.Second, slog.New(slog.DiscardHandler))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	body, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+batchPath, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+shopKey)
	next := make(chan struct{}, 1)
	next <- struct{}{}
	go func() {
		for i := range 200 {
			<-next
			_, _ = fmt.Fprintf(out, `{"path":"p","query":"n=%d"}`+"\n", i)
		}
		<-next
		_ = out.Close()
	}()
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Proto, resp.Status)
	}
	answers, last := bufio.NewScanner(resp.Body), ""
	for answers.Scan() {
		last = answers.Text()
		next <- struct{}{}
	}
	if err := answers.Err(); err != nil {
		t.Fatal(err)
	}
	wantPrefix(t, last, `{"summary":{"lines":200,"hits":0,"generated":200,`)
}
