package cache

import (
	"context"
	"maps"
	"slices"
	"time"

	"linkbroker/broker"
)

// PutClient stores a client in place of the one whose ETag is given.
func (m *Memory) PutClient(_ context.Context, client broker.Client, replaces string) error {
	record, err := encodeClient(client)
	if err != nil {
		return failed("storing a client", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if clientETagIn([]byte(client.Name), m.clients[client.Name]) != replaces {
		return clientChanged(client.Name)
	}
	m.clients[client.Name] = record
	return nil
}

// DeleteClient forgets one client.
func (m *Memory) DeleteClient(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.clients[name]; !ok {
		return noClient(name)
	}
	delete(m.clients, name)
	return nil
}

// ListClients gives all clients in the order of their names.
func (m *Memory) ListClients(context.Context) ([]broker.Client, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var clients []broker.Client
	for _, name := range slices.Sorted(maps.Keys(m.clients)) {
		client, err := decodeClient([]byte(name), m.clients[name])
		if err != nil {
			return nil, failed("listing clients", err)
		}
		clients = append(clients, client)
	}
	return clients, nil
}

// AppendAudit stores an entry under the next ID.
func (m *Memory) AppendAudit(_ context.Context, entry broker.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastAudit++
	entry.ID = m.lastAudit
	m.audit = append(m.audit, entry)
	return nil
}

// ListAudit gives a page of the audit, newest first.
func (m *Memory) ListAudit(_ context.Context, before uint64, limit int) ([]broker.AuditEntry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var entries []broker.AuditEntry
	for _, entry := range slices.Backward(m.audit) {
		if len(entries) < limit && (before == 0 || entry.ID < before) {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// PurgeAudit deletes the oldest entries, up to the first that is young enough.
func (m *Memory) PurgeAudit(_ context.Context, before time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	young := slices.IndexFunc(m.audit, func(e broker.AuditEntry) bool { return !e.At.Before(before) })
	if young < 0 {
		young = len(m.audit)
	}
	m.audit = slices.Delete(m.audit, 0, young)
	return young, nil
}
