package broker

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"strings"
	"time"
)

// Query selects links for an administrator.
type Query struct {
	Text           string // found in path, query or URL, without regard to case
	App            string
	Kind           Kind
	Env            Env
	AskedBy        string        // the client that asked first
	State          State         // alive, dead, pinned; empty = any
	ExpiringWithin time.Duration // alive now, and not for longer; 0 = any
	Sort           string        // key (default), expires, uses, used, generated; a leading - turns it round
	Limit          int           // 1 to 500; 50
	Cursor         string        // Page.NextCursor of the page before
}

// State is how a link stands.
type State string

// The states that can be asked for.
const (
	Alive  State = "alive"
	Dead   State = "dead"
	Pinned State = "pinned"
)

func (s State) fits(l Link, now time.Time) bool {
	switch s {
	case Alive:
		return l.Outlives(now)
	case Dead:
		return !l.Outlives(now)
	case Pinned:
		return l.Pinned
	default:
		return true
	}
}

// Page is one page of links.
type Page struct {
	Links      []Link
	NextCursor string // empty on the last page
}

const (
	defaultLimit = 50
	maxLimit     = 500
	scanPage     = 1000
)

// order is a way to sort links: by a number of theirs, and by key among equals.
type order struct {
	rank       func(Link) int64
	descending bool
}

var ranks = map[string]func(Link) int64{
	"":          func(Link) int64 { return 0 },
	"key":       func(Link) int64 { return 0 },
	"expires":   func(l Link) int64 { return l.ExpiresAt.Unix() },
	"generated": func(l Link) int64 { return l.GeneratedAt.UnixMilli() },
	"used":      func(l Link) int64 { return max(l.UsedAt.UnixMilli(), 0) },
	"uses":      func(l Link) int64 { return int64(min(l.Uses, 1<<62)) },
}

// position is where a page ended.
type position struct {
	rank int64
	key  Key
}

func (o order) position(l Link) position { return position{rank: o.rank(l), key: l.Key} }

func (o order) compare(a, b position) int {
	c := cmp.Or(cmp.Compare(a.rank, b.rank), slices.Compare(a.key[:], b.key[:]))
	if o.descending {
		return -c
	}
	return c
}

// Links gives a page of the stored links. Sorted by key it reads no more than it needs, and by expires where much of what
// it reads matches; else it reads all links, in constant memory.
func (b *Broker) Links(ctx context.Context, q Query) (Page, error) {
	o, err := q.order()
	if err != nil {
		return Page{}, err
	}
	after, err := q.after()
	if err != nil {
		return Page{}, err
	}
	p := picker{query: q, order: o, after: after, limit: min(cmp.Or(max(q.Limit, 0), defaultLimit), maxLimit), now: b.clock()}
	links, sorted := b.walk(ctx, q, o, after)
	most := math.MaxInt
	if q.Sort == "expires" && q.ExpiringWithin == 0 {
		most = mostByEnd
	}
	whole, err := p.pick(links, sorted, most)
	if err == nil && !whole {
		_, err = p.pick(b.allLinks(ctx, Key{}), false, math.MaxInt)
	}
	if err != nil {
		return Page{}, err
	}
	return p.page(), nil
}

// mostByEnd is how many links are read in the order of their ends. Each lies elsewhere: where few match, all links are
// read several times faster as they lie.
const mostByEnd = 20_000

// picker picks the first links of a page among those that it is shown.
type picker struct {
	query Query
	order order
	after *position
	limit int
	now   time.Time

	best []Link // in their order, and one more than the page takes
}

// pick looks at so many links, and reports whether it has found what there is to find.
func (p *picker) pick(links iter.Seq2[Link, error], sorted bool, most int) (whole bool, err error) {
	p.best = make([]Link, 0, p.limit+2)
	for link, err := range links {
		if err != nil {
			return false, err
		}
		if most--; most < 0 {
			return false, nil
		}
		at := p.order.position(link)
		if p.after != nil && p.order.compare(at, *p.after) <= 0 || !p.query.matches(link, p.now) {
			continue
		}
		i, _ := slices.BinarySearchFunc(p.best, at, func(l Link, at position) int { return p.order.compare(p.order.position(l), at) })
		if i > p.limit {
			continue
		}
		p.best = slices.Insert(p.best, i, link)
		p.best = p.best[:min(len(p.best), p.limit+1)]
		if sorted && len(p.best) > p.limit {
			break
		}
	}
	return true, nil
}

func (p *picker) page() Page {
	if len(p.best) <= p.limit {
		return Page{Links: p.best}
	}
	return Page{Links: p.best[:p.limit], NextCursor: p.order.position(p.best[p.limit-1]).cursor()}
}

// walk gives the links among which the page is, from where it may begin, and whether they come in its order.
func (b *Broker) walk(ctx context.Context, q Query, o order, after *position) (links iter.Seq2[Link, error], sorted bool) {
	from, to := time.Unix(0, 0), never.Add(day)
	if q.ExpiringWithin > 0 {
		from, to = b.clock(), b.clock().Add(q.ExpiringWithin+time.Second)
	}
	switch {
	case q.Sort == "expires":
		if after != nil && after.rank > from.Unix() {
			from = time.Unix(after.rank, 0)
		}
		return b.store.ExpiringLinks(ctx, from, to), true
	case q.ExpiringWithin > 0:
		return b.store.ExpiringLinks(ctx, from, to), false
	case (q.Sort == "" || q.Sort == "key") && !o.descending:
		start := Key{}
		if after != nil {
			start = after.key
		}
		return b.allLinks(ctx, start), true
	default:
		return b.allLinks(ctx, Key{}), false
	}
}

// allLinks walks all links in the order of their keys, page by page.
func (b *Broker) allLinks(ctx context.Context, after Key) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		for {
			page, err := b.store.ListLinks(ctx, after, scanPage)
			if err != nil {
				yield(Link{}, err)
				return
			}
			for _, link := range page {
				if !yield(link, nil) {
					return
				}
			}
			if len(page) < scanPage {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}

func (q Query) matches(l Link, now time.Time) bool {
	switch {
	case q.App != "" && l.Target.App != q.App,
		q.Kind != "" && l.Target.Kind != q.Kind,
		q.Env != "" && l.Target.Env != q.Env,
		q.AskedBy != "" && l.AskedBy != q.AskedBy,
		!q.State.fits(l, now),
		q.ExpiringWithin > 0 && (!l.Outlives(now) || l.Outlives(now.Add(q.ExpiringWithin))):
		return false
	default:
		return q.Text == "" || q.finds(l)
	}
}

func (q Query) finds(l Link) bool {
	text := strings.ToLower(q.Text)
	return strings.Contains(strings.ToLower(l.Target.Path), text) ||
		strings.Contains(strings.ToLower(l.Target.Query), text) || strings.Contains(strings.ToLower(l.URL), text)
}

func (q Query) order() (order, error) {
	if q.State != "" && q.State != Alive && q.State != Dead && q.State != Pinned {
		return order{}, Errorf(InvalidArgument, "state %q is not one of alive, dead, pinned", q.State)
	}
	name, descending := strings.CutPrefix(q.Sort, "-")
	rank, ok := ranks[name]
	if !ok {
		return order{}, Errorf(InvalidArgument, "sort %q is not one of key, expires, generated, used, uses, with - before it to turn it round", q.Sort)
	}
	return order{rank: rank, descending: descending}, nil
}

// after reads the cursor: where the page before ended.
func (q Query) after() (*position, error) {
	if q.Cursor == "" {
		return nil, nil //nolint:nilnil // no cursor is a valid cursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil || len(raw) != 8+len(Key{}) {
		return nil, Errorf(InvalidArgument, "cursor is not one that a page gave")
	}
	return &position{rank: int64(binary.BigEndian.Uint64(raw)), key: Key(raw[8:])}, nil //nolint:gosec // the bits of cursor
}

func (p position) cursor() string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.rank)) //nolint:gosec // read back by after
	return base64.RawURLEncoding.EncodeToString(append(raw, p.key[:]...))
}
