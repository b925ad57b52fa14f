package wechat

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"linkbroker/broker"
)

const (
	// How long a host that does not answer is left alone: doubled from the least to the most, until it takes a call
	// again. Then it is looked at before it gets one.
	leastDown = 5 * time.Second
	mostDown  = time.Minute

	// hostPatience bounds a call while there is another host that could be asked in what is left of the time.
	hostPatience = 2 * time.Second

	// A call that was given less than this and ran out of time says nothing of the host.
	fairChance = time.Second
)

// repetition says which failed calls may be made again at another host.
type repetition int

const (
	once       repetition = iota // those that never left: no other can be told from one that spent a unit of quota
	repeatable                   // all: nothing is spent
)

// hosts are the servers at which an app's calls can be made, the preferred one first. What a host answers in JSON is
// WeChat's word, whatever its errcode, and so a sign of health.
type hosts struct {
	client *http.Client
	clock  broker.Clock
	life   context.Context // ends with close
	end    context.CancelFunc
	probes sync.WaitGroup

	mu  sync.Mutex // never held during a call
	all []*host
}

// host is one server, and how it fares.
type host struct {
	base     string
	failures int       // in a row
	downTill time.Time // until then it is left alone; zero = it is well
	probing  bool
}

func newHosts(client *http.Client, clock broker.Clock, bases []string) *hosts {
	life, end := context.WithCancel(context.Background())
	h := &hosts{client: client, clock: clock, life: life, end: end}
	for _, base := range bases {
		h.all = append(h.all, &host{base: base})
	}
	return h
}

// each tries one host after the other until a call succeeds, may not be made again, or ctx ends. An error of try is
// about the host, unless ctx is why it failed. Each failure that may be repeated leaves at least half of the time to
// the next.
func (h *hosts) each(ctx context.Context, repeat repetition, try func(ctx context.Context, base string) error) error {
	var tried []*host
	for {
		at, others := h.choose(tried)
		began := h.clock()
		given, cancel := patience(ctx, began, others)
		err := try(given, at.base)
		cancel()
		h.note(at, err, h.clock().Sub(began))
		tried = append(tried, at)
		if err == nil || len(tried) == len(h.all) || ctx.Err() != nil || repeat == once && !neverLeft(err) {
			return err
		}
	}
}

// neverLeft reports whether a call was certainly not sent: there was no connection to send it by.
func neverLeft(err error) bool {
	e, ok := errors.AsType[*broker.Error](err)
	return ok && e.Unspent
}

// patience bounds a call at a host beside which others could be asked.
func patience(ctx context.Context, now time.Time, others bool) (context.Context, context.CancelFunc) {
	if !others {
		return ctx, func() {}
	}
	given := hostPatience
	if deadline, ok := ctx.Deadline(); ok {
		given = min(given, deadline.Sub(now)/2)
	}
	return context.WithTimeout(ctx, given)
}

// choose gives the first host that is well and was not tried, or else the one whose time has come the longest. It also
// says whether another could be asked after it, and has those looked at that have been left alone long enough.
func (h *hosts) choose(tried []*host) (best *host, others bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock()
	for _, at := range h.all {
		if len(h.all) > 1 && !at.downTill.IsZero() && !now.Before(at.downTill) && !at.probing && h.life.Err() == nil {
			at.probing = true
			h.probes.Go(func() { h.probe(at) })
		}
		switch {
		case slices.Contains(tried, at):
		case best == nil:
			best = at
		case at.downTill.IsZero():
			if best.downTill.IsZero() {
				return best, true
			}
			best = at
		case at.downTill.Before(best.downTill) && !best.downTill.IsZero():
			best = at
		}
	}
	return best, false
}

// note learns from a call.
func (h *hosts) note(at *host, err error, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		at.failures, at.downTill = 0, time.Time{}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && took < fairChance, errors.Is(err, broker.Internal):
	default:
		h.leaveAlone(at)
	}
}

func (h *hosts) leaveAlone(at *host) {
	at.downTill = h.clock().Add(min(leastDown<<min(at.failures, 8), mostDown))
	at.failures++
}

// probe asks a host for nothing: a token without saying whose, which WeChat refuses in JSON. A host that passes gets
// calls again; that it has failed is forgotten when it has taken one.
func (h *hosts) probe(at *host) {
	ctx, cancel := context.WithTimeout(h.life, hostPatience)
	defer cancel()
	raw, err := h.do(ctx, at.base, request{method: http.MethodGet, path: "/cgi-bin/token"})
	if err == nil {
		_, err = parseAnswer(raw)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at.probing = false
	switch {
	case err != nil && h.life.Err() == nil:
		h.leaveAlone(at)
	case err == nil:
		at.downTill = time.Time{}
	}
}

// close ends the probes.
func (h *hosts) close() {
	h.mu.Lock()
	h.end()
	h.mu.Unlock()
	h.probes.Wait()
}

// HostStatus is how one of an app's hosts fares.
type HostStatus struct {
	App      string
	Host     string // its base URL, without https://
	Healthy  bool
	Failures int // in a row
}

func (h *hosts) statuses(app string) []HostStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]HostStatus, len(h.all))
	for i, at := range h.all {
		all[i] = HostStatus{App: app, Host: strings.TrimPrefix(at.base, "https://"), Healthy: at.downTill.IsZero(), Failures: at.failures}
	}
	return all
}
