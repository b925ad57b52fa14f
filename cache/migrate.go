package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"linkbroker/broker"
)

// movable is a store whose records can be read and put as they are. In each store a thing has the same key and the same
// record, wherever and in however many pieces the store keeps it: so whatever moves and compares them is the same for all.
type movable interface {
	// records gives about so many records of a kind, damaged ones among them, and the place to go on from. The place nil is
	// the beginning, and the end.
	records(ctx context.Context, kind Kind, place []byte, about int) (page []record, next []byte, err error)

	// putRecords stores records in place of what is under their keys, has links found by whatever else they are found by, and
	// then leaves a mark; nil takes it away.
	putRecords(ctx context.Context, kind Kind, page []record, mark []byte) error

	// mark is what the last putRecords left; nil = nothing.
	mark(ctx context.Context) ([]byte, error)

	// count says about how many records of a kind there are, without looking at them.
	count(ctx context.Context, kind Kind) (int, error)

	// identity tells a store from others. Where that can be had it also tells it from what it was before a change.
	identity(ctx context.Context) (string, error)

	Close() error
}

// Kind is of what a store keeps records.
type Kind string

// The kinds, whose names are those of a file's buckets.
const (
	kindLinks   Kind = "links"
	kindAliases Kind = "aliases"
	kindClients Kind = "clients"
	kindStats   Kind = "stats"
	kindAudit   Kind = "audit"
	kindBlobs   Kind = "blobs"
	kindLedger  Kind = "ledger"
)

// kinds are all there are, in the order in which they are moved.
var kinds = []Kind{kindLinks, kindAliases, kindClients, kindStats, kindAudit, kindBlobs, kindLedger}

// moveBite is about how many records are moved at once. Links come in the order of their keys and so change pages all over
// a file's indexes: the fewer bites, the less often each page is written.
const moveBite = 32 << 10

// Migration moves all that one store keeps into another, which no broker may use until it has ended.
type Migration struct {
	from, to movable
	clock    broker.Clock
	log      *slog.Logger
	progress func(Progress)
	bite     int // moveBite
}

// Progress is how far a migration has come.
type Progress struct {
	Doing       string // moving, comparing
	Done, Total int    // records; the total is an estimate
}

// moved is the mark in a store that is being filled.
type moved struct {
	Source string `json:"source"` // its identity
	Kind   Kind   `json:"kind"`   // that is being moved; empty = all are
	Place  []byte `json:"place"`  // in the source, up to which it is
	Done   int    `json:"done"`   // records, for the progress
}

// advance goes on to a place, or to the next kind.
func (m *moved) advance(place []byte) {
	if m.Place = place; place != nil {
		return
	}
	next := slices.Index(kinds, m.Kind) + 1
	if m.Kind = ""; next < len(kinds) {
		m.Kind = kinds[next]
	}
}

func (m *moved) bytes() []byte {
	text, _ := json.Marshal(m) //nolint:errchkjson // plain fields
	return text
}

// Move moves what has not been moved, reads both stores again and compares them. What is damaged or has ended is left out.
// When it was interrupted, even by a crash, it goes on where it was. Where the stores differ, it begins anew when it is called
// again.
func (m *Migration) Move(ctx context.Context) (Comparison, error) {
	state, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.move(ctx, state); err != nil {
		return nil, err
	}
	compared, err := m.Compare(ctx)
	if err != nil {
		return nil, err
	}
	var mark []byte
	if !compared.Equal() {
		mark = (&moved{Source: state.Source, Kind: kinds[0]}).bytes()
	}
	return compared, m.to.putRecords(ctx, kindLinks, nil, mark)
}

// begin finds out where to begin.
func (m *Migration) begin(ctx context.Context) (*moved, error) {
	source, err := m.from.identity(ctx)
	if err != nil {
		return nil, err
	}
	mark, err := m.to.mark(ctx)
	if err != nil {
		return nil, err
	}
	if mark == nil {
		state := &moved{Source: source, Kind: kinds[0]}
		if err := m.empty(ctx); err != nil {
			return nil, err
		}
		return state, m.to.putRecords(ctx, kindLinks, nil, state.bytes()) // before a broker could open it and begin to fill it
	}
	state := new(moved)
	switch err := json.Unmarshal(mark, state); {
	case err != nil, state.Kind != "" && !slices.Contains(kinds, state.Kind):
		return nil, fmt.Errorf("%w: what an earlier migration left in it cannot be read", ErrNotEmpty)
	case state.Source != source:
		return nil, fmt.Errorf("%w: it holds the beginning of a migration out of another store, or out of this one before it was changed", ErrNotEmpty)
	}
	return state, nil
}

// empty fails if the target keeps anything.
func (m *Migration) empty(ctx context.Context) error {
	for _, kind := range kinds {
		n, err := m.to.count(ctx, kind)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: it keeps %s, which no migration has put there", ErrNotEmpty, kind)
		}
	}
	return nil
}

func (m *Migration) move(ctx context.Context, state *moved) error {
	total, err := m.total(ctx, m.from)
	if err != nil {
		return err
	}
	for state.Kind != "" {
		m.progress(Progress{"moving", state.Done, total})
		if err := ctx.Err(); err != nil {
			return err
		}
		kind := state.Kind
		page, next, err := m.from.records(ctx, kind, state.Place, m.bite)
		if err != nil {
			return fmt.Errorf("reading %s: %w", kind, err)
		}
		state.Done += len(page)
		state.advance(next)
		if err := m.to.putRecords(ctx, kind, m.sound(kind, page), state.bytes()); err != nil {
			return fmt.Errorf("writing %s: %w", kind, err)
		}
	}
	return nil
}

// sound leaves out what is not moved. A count of the ledger is no less there for being damaged: without it nothing would
// count as spent.
func (m *Migration) sound(kind Kind, page []record) []record {
	now := m.clock()
	return slices.DeleteFunc(page, func(r record) bool {
		_, end, err := canonical(kind, r)
		return err != nil && kind != kindLedger || ended(end, now)
	})
}

func (m *Migration) total(ctx context.Context, stores ...movable) (total int, err error) {
	for _, store := range stores {
		for _, kind := range kinds {
			n, err := store.count(ctx, kind)
			if err != nil {
				return 0, err
			}
			total += n
		}
	}
	return total, nil
}

// Close closes both stores.
func (m *Migration) Close() error {
	err := m.from.Close()
	if m.to != nil {
		err = errors.Join(err, m.to.Close())
	}
	return err
}
