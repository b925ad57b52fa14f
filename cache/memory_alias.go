package cache

import (
	"context"
	"slices"

	"linkbroker/broker"
)

// Alias finds one alias.
func (m *Memory) Alias(_ context.Context, slug string) (broker.Alias, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	record, ok := m.aliases[slug]
	if !ok {
		return broker.Alias{}, noAlias(slug)
	}
	alias, err := decodeAlias([]byte(slug), record)
	return alias, failed("reading an alias", err)
}

// PutAlias stores an alias in place of the one whose ETag is given.
func (m *Memory) PutAlias(_ context.Context, alias broker.Alias, replaces string) error {
	record, err := encodeAlias(alias)
	if err != nil {
		return failed("storing an alias", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if etagIn([]byte(alias.Slug), m.aliases[alias.Slug]) != replaces {
		return aliasChanged(alias.Slug)
	}
	if at, found := slices.BinarySearch(m.slugs, alias.Slug); !found {
		m.slugs = slices.Insert(m.slugs, at, alias.Slug)
	}
	m.aliases[alias.Slug] = record
	return nil
}

// DeleteAlias forgets the alias whose ETag is given.
func (m *Memory) DeleteAlias(_ context.Context, slug, etag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, found := slices.BinarySearch(m.slugs, slug)
	switch {
	case !found:
		return noAlias(slug)
	case etagIn([]byte(slug), m.aliases[slug]) != etag:
		return aliasChanged(slug)
	}
	m.slugs = slices.Delete(m.slugs, at, at+1)
	delete(m.aliases, slug)
	return nil
}

// ListAliases gives a page of aliases in the order of their slugs.
func (m *Memory) ListAliases(_ context.Context, after string, limit int) ([]broker.Alias, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, found := slices.BinarySearch(m.slugs, after)
	if found {
		at++
	}
	var aliases []broker.Alias
	for _, slug := range m.slugs[at:min(at+max(limit, 0), len(m.slugs))] {
		alias, err := decodeAlias([]byte(slug), m.aliases[slug])
		if err != nil {
			return nil, failed("listing aliases", err)
		}
		aliases = append(aliases, alias)
	}
	return aliases, nil
}
