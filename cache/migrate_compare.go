package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Tally is what a store keeps of a kind.
type Tally struct {
	Records  int    // that are sound, and have not ended
	Checksum uint64 // over them, whatever their order
	Ended    int    // links
	Damaged  int    // records that cannot be read
}

// Compared is what two stores keep of a kind.
type Compared struct {
	Kind           Kind
	Source, Target Tally
}

// Equal reports whether the target keeps what the source does. Of what is damaged in the source only the ledger's is moved.
func (c Compared) Equal() bool {
	damaged := 0
	if c.Kind == kindLedger {
		damaged = c.Source.Damaged
	}
	return c.Source.Records == c.Target.Records && c.Source.Checksum == c.Target.Checksum && c.Target.Damaged == damaged
}

// Comparison is what two stores keep, kind by kind.
type Comparison []Compared

// Equal reports whether the target keeps all that the source does, and nothing else.
func (c Comparison) Equal() bool {
	return !slices.ContainsFunc(c, func(kind Compared) bool { return !kind.Equal() })
}

// Compare reads both stores whole. It sees both at the same moment: a link that ends after one is read and before the other is
// makes no difference.
func (m *Migration) Compare(ctx context.Context) (Comparison, error) {
	return m.look(ctx, "comparing", m.from, m.to)
}

// Count says what there is in the source to be moved.
func (m *Migration) Count(ctx context.Context) (Comparison, error) {
	return m.look(ctx, "counting", m.from)
}

// look reads the source, and the target if it is given too.
func (m *Migration) look(ctx context.Context, doing string, stores ...movable) (Comparison, error) {
	total, err := m.total(ctx, stores...)
	if err != nil {
		return nil, err
	}
	now, seen := m.clock(), 0
	comparison := make(Comparison, len(kinds))
	for i, kind := range kinds {
		comparison[i].Kind = kind
		tallies := [...]*Tally{&comparison[i].Source, &comparison[i].Target}
		for n, store := range stores {
			err := m.tally(ctx, store, kind, now, tallies[n], func(page int) {
				seen += page
				m.progress(Progress{doing, seen, total})
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return comparison, nil
}

func (m *Migration) tally(ctx context.Context, store movable, kind Kind, now time.Time, t *Tally, seen func(page int)) error {
	for place, more := []byte(nil), true; more; more = place != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, next, err := store.records(ctx, kind, place, m.bite)
		if err != nil {
			return fmt.Errorf("reading %s: %w", kind, err)
		}
		for _, r := range page {
			if err := t.add(kind, r, now); err != nil {
				m.log.Error("damaged record", "kind", string(kind), "key", nameOf(kind, r.key), "error", err)
			}
		}
		seen(len(page))
		place = next
	}
	return nil
}

// add counts a record. The sum of the fingerprints has no order, and unlike their XOR it sees what is there twice.
func (t *Tally) add(kind Kind, r record, now time.Time) error {
	value, end, err := canonical(kind, r)
	switch {
	case err != nil:
		t.Damaged++
		return err
	case ended(end, now):
		t.Ended++
	default:
		t.Records++
		hash := sha256.New()
		_, _ = hash.Write(r.key) // never fails
		_, _ = hash.Write(value)
		t.Checksum += binary.BigEndian.Uint64(hash.Sum(nil))
	}
	return nil
}

// ended reports whether what ends, if it does, has ended.
func ended(end, now time.Time) bool { return !end.IsZero() && !end.After(now) }

// nameOf writes a key as people know it.
func nameOf(kind Kind, key []byte) string {
	switch kind {
	case kindLinks, kindAudit:
		return hex.EncodeToString(key)
	default:
		return strings.ReplaceAll(string(key), "\x00", " ")
	}
}
