package cache

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"linkbroker/broker"
)

// MovableMemory is a store in memory that can be moved like the others. Only tests move one.
type MovableMemory struct {
	*Memory

	moved []byte // what a migration has left: see movable
}

// NewMovableMemory makes an empty one.
func NewMovableMemory() *MovableMemory { return &MovableMemory{Memory: NewMemory()} }

func (m *MovableMemory) records(_ context.Context, kind Kind, place []byte, about int) (page []record, next []byte, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := m.all(kind)
	slices.SortFunc(all, func(a, b record) int { return bytes.Compare(a.key, b.key) })
	at, found := slices.BinarySearchFunc(all, place, func(r record, key []byte) int { return bytes.Compare(r.key, key) })
	if found {
		at++
	}
	if page = all[at:min(at+about, len(all))]; at+about < len(all) {
		next = page[len(page)-1].key
	}
	return page, next, nil
}

// all makes the records that a file would have.
func (m *MovableMemory) all(kind Kind) (all []record) {
	add := func(key, value []byte) { all = append(all, record{key, value}) }
	switch kind {
	case kindLinks:
		for key, value := range m.links {
			add(key[:], value)
		}
	case kindAliases:
		for slug, value := range m.aliases {
			add([]byte(slug), value)
		}
	case kindClients:
		for name, client := range m.clients {
			add([]byte(name), client)
		}
	case kindAudit:
		for _, entry := range m.audit {
			value, _ := encodeAudit(entry) // plain fields
			add(auditKey(entry.ID), value)
		}
	case kindStats:
		for s, seconds := range m.stats {
			for second, counts := range seconds {
				r := rangeFor(s.stat(second, counts))
				add(r.key(), encodeCounts(r.key(), counts))
			}
		}
	case kindBlobs:
		for name, value := range m.blobs {
			add([]byte(name), sealBody([]byte(name), value))
		}
	case kindLedger:
		for q, n := range m.ledger {
			key := ledgerKey(q.account, q.day)
			add(key, encodeCount(key, n))
		}
	}
	return all
}

func (m *MovableMemory) putRecords(_ context.Context, kind Kind, page []record, mark []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range page {
		if err := m.putRecord(kind, r); err != nil {
			return failed("writing records", fmt.Errorf("%s %x: %w", kind, r.key, err))
		}
	}
	m.moved = mark
	return nil
}

func (m *MovableMemory) putRecord(kind Kind, r record) error {
	switch kind {
	case kindLinks:
		link, err := readRecord(r.key, r.value)
		if err != nil {
			return err
		}
		m.delete(link.Key)
		return m.write(link)
	case kindAliases:
		slug := string(r.key)
		if at, found := slices.BinarySearch(m.slugs, slug); !found {
			m.slugs = slices.Insert(m.slugs, at, slug)
		}
		m.aliases[slug] = r.value
	case kindClients:
		m.clients[string(r.key)] = r.value
	case kindAudit:
		entry, err := decodeAudit(r.key, r.value)
		at, found := slices.BinarySearchFunc(m.audit, entry.ID, func(e broker.AuditEntry, id uint64) int { return int(e.ID) - int(id) })
		if err != nil || found {
			return err
		}
		m.audit = slices.Insert(m.audit, at, entry)
		m.lastAudit = max(m.lastAudit, entry.ID)
	default:
		return m.putOther(kind, r)
	}
	return nil
}

func (m *MovableMemory) putOther(kind Kind, r record) error {
	body, err := unseal(r.key, r.value)
	if err != nil {
		return err
	}
	switch kind {
	case kindStats:
		return m.putStat(r)
	case kindBlobs:
		m.blobs[string(r.key)] = bytes.Clone(body)
	default:
		day, account, _ := strings.Cut(string(r.key), "\x00")
		m.ledger[quotaDay{account, day}], err = decodeCount(r.key, r.value)
	}
	return err
}

func (m *MovableMemory) putStat(r record) error {
	counts, err := decodeCounts(r.key, r.value)
	if err != nil {
		return err
	}
	s, second := seriesOf(r.key)
	if m.stats[s] == nil {
		m.stats[s] = make(map[uint64]map[string]uint64)
	}
	m.stats[s][second] = counts
	return nil
}

func (m *MovableMemory) mark(context.Context) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.moved, nil
}

func (m *MovableMemory) count(_ context.Context, kind Kind) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.all(kind)), nil
}

func (m *MovableMemory) identity(context.Context) (string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return fmt.Sprintf("memory %p %d", m, len(m.links)), nil
}
