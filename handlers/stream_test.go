package handlers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/handlers"
)

// talk is a batch that is sent piece by piece, inside a synctest bubble.
type talk struct {
	conn   net.Conn
	server *http.Server
	heard  chan string // the lines of the answer; closed at its end
	served chan struct{}
}

// beginBatch sends the head of a batch to a real server.
func beginBatch(t *testing.T, w *world, query string) *talk {
	t.Helper()
	return beginBatchAs(t, w, shopKey, query)
}

func beginBatchAs(t *testing.T, w *world, key, query string) *talk {
	t.Helper()
	return beginTalk(t, w.public, "POST "+batchPath+query, key, "Transfer-Encoding: chunked\r\n")
}

// beginTalk sends the head of a request to a real server.
func beginTalk(t *testing.T, h http.Handler, what, key, headers string) *talk {
	t.Helper()
	client, conn := net.Pipe()
	listener := &oneConn{conn: conn, closed: make(chan struct{})}
	s := &talk{
		conn: client, heard: make(chan string, 100_000), served: make(chan struct{}),
		server: handlers.NewServer(h, time.Second, slog.New(slog.DiscardHandler)),
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener)
	}()
	head := what + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n" + headers + "\r\n"
	if _, err := io.WriteString(client, head); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *talk) say(format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	_, _ = fmt.Fprintf(s.conn, "%x\r\n%s\r\n", len(text), text)
}

func (s *talk) end() { _, _ = io.WriteString(s.conn, "0\r\n\r\n") }

// listen reads the answer.
func (s *talk) listen(t *testing.T) {
	go func() {
		defer close(s.heard)
		resp, err := http.ReadResponse(bufio.NewReader(s.conn), &http.Request{Method: http.MethodPost})
		if err != nil {
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Error(resp.Status)
		}
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			s.heard <- lines.Text()
		}
	}()
}

func (s *talk) stop(t *testing.T) {
	t.Helper()
	_ = s.conn.Close()
	if err := s.server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-s.served
}

func wantPrefix(t *testing.T, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// TestALineIsAnsweredBeforeTheNextIsSent takes longer than all of the server's own timeouts together.
func TestALineIsAnsweredBeforeTheNextIsSent(t *testing.T) {
	for name, test := range map[string]struct{ query, begin, between, end string }{
		"NDJSON":                   {between: "\n"},
		"an array":                 {begin: "[", between: ",", end: `{"path":"p"}]`},
		"a dry run of NDJSON":      {query: "?dry_run=true", between: "\n"},
		"a dry run with its array": {query: "?dry_run=true", begin: "[", between: ",", end: `{"path":"p"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := beginBatch(t, newLiveWorld(t), test.query)
				s.listen(t)
				if test.begin != "" {
					s.say("%s", test.begin)
				}
				for i := range 20 {
					s.say(`{"path":"p","query":"n=%d","id":"i%d"}%s`, i, i, test.between)
					before := time.Now()
					wantPrefix(t, <-s.heard, fmt.Sprintf(`{"line":%d,"id":"i%d",`, i+1, i))
					if waited := time.Since(before); waited > 0 {
						t.Fatalf("the answer came after %s", waited)
					}
					time.Sleep(20 * time.Second)
				}
				if test.end != "" {
					s.say("%s", test.end)
					wantPrefix(t, <-s.heard, `{"line":21,`)
				}
				s.end()
				wantPrefix(t, <-s.heard, `{"summary":{`)
				if line, more := <-s.heard; more {
					t.Errorf("and %s", line)
				}
				s.stop(t)
			})
		})
	}
}

func TestAnAnswerLiesAtMostASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		w.weChat.slow = func(query string) time.Duration {
			if query == "n=9" {
				return 900 * time.Millisecond // less than the deadline
			}
			return 0
		}
		s := beginBatch(t, w, "")
		s.listen(t)
		began := time.Now()
		for i := range 10 {
			s.say(`{"path":"p","query":"n=%d"}`+"\n", i)
		}
		for range 9 {
			<-s.heard
		}
		if waited := time.Since(began); waited > time.Second {
			t.Errorf("what was answered came after %s", waited)
		}
		s.stop(t)
	})
}

func TestASilentClientIsHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := beginBatch(t, newLiveWorld(t), "")
		s.listen(t)
		s.say(`{"path":"p"}` + "\n" + `{"path":`)
		began := time.Now()
		wantPrefix(t, <-s.heard, `{"line":1,`)
		wantPrefix(t, <-s.heard, `{"error":{"title":"Malformed request","status":400,"detail":"the body was not sent on for 30s"`)
		if _, more := <-s.heard; more {
			t.Error("it goes on")
		}
		if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("after %s", took)
		}
		s.stop(t)
	})
}

func TestAClientThatReadsNothingIsHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		s := beginBatch(t, w, "")
		began := time.Now()
		for time.Since(began) < time.Minute { // the pipe takes nothing unless somebody reads
			if _, err := fmt.Fprintf(s.conn, "d\r\n{\"path\":\"p\"}\n\r\n"); err != nil {
				break
			}
		}
		if took := time.Since(began); took > 35*time.Second {
			t.Errorf("after %s", took)
		}
		s.stop(t)
	})
}

// TestWhoHangsUpEndsHisBatch sees the generating end. The bubble sees to the goroutines.
func TestWhoHangsUpEndsHisBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		w.weChat.slow = func(string) time.Duration { return 500 * time.Millisecond }
		s := beginBatch(t, w, "")
		s.listen(t)
		go func() {
			for i := range 1000 {
				s.say(`{"path":"p","query":"n=%d"}`+"\n", i)
			}
		}()
		time.Sleep(1100 * time.Millisecond)
		_ = s.conn.Close()
		for range s.heard {
			continue
		}
		s.stop(t)
		if err := w.broker.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if calls := w.weChat.calls(); calls < 65 || calls > 3*64 {
			t.Errorf("%d calls for a batch that nobody wants", calls)
		}
		if log := w.log.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("somebody hangs up, and that is told as a defect: %s", log)
		}
	})
}

// TestARevokedKeyEndsItsBatch also changes what a key may, which holds for the lines that follow.
func TestARevokedKeyEndsItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		key := w.create(`{"name":"mid","role":"generate","apps":["` + appA + `"]}`).Key
		s := beginBatchAs(t, w, key, "")
		s.listen(t)
		s.say(`{"path":"p","query":"n=1"}` + "\n")
		wantPrefix(t, <-s.heard, `{"line":1,"key":`)
		if r := w.patch("/api/v1/clients/mid", `{"paths":[{"path":"other"}]}`); r.Code != http.StatusOK {
			t.Fatal(r.text())
		}
		s.say(`{"path":"p","query":"n=2"}` + "\n")
		wantPrefix(t, <-s.heard, `{"line":2,"error":{"title":"Not allowed","status":403,`)
		if r := w.post("/api/v1/clients/mid:disable", ""); r.Code != http.StatusOK {
			t.Fatal(r.text())
		}
		s.say(`{"path":"other"}` + "\n")
		wantPrefix(t, <-s.heard, `{"error":{"title":"The credential is not valid","status":401,`)
		if line, more := <-s.heard; more {
			t.Errorf("and %s", line)
		}
		s.stop(t)
		if calls := w.weChat.calls(); calls != 1 {
			t.Errorf("%d calls, and one was allowed", calls)
		}
	})
}

func TestABatchEndsWhenTheServerStops(t *testing.T) {
	for name, slow := range map[string]time.Duration{"while it waits for lines": 0, "while it waits for WeChat": 900 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newLiveWorld(t)
				w.weChat.slow = func(string) time.Duration { return slow }
				s := beginBatch(t, w, "")
				s.listen(t)
				for i := range 100 {
					s.say(`{"path":"p","query":"n=%d"}`+"\n", i)
				}
				synctest.Wait()
				began := time.Now()
				if err := s.server.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("it stops after %s", took)
				}
				last := ""
				for line := range s.heard {
					last = line
				}
				wantPrefix(t, last, `{"error":{"title":"Not available just now","status":503,"detail":"linkbroker is stopping: send again what was not answered","code":"unavailable"`)
				s.stop(t)
				if err := w.broker.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestSoManyBatchesGoOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		keys := []string{shopKey, shopKey, generateKey, generateKey}
		var talks []*talk
		for i, key := range keys {
			s := beginBatchAs(t, w, key, "")
			s.listen(t)
			s.say(`{"app":"%s","path":"p"}`+"\n", appA)
			wantPrefix(t, <-s.heard, `{"line":1,`)
			talks = append(talks, s)
			if i == 1 {
				out := w.ask("POST", batchPath, `{"path":"p"}`, as(shopKey), "Content-Type: application/x-ndjson")
				if wantCode(t, out, "rate_limited"); out.Header().Get("Retry-After") != "5" {
					t.Errorf("a third of one client: %v", out.Header())
				}
			}
		}
		out := w.ask("POST", batchPath, `{"path":"p"}`, as(readKey), "Content-Type: application/x-ndjson")
		if wantCode(t, out, "busy"); out.Header().Get("Retry-After") != "5" {
			t.Errorf("a fifth: %v", out.Header())
		}
		talks[0].end()
		wantPrefix(t, <-talks[0].heard, `{"summary":`)
		synctest.Wait()
		wantCode(t, w.ask("POST", batchPath, `{"path":"p"}`, as(readKey), "Content-Type: application/x-ndjson"), "")
		for _, s := range talks {
			s.stop(t)
		}
	})
}
