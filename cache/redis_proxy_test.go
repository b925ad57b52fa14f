package cache_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is the network between a broker and Redis, which can be cut.
type proxy struct {
	addr    string
	to      string
	flow    sync.RWMutex // is locked while nothing gets through
	refuses atomic.Bool
	mu      sync.Mutex
	conns   map[net.Conn]bool
	all     sync.WaitGroup
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	noErr(t, err)
	p := &proxy{addr: listener.Addr().String(), to: to, conns: make(map[net.Conn]bool)}
	p.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.all.Wait()
	})
	return p
}

func (p *proxy) url() string { return "redis://" + p.addr }

func (p *proxy) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if p.refuses.Load() {
		return
	}
	far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	p.mu.Lock()
	p.conns[conn], p.conns[far] = true, true
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { p.copy(conn, far) })
	p.copy(far, conn)
	back.Wait()
	p.mu.Lock()
	delete(p.conns, conn)
	delete(p.conns, far)
	p.mu.Unlock()
}

func (p *proxy) copy(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	for some := make([]byte, 1<<16); ; {
		n, err := from.Read(some)
		if err != nil {
			return
		}
		p.flow.RLock()
		_, err = to.Write(some[:n])
		p.flow.RUnlock()
		if err != nil {
			return
		}
	}
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// stall lets nothing through until it is resumed: nobody is told.
func (p *proxy) stall()  { p.flow.Lock() }
func (p *proxy) resume() { p.flow.Unlock() }

// sever cuts all connections and refuses new ones, until it is mended.
func (p *proxy) sever() {
	p.refuses.Store(true)
	p.cut()
}

func (p *proxy) mend() { p.refuses.Store(false) }
