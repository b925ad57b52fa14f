package broker_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"linkbroker/broker"
	"linkbroker/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// wechat stands for WeChat: each call takes a while and makes a link, unless answer says otherwise.
type wechat struct {
	takes  time.Duration
	answer func(call int, target broker.Target) error
	host   string // of its links; wxaurl.cn
	extra  json.RawMessage
	ahead  time.Duration // of the clock that tells when a call was sent

	mu       sync.Mutex
	calls    int
	byTarget map[broker.Key]int // links made
	flying   map[broker.Key]int
	crowded  bool // two calls for one key were in flight at once
}

func (w *wechat) Generate(ctx context.Context, target broker.Target) (broker.Generated, error) {
	key := target.Key()
	sent := time.Now()
	w.mu.Lock()
	if w.byTarget == nil {
		w.byTarget, w.flying = map[broker.Key]int{}, map[broker.Key]int{}
	}
	w.calls++
	call := w.calls
	w.flying[key]++
	w.crowded = w.crowded || w.flying[key] > 1
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying[key]--
		w.mu.Unlock()
	}()
	if w.takes > 0 { // timers of no length, set by many at once, crash the race detector of go1.26 in a bubble
		select {
		case <-time.After(w.takes):
		case <-ctx.Done():
			return broker.Generated{}, broker.Errorf(broker.Unavailable, "WeChat did not answer: %w", ctx.Err())
		}
	}
	if w.answer != nil {
		if err := w.answer(call, target); err != nil {
			return broker.Generated{}, err
		}
	}
	w.mu.Lock()
	w.byTarget[key]++
	w.mu.Unlock()
	return broker.Generated{URL: w.link(target.Kind, call), SentAt: sent.Add(w.ahead), Extra: w.extra}, nil
}

func (w *wechat) link(kind broker.Kind, call int) string {
	switch kind {
	case broker.Scheme:
		return fmt.Sprintf("weixin://dl/business/?t=%d", call)
	case broker.ShortLink:
		return fmt.Sprintf("#小程序://x/%d", call)
	default:
		return fmt.Sprintf("https://%s/%d", cmp.Or(w.host, "wxaurl.cn"), call)
	}
}

func (w *wechat) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// says is an error as the client gives it for an errcode of WeChat's.
func says(code broker.Code, errcode int) error {
	err := broker.Errorf(code, "WeChat says %d", errcode)
	err.ErrCode, err.Unspent = errcode, true
	return err
}

var errAway = broker.Errorf(broker.Unavailable, "WeChat cut the connection")

// moody is a real store whose writes and reads can be made to fail.
type moody struct {
	broker.Store

	writesFail, readsFail, ledgerFails atomic.Bool

	beforePut    func(ctx context.Context) error // runs first
	beforeLink   func(key broker.Key)
	beforeTouch  func()
	reserving    func() // runs when units are about to be reserved
	reserved     func() // and when they are
	beforeAdd    func() // runs when counts are about to be added
	afterAdd     func() // and when they are
	afterStats   func() // runs when counts are read
	afterClients func() // runs when a change of clients is stored
}

var errDisk = broker.Errorf(broker.StoreFailed, "no space left on device")

func (m *moody) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	if m.readsFail.Load() {
		return broker.Link{}, errDisk
	}
	if m.beforeLink != nil {
		m.beforeLink(key)
	}
	return m.Store.Link(ctx, key)
}

func (m *moody) PutLink(ctx context.Context, link broker.Link) error {
	if m.writesFail.Load() {
		return errDisk
	}
	if m.beforePut != nil {
		if err := m.beforePut(ctx); err != nil {
			return err
		}
	}
	return m.Store.PutLink(ctx, link)
}

func (m *moody) TouchLinks(ctx context.Context, uses []broker.Use) error {
	if m.writesFail.Load() {
		return errDisk
	}
	if m.beforeTouch != nil {
		m.beforeTouch()
	}
	return m.Store.TouchLinks(ctx, uses)
}

func (m *moody) AddStats(ctx context.Context, stats []broker.Stat) error {
	if m.writesFail.Load() {
		return errDisk
	}
	if m.beforeAdd != nil {
		m.beforeAdd()
	}
	err := m.Store.AddStats(ctx, stats)
	if m.afterAdd != nil {
		m.afterAdd()
	}
	return err
}

func (m *moody) Stats(ctx context.Context, series string, grain broker.Grain, from, to time.Time) ([]broker.Stat, error) {
	stats, err := m.Store.Stats(ctx, series, grain, from, to)
	if m.afterStats != nil {
		m.afterStats()
	}
	return stats, err
}

func (m *moody) PutClient(ctx context.Context, client broker.Client, replaces string) error {
	if m.writesFail.Load() {
		return errDisk
	}
	return m.Store.PutClient(ctx, client, replaces)
}

func (m *moody) DeleteClient(ctx context.Context, name string) error {
	err := m.Store.DeleteClient(ctx, name)
	if m.afterClients != nil {
		m.afterClients()
	}
	return err
}

func (m *moody) ListClients(ctx context.Context) ([]broker.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.readsFail.Load() {
		return nil, errDisk
	}
	return m.Store.ListClients(ctx)
}

func (m *moody) ReserveQuota(ctx context.Context, account, on string, n, limit int64) (int64, int64, error) {
	if m.ledgerFails.Load() {
		return 0, 0, errDisk
	}
	if m.reserving != nil {
		m.reserving()
	}
	granted, total, err := m.Store.ReserveQuota(ctx, account, on, n, limit)
	if m.reserved != nil {
		m.reserved()
	}
	return granted, total, err
}

// rig is a broker with a real store and a fake WeChat.
type rig struct {
	*broker.Broker

	wechat *wechat
	store  *moody
	events *events
}

func newRig(t *testing.T, w *wechat, change func(*broker.App)) *rig {
	t.Helper()
	store := &moody{Store: cache.NewMemory()}
	t.Cleanup(func() { store.Close() }) //nolint:errcheck // a memory store
	return rigOver(store, w, change)
}

func rigOver(store *moody, w *wechat, change func(*broker.App)) *rig {
	app := broker.App{ID: appid}
	if change != nil {
		change(&app)
	}
	seen := &events{}
	policy := broker.Policy{Apps: []broker.App{app}, Observe: seen.add}
	return &rig{Broker: broker.New(store, w, policy, time.Now), wechat: w, store: store, events: seen}
}

type events struct {
	mu   sync.Mutex
	seen []broker.Event
}

func (e *events) add(event broker.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, event)
}

func (e *events) count(name broker.EventName) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.seen {
		if event.Name == name {
			n++
		}
	}
	return n
}

func query(q string) broker.Request {
	return broker.Request{Target: broker.Target{App: appid, Path: "pages/index", Query: q}}
}

// get asks, and fails the test unless the outcome is as wanted.
func (r *rig) get(t *testing.T, req broker.Request, want broker.Outcome) broker.Answer {
	t.Helper()
	answer, err := r.Get(t.Context(), req)
	if err != nil {
		t.Fatalf("got %v, want a %s", err, want)
	}
	if answer.Outcome != want {
		t.Fatalf("got a %s (%v), want a %s", answer.Outcome, answer.Reason, want)
	}
	if !answer.Link.Outlives(time.Now()) {
		t.Fatalf("a dead link was handed out: it ended at %s", answer.Link.ExpiresAt)
	}
	return answer
}

// fails asks, and fails the test unless the error has the code.
func (r *rig) fails(t *testing.T, req broker.Request, code broker.Code) {
	t.Helper()
	_ = r.failure(t, req, code)
}

// failure is fails, and gives the error.
func (r *rig) failure(t *testing.T, req broker.Request, code broker.Code) *broker.Error {
	t.Helper()
	answer, err := r.Get(t.Context(), req)
	if !errors.Is(err, code) {
		t.Fatalf("got %v, %v, want an error of code %s", answer.Outcome, err, code)
	}
	e, _ := errors.AsType[*broker.Error](err)
	return e
}

func (r *rig) used(t *testing.T) int64 {
	t.Helper()
	quotas, err := r.Quotas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return quotas[0].Used
}
