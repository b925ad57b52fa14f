package cache

import (
	"context"
	"maps"
	"slices"
	"time"

	"linkbroker/broker"
)

// AddStats adds counts.
func (m *Memory) AddStats(_ context.Context, stats []broker.Stat) error {
	for _, stat := range stats {
		if err := storableStat(stat); err != nil {
			return failed("counting", err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, stat := range stats {
		m.addStat(stat)
	}
	return nil
}

func (m *Memory) addStat(stat broker.Stat) {
	s, place := statSeries{stat.Series, stat.Grain}, rangeFor(stat)
	counts := m.stats[s][place.from]
	if counts == nil {
		counts = make(map[string]uint64)
	}
	addCounts(counts, stat.Counts)
	if len(counts) == 0 {
		return
	}
	if m.stats[s] == nil {
		m.stats[s] = make(map[uint64]map[string]uint64)
	}
	m.stats[s][place.from] = counts
}

// Stats gives a stretch of a series.
func (m *Memory) Stats(_ context.Context, series string, grain broker.Grain, from, to time.Time) ([]broker.Stat, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := statSeries{series, grain}
	r := rangeOf(s, from, to)
	var stats []broker.Stat
	for _, second := range slices.Sorted(maps.Keys(m.stats[s])) {
		if second >= r.from && second < r.to {
			stats = append(stats, s.stat(second, maps.Clone(m.stats[s][second])))
		}
	}
	return stats, nil
}

// DeleteStats forgets a series.
func (m *Memory) DeleteStats(_ context.Context, series string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.stats, func(s statSeries, _ map[uint64]map[string]uint64) bool { return s.series == series })
	return nil
}

// PurgeStats deletes hours, whichever come first.
func (m *Memory) PurgeStats(_ context.Context, before time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	purged, end := 0, secondFrom(before)
	for s, counts := range m.stats {
		if s.grain != broker.Hourly {
			continue
		}
		maps.DeleteFunc(counts, func(second uint64, _ map[string]uint64) bool {
			past := second < end && purged < limit
			if past {
				purged++
			}
			return past
		})
		if len(counts) == 0 {
			delete(m.stats, s)
		}
	}
	return purged, nil
}
