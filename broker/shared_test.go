package broker_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// shared is a store that several brokers share, and the turns they take in it.
type shared struct {
	*cache.Memory

	mu    sync.Mutex
	turns map[string]*sharedTurn
	users map[string]map[int]time.Time
}

type sharedTurn struct {
	over chan struct{}
	note broker.Note
	end  time.Time // of the note
	lost chan struct{}
}

func newShared() *shared {
	return &shared{Memory: cache.NewMemory(), turns: map[string]*sharedTurn{}, users: map[string]map[int]time.Time{}}
}

// member is the shared store as one broker has it: he may be cut off, and his leases are held until he dies.
type member struct {
	*moody

	shared *shared
	number int
	away   atomic.Bool
	dead   atomic.Bool // never gives a turn back
}

func (s *shared) member(number int) *member {
	return &member{moody: &moody{Store: s}, shared: s, number: number}
}

// cutOff makes every call of the member fail.
func (m *member) cutOff(cut bool) {
	m.away.Store(cut)
	m.readsFail.Store(cut)
	m.writesFail.Store(cut)
	m.ledgerFails.Store(cut)
}

// leaseLife is how long a dead broker's turn lasts.
const leaseLife = 3 * time.Second

func (m *member) Lease(_ context.Context, name string) (broker.Turn, error) {
	if m.away.Load() {
		return broker.Turn{}, errDisk
	}
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	if t := m.shared.turns[name]; t != nil {
		switch left := time.Until(t.end); {
		case t.note.Text == nil:
			return broker.Turn{Over: t.over}, nil
		case left > 0:
			return broker.Turn{Note: broker.Note{Text: t.note.Text, Life: left}}, nil
		}
	}
	t := &sharedTurn{over: make(chan struct{}), lost: make(chan struct{})}
	m.shared.turns[name] = t
	if m.dead.Load() {
		time.AfterFunc(leaseLife, func() { m.shared.leave(name, t, broker.Note{}) })
		return broker.Turn{Leave: func(context.Context, broker.Note) {}, Lost: t.lost}, nil
	}
	return broker.Turn{Leave: func(_ context.Context, note broker.Note) { m.shared.leave(name, t, note) }, Lost: t.lost}, nil
}

func (s *shared) leave(name string, t *sharedTurn, note broker.Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns[name] != t {
		return
	}
	delete(s.turns, name)
	if note.Text != nil {
		s.turns[name] = &sharedTurn{note: note, end: time.Now().Add(note.Life)}
	}
	close(t.over)
}

// lose takes the turn for a name away from whoever has it.
func (s *shared) lose(name string) {
	s.mu.Lock()
	t := s.turns[name]
	s.mu.Unlock()
	close(t.lost)
	s.leave(name, t, broker.Note{})
}

func (m *member) PutNote(_ context.Context, name string, note broker.Note) error {
	if m.away.Load() {
		return errDisk
	}
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	m.shared.turns[name] = &sharedTurn{note: note, end: time.Now().Add(note.Life)}
	return nil
}

func (m *member) NoteOf(_ context.Context, name string) (broker.Note, error) {
	if m.away.Load() {
		return broker.Note{}, errDisk
	}
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	if t := m.shared.turns[name]; t != nil && time.Until(t.end) > 0 {
		return t.note, nil
	}
	return broker.Note{}, nil
}

func (m *member) Blob(ctx context.Context, name string) ([]byte, error) {
	if m.away.Load() {
		return nil, errDisk
	}
	return m.moody.Blob(ctx, name)
}

func (m *member) CurrentLink(ctx context.Context, key broker.Key) (broker.Link, error) {
	return m.Link(ctx, key)
}

func (m *member) Share(_ context.Context, name string) (int, error) {
	if m.away.Load() {
		return 0, errDisk
	}
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	users := m.shared.users[name]
	if users == nil {
		users = map[int]time.Time{}
		m.shared.users[name] = users
	}
	users[m.number] = time.Now()
	n := 0
	for _, at := range users {
		if time.Since(at) < 5*time.Second {
			n++
		}
	}
	return n, nil
}

// fellow is one of several brokers on one store.
type fellow struct {
	*rig

	member *member
}

// fellows are brokers that share a store and ask one WeChat.
func fellows(t *testing.T, n int, w *wechat, change func(*broker.App)) (*shared, []fellow) {
	t.Helper()
	store := newShared()
	all := make([]fellow, n)
	for i := range all {
		all[i] = store.join(i, w, change)
	}
	return store, all
}

func (s *shared) join(number int, w *wechat, change func(*broker.App)) fellow {
	app := broker.App{ID: appid}
	if change != nil {
		change(&app)
	}
	m, seen := s.member(number), &events{}
	b := broker.New(m, w, broker.Policy{Apps: []broker.App{app}, Observe: seen.add}, time.Now)
	return fellow{rig: &rig{Broker: b, wechat: w, store: m.moody, events: seen}, member: m}
}

func numberedQuery(i int) broker.Request { return query("n=" + strconv.Itoa(i)) }
