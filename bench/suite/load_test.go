package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// links answers as a contestant would, and notes what it was asked for.
type links struct {
	mu    sync.Mutex
	asked []int
	stall func(n int) // before the n-th answer
	wrong bool
}

func (l *links) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	link, err := numberIn(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	l.asked = append(l.asked, link)
	n := len(l.asked)
	l.mu.Unlock()
	if l.stall != nil {
		l.stall(n)
	}
	if l.wrong {
		link++
	}
	fmt.Fprintf(w, `{"url":"%s"}`, linkURL(link))
}

func serve(t *testing.T, l *links, connections int) pool {
	t.Helper()
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	over, err := dialAll(t.Context(), strings.TrimPrefix(server.URL, "http://"), connections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(over.close)
	return over
}

func TestALoadAsksForEachLinkOnce(t *testing.T) {
	l := new(links)
	o, err := load{
		front: native, connections: 4, requests: 100, check: hasLink,
		links: func(connection, n int) int { return n*4 + connection },
	}.drive(t.Context(), serve(t, l, 4))
	if err != nil || o.requests != 100 || len(o.latencies) != 100 || !slices.IsSorted(o.latencies) {
		t.Fatalf("%d requests, %d latencies, %v", o.requests, len(o.latencies), err)
	}
	slices.Sort(l.asked)
	for i, link := range l.asked {
		if link != i {
			t.Fatalf("asked for %v", l.asked)
		}
	}
}

func TestALoadEndsWithItsTime(t *testing.T) {
	l := new(links)
	o, err := load{
		front: facade, connections: 2, length: 50 * time.Millisecond, check: hasLink, links: func(int, int) int { return 7 },
	}.drive(t.Context(), serve(t, l, 2))
	if err != nil || o.requests == 0 || o.took < 50*time.Millisecond || o.took > 5*time.Second {
		t.Errorf("%d requests in %s, %v", o.requests, o.took, err)
	}
}

func TestAWrongAnswerEndsALoad(t *testing.T) {
	l := &links{wrong: true}
	_, err := load{
		front: native, connections: 1, length: time.Minute, check: hasLink, links: func(int, int) int { return 7 },
	}.drive(t.Context(), serve(t, l, 1))
	if err == nil || !strings.Contains(err.Error(), "lacks "+linkURL(7)) {
		t.Errorf("the error is %v", err)
	}
}

func TestALoadCanBeStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &links{stall: func(n int) {
		if n == 10 {
			cancel()
		}
	}}
	_, err := load{
		front: native, connections: 1, length: time.Minute, check: hasLink, links: func(int, int) int { return 7 },
	}.drive(ctx, serve(t, l, 1))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// A server that stands still for a while is charged for what was due meanwhile, though nobody could ask.
func TestAPaceCountsFromWhenARequestWasDue(t *testing.T) {
	const still = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	l := &links{stall: func(n int) {
		switch n {
		case 1:
			timer := time.NewTimer(still)
			defer timer.Stop()
			<-timer.C
		case 200:
			cancel()
		}
	}}
	o, err := pace{front: native, rate: 1000, check: hasLink, links: func(n int) int { return n }}.drive(ctx, serve(t, l, 1))
	if err != nil {
		t.Fatal(err)
	}
	if o.requests < 200 || o.latencies[len(o.latencies)-1] < still {
		t.Errorf("%d requests, the slowest after %s", o.requests, o.latencies[len(o.latencies)-1])
	}
	if middle := o.percentile(0.5); middle < still/10 {
		t.Errorf("half of them took %s, though the server stood still for %s", middle, still)
	}
}

func TestAPaceKeepsItsRate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	o, err := pace{front: native, rate: 500, check: hasLink, links: func(n int) int { return n }}.drive(ctx, serve(t, new(links), 16))
	if err != nil || o.requests < 75 || o.requests > 151 {
		t.Errorf("%d requests, %v", o.requests, err)
	}
}

func TestAPaceMayBeRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "busy", http.StatusServiceUnavailable)
	}))
	defer refusing.Close()
	over, err := dialAll(t.Context(), strings.TrimPrefix(refusing.URL, "http://"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer over.close()
	o, err := pace{front: native, rate: 200, links: func(n int) int { return n }}.drive(ctx, over)
	if err != nil || o.requests == 0 {
		t.Errorf("%d requests, %v", o.requests, err)
	}
}
