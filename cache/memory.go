package cache

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"linkbroker/broker"
)

// Memory is a store that lasts as long as the process. It keeps the same records as Bolt, so that what goes in
// comes out the same way.
type Memory struct {
	mu     sync.RWMutex
	links  map[broker.Key][]byte
	keys   []broker.Key            // of links, in order
	urls   map[string][]broker.Key // WeChat may give two targets one link
	ledger map[quotaDay]int64
	blobs  map[string][]byte

	clients   map[string][]byte   // records
	audit     []broker.AuditEntry // ascending
	lastAudit uint64

	aliases map[string][]byte
	slugs   []string // of aliases, in order
	stats   map[statSeries]map[uint64]map[string]uint64
}

type quotaDay struct{ account, day string }

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{
		links:  make(map[broker.Key][]byte),
		urls:   make(map[string][]broker.Key),
		ledger: make(map[quotaDay]int64),
		blobs:  make(map[string][]byte),

		clients: make(map[string][]byte),

		aliases: make(map[string][]byte),
		stats:   make(map[statSeries]map[uint64]map[string]uint64),
	}
}

// Link finds one link.
func (m *Memory) Link(_ context.Context, key broker.Key) (broker.Link, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.link(key)
}

// LinkByURL finds the link that has a URL.
func (m *Memory) LinkByURL(_ context.Context, url string) (broker.Link, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	keys := m.urls[url]
	if len(keys) == 0 {
		return broker.Link{}, noURL()
	}
	return m.link(keys[0])
}

func (m *Memory) link(key broker.Key) (broker.Link, error) {
	record, ok := m.links[key]
	if !ok {
		return broker.Link{}, noLink(key)
	}
	link, err := decodeLink(key, record)
	return link, failed("reading a link", err)
}

// PutLink stores a link.
func (m *Memory) PutLink(_ context.Context, link broker.Link) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, err := m.link(link.Key)
	if err != nil {
		return m.write(link)
	}
	if err := m.write(link.Replacing(old)); err != nil {
		return err
	}
	m.forgetURL(old, link.URL)
	return nil
}

func (m *Memory) write(link broker.Link) error {
	record, err := encodeLink(link)
	if err != nil {
		return failed("storing a link", err)
	}
	if at, found := slices.BinarySearchFunc(m.keys, link.Key, compareKeys); !found {
		m.keys = slices.Insert(m.keys, at, link.Key)
	}
	m.links[link.Key] = record
	if keys := m.urls[link.URL]; !slices.Contains(keys, link.Key) {
		m.urls[link.URL] = append(keys, link.Key)
	}
	return nil
}

// forgetURL forgets the URL that a link had before.
func (m *Memory) forgetURL(old broker.Link, now string) {
	if old.URL == now {
		return
	}
	keys := slices.DeleteFunc(m.urls[old.URL], func(key broker.Key) bool { return key == old.Key })
	if m.urls[old.URL] = keys; len(keys) == 0 {
		delete(m.urls, old.URL)
	}
}

// PinLink sets or takes away the pin.
func (m *Memory) PinLink(_ context.Context, key broker.Key, pinned bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	link, err := m.link(key)
	if err != nil {
		return err
	}
	link.Pinned = pinned
	return m.write(link)
}

// DeleteLink forgets one link.
func (m *Memory) DeleteLink(_ context.Context, key broker.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.delete(key) {
		return noLink(key)
	}
	return nil
}

func (m *Memory) delete(key broker.Key) bool {
	at, found := slices.BinarySearchFunc(m.keys, key, compareKeys)
	if found {
		if old, err := m.link(key); err == nil {
			m.forgetURL(old, "")
		}
		m.keys = slices.Delete(m.keys, at, at+1)
		delete(m.links, key)
	}
	return found
}

// TouchLinks adds uses. All records are made before the first is written.
func (m *Memory) TouchLinks(_ context.Context, uses []broker.Use) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	touched := make(map[broker.Key]broker.Link, len(uses))
	for _, use := range uses {
		link, seen := touched[use.Key]
		if !seen {
			var err error
			if link, err = m.link(use.Key); err != nil {
				continue
			}
		}
		link = link.Touched(use)
		if err := storable(link); err != nil {
			return failed("counting uses", err)
		}
		touched[use.Key] = link
	}
	for _, link := range touched {
		if err := m.write(link); err != nil {
			return err
		}
	}
	return nil
}

// ListLinks gives a page of links in the order of their keys.
func (m *Memory) ListLinks(_ context.Context, after broker.Key, limit int) ([]broker.Link, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, found := slices.BinarySearchFunc(m.keys, after, compareKeys)
	if found && after != (broker.Key{}) {
		at++
	}
	page := m.keys[at:min(at+max(limit, 0), len(m.keys))]
	links := make([]broker.Link, 0, len(page))
	for _, key := range page {
		link, err := m.link(key)
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	return links, nil
}

// ExpiringLinks walks over the links that end in a stretch of time.
func (m *Memory) ExpiringLinks(ctx context.Context, from, to time.Time) iter.Seq2[broker.Link, error] {
	return func(yield func(broker.Link, error) bool) {
		m.mu.RLock()
		ending := m.ending(from.Unix(), to.Unix())
		m.mu.RUnlock()
		for _, link := range ending {
			if err := ctx.Err(); err != nil {
				yield(broker.Link{}, failed("walking over the links", err))
				return
			}
			if link, err := m.Link(ctx, link.Key); err == nil && !yield(link, nil) {
				return
			}
		}
	}
}

// ending gives the links with from <= end < to, in seconds, in the order of their end.
func (m *Memory) ending(from, to int64) []broker.Link {
	var ending []broker.Link
	for _, key := range m.keys {
		link, err := m.link(key)
		if end := link.ExpiresAt.Unix(); err == nil && end >= from && end < to {
			ending = append(ending, link)
		}
	}
	slices.SortStableFunc(ending, func(a, b broker.Link) int {
		return cmp.Compare(a.ExpiresAt.Unix(), b.ExpiresAt.Unix())
	})
	return ending
}

// PurgeLinks deletes links that have ended.
func (m *Memory) PurgeLinks(_ context.Context, before time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	purged := 0
	for _, link := range m.ending(math.MinInt64, before.Unix()+1) {
		if purged < limit && link.ExpiresAt.Before(before) {
			m.delete(link.Key)
			purged++
		}
	}
	return purged, nil
}

// ReserveQuota takes units for an account on a day.
func (m *Memory) ReserveQuota(_ context.Context, account, day string, n, limit int64) (granted, total int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := quotaDay{account, day}
	granted = reserve(m.ledger[q], n, limit)
	m.ledger[q] += granted
	return granted, m.ledger[q], nil
}

// ReservedQuota says how much is reserved.
func (m *Memory) ReservedQuota(_ context.Context, account, day string) (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.ledger[quotaDay{account, day}], nil
}

// PurgeQuota forgets the days before the one given.
func (m *Memory) PurgeQuota(_ context.Context, before string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for q := range m.ledger {
		if q.day < before {
			delete(m.ledger, q)
		}
	}
	return nil
}

// Blob gives a small named value.
func (m *Memory) Blob(_ context.Context, name string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	value, ok := m.blobs[name]
	if !ok {
		return nil, broker.Errorf(broker.NotFound, "nothing is stored under the name %q", name)
	}
	return bytes.Clone(value), nil
}

// PutBlob stores a small named value.
func (m *Memory) PutBlob(_ context.Context, name string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[name] = append([]byte{}, value...)
	return nil
}

// AddBlob stores a small named value unless there is one.
func (m *Memory) AddBlob(_ context.Context, name string, value []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[name]; !ok {
		m.blobs[name] = append([]byte{}, value...)
	}
	return bytes.Clone(m.blobs[name]), nil
}

// Close does nothing.
func (m *Memory) Close() error { return nil }

func compareKeys(a, b broker.Key) int { return bytes.Compare(a[:], b[:]) }
