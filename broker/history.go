package broker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The series under which history is counted, by the hour and by the day, each with a name behind it.
const (
	AnswersOf = "answers/" // an app: by Outcome and CountFailed
	CallsOf   = "calls/"   // an app: CountGood, the errcode or code of each error, and CountTook
	AskedBy   = "clients/" // a client: by Outcome and CountFailed
)

// What is counted beside outcomes, errcodes and codes.
const (
	CountFailed = "failed"  // requests without a link
	CountGood   = "ok"      // calls with one
	CountTook   = "took_ms" // milliseconds that all calls took together
)

// history counts what happens, so that an administrator sees how it went before the last restart. It is counted in memory
// and flushed, as visits are. Every request passes here, so its counters are found without a lock.
type history struct {
	apps    map[string]*tally                 // never changed
	clients atomic.Pointer[map[string]*tally] // replaced by a longer one for a new name, under mu

	mu        sync.Mutex
	calls     map[call]uint64
	unwritten counted // what a flush could not write
}

// tally counts answers.
type tally [len(tallied)]atomic.Uint64

// tallied are what a tally counts, in its order.
var tallied = [...]string{string(Hit), string(Miss), string(Stale), string(Composed), CountFailed}

// call is what is counted of calls to WeChat.
type call struct{ app, what string }

// maxCallsCounted bounds the memory: WeChat has some hundred errcodes.
const maxCallsCounted = 1 << 12

func newHistory(apps []App) *history {
	h := &history{apps: make(map[string]*tally, len(apps)), calls: make(map[call]uint64)}
	for _, app := range apps {
		h.apps[app.ID] = new(tally)
	}
	h.clients.Store(&map[string]*tally{})
	return h
}

// answered counts how a request was answered.
func (h *history) answered(req *Request, outcome Outcome, err error) {
	at := slices.Index(tallied[:], string(outcome))
	if err != nil {
		at = slices.Index(tallied[:], CountFailed)
	}
	if t := h.apps[req.App]; t != nil && at >= 0 {
		t[at].Add(1)
	}
	if req.Client == nil || at < 0 {
		return
	}
	h.client(req.Client.Name)[at].Add(1)
}

func (h *history) client(name string) *tally {
	if t := (*h.clients.Load())[name]; t != nil {
		return t
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	longer := maps.Clone(*h.clients.Load())
	if longer[name] == nil {
		longer[name] = new(tally)
	}
	h.clients.Store(&longer)
	return longer[name]
}

// called counts a call to WeChat.
func (h *history) called(app string, took time.Duration, err error) {
	what := CountGood
	if e, ok := errors.AsType[*Error](err); ok && e.ErrCode != 0 {
		what = strconv.Itoa(e.ErrCode)
	} else if err != nil {
		what = string(CodeOf(err))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.calls[call{app, what}]; known || len(h.calls) < maxCallsCounted {
		h.calls[call{app, what}]++
		h.calls[call{app, CountTook}] += uint64(max(took.Milliseconds(), 0))
	}
}

// counted is what was counted, by series.
type counted map[string]map[string]uint64

func (c counted) add(series, what string, n uint64) {
	if n == 0 {
		return
	}
	if c[series] == nil {
		c[series] = make(map[string]uint64)
	}
	c[series][what] += n
}

// take takes all that is counted. Who cannot write it puts it back.
func (h *history) take() counted {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.unwritten
	h.unwritten = nil
	if all == nil {
		all = make(counted)
	}
	for app, t := range h.apps {
		t.take(all, AnswersOf+app)
	}
	for name, t := range *h.clients.Load() {
		t.take(all, AskedBy+name)
	}
	for c, n := range h.calls {
		all.add(CallsOf+c.app, c.what, n)
	}
	clear(h.calls)
	return all
}

func (t *tally) take(all counted, series string) {
	for i := range t {
		all.add(series, tallied[i], t[i].Swap(0))
	}
}

func (h *history) putBack(bite []string, taken counted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unwritten == nil {
		h.unwritten = make(counted)
	}
	for _, series := range bite {
		for what, n := range taken[series] {
			h.unwritten.add(series, what, n)
		}
	}
}

// flushHistory writes what was counted, to the hour and the day in which it is written.
func (b *Broker) flushHistory(ctx context.Context) error {
	hour := b.clock().UTC().Truncate(time.Hour)
	taken := b.history.take()
	var err error
	for bite := range slices.Chunk(slices.Collect(maps.Keys(taken)), touchBite/2) { // each is two records
		var stats []Stat
		for _, series := range bite {
			stats = append(stats,
				Stat{Series: series, Grain: Hourly, At: hour, Counts: taken[series]},
				Stat{Series: series, Grain: Daily, At: dayOf(hour), Counts: taken[series]})
		}
		if err == nil {
			err = b.addStats(ctx, stats)
		}
		if err != nil {
			b.history.putBack(bite, taken)
		}
	}
	return err
}

// History gives what happened in a stretch of time: a series is AnswersOf, CallsOf or AskedBy and a name. What happened in
// the last seconds is still to come.
func (b *Broker) History(ctx context.Context, series string, grain Grain, from, to time.Time) ([]Stat, error) {
	if !slices.ContainsFunc([]string{AnswersOf, CallsOf, AskedBy}, func(of string) bool { return strings.HasPrefix(series, of) }) ||
		grain != Hourly && grain != Daily {
		return nil, Errorf(InvalidArgument, "there is a history of answers, calls and clients, by hour or day")
	}
	return b.store.Stats(ctx, series, grain, from, to)
}
