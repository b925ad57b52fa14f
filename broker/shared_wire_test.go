package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func dial(addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: time.Second}
	return dialer.DialContext(context.Background(), "tcp", addr)
}

// lateness measures all the time how late things come on this machine: a timer beyond its time, and an answer.
func lateness(t *testing.T, ping func()) (lag func() time.Duration) {
	t.Helper()
	var late atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done); <-ended })
	go func() {
		defer close(ended)
		const pace = 5 * time.Millisecond
		for {
			began := time.Now()
			select {
			case <-done:
				return
			case <-time.After(pace):
			}
			ping()
			faded := late.Load() * 63 / 64 // so that whoever asks a little later hears of it
			late.Store(max(int64(time.Since(began)-pace), faded))
		}
	}()
	return func() time.Duration { return time.Duration(late.Load()) }
}

// pinging asks a Redis whether it is there.
func pinging(t *testing.T, addr string) (ping func()) {
	t.Helper()
	conn, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	in := bufio.NewReader(conn)
	return func() {
		if _, err := fmt.Fprint(conn, "PING\r\n"); err == nil {
			_, _ = in.ReadString('\n')
		}
	}
}

// wire is the way from one broker to Redis, through which all passes until it is cut or stalled.
type wire struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	broken  bool
	passing chan struct{} // closed while all passes
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	listener := listen(t)
	w := &wire{listener: listener, to: to, conns: make(map[net.Conn]struct{}), passing: make(chan struct{})}
	close(w.passing)
	w.all.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.cut()
		w.all.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := dial(w.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		if !w.add(near, far) {
			continue
		}
		gone := make(chan struct{})
		var once sync.Once
		end := func() { once.Do(func() { close(gone); w.remove(near, far) }) }
		w.all.Go(func() { defer end(); w.pass(far, near, gone) })
		w.all.Go(func() { defer end(); w.pass(near, far, gone) })
	}
}

func (w *wire) add(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		if w.broken {
			_ = conn.Close()
			continue
		}
		w.conns[conn] = struct{}{}
	}
	return !w.broken
}

func (w *wire) remove(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(w.conns, conn)
	}
}

// pass hands on what is said in one direction, while all passes.
func (w *wire) pass(to io.Writer, from io.Reader, gone <-chan struct{}) {
	space := make([]byte, 64<<10)
	for {
		n, err := from.Read(space)
		if err != nil {
			return
		}
		w.mu.Lock()
		passing := w.passing
		w.mu.Unlock()
		select {
		case <-passing:
		case <-gone:
			return
		}
		if _, err := to.Write(space[:n]); err != nil {
			return
		}
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
	for conn := range w.conns {
		_ = conn.Close()
	}
	w.flow() // or who waits would not see that it is closed
}

func (w *wire) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passing = make(chan struct{})
}

func (w *wire) restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = false
	w.flow()
}

// flow lets pass what waits. Whoever calls it holds mu.
func (w *wire) flow() {
	select {
	case <-w.passing:
	default:
		close(w.passing)
	}
}

// reach waits until the store answers.
func (n *node) reach(ctx context.Context, h *history) error {
	for {
		_, err := n.store.CurrentLink(ctx, h.keys[0])
		if err == nil || isMissing(err) || ctx.Err() != nil {
			return ctx.Err()
		}
		<-time.After(5 * time.Millisecond)
	}
}
