package broker_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestPagesOfLinksAreCompleteAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.Rate = 1e6 })
		const n = 120
		for i := range n {
			req := query(fmt.Sprint("n=", i))
			req.Expiry.Days = 1 + i%7
			r.get(t, req, broker.Miss)
			for range i % 5 {
				r.get(t, req, broker.Hit)
			}
			time.Sleep(time.Minute)
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		orders := map[string]func(broker.Link) int64{
			"":          func(broker.Link) int64 { return 0 },
			"key":       func(broker.Link) int64 { return 0 },
			"expires":   func(l broker.Link) int64 { return l.ExpiresAt.Unix() },
			"generated": func(l broker.Link) int64 { return l.GeneratedAt.Unix() },
			"used":      func(l broker.Link) int64 { return l.UsedAt.Unix() },
			"uses":      func(l broker.Link) int64 { return int64(l.Uses) },
		}
		for name, rank := range orders {
			for _, sign := range []string{"", "-"} {
				if name == "" && sign == "-" {
					continue
				}
				links := r.allPages(t, broker.Query{Sort: sign + name, Limit: 7})
				seen := map[broker.Key]bool{}
				for _, l := range links {
					seen[l.Key] = true
				}
				if len(links) != n || len(seen) != n {
					t.Errorf("sort %s%s: %d links, %d different, want %d", sign, name, len(links), len(seen), n)
				}
				sorted := slices.IsSortedFunc(links, func(a, b broker.Link) int {
					c := int(rank(a) - rank(b))
					if c == 0 {
						c = slices.Compare(a.Key[:], b.Key[:])
					}
					if sign == "-" {
						c = -c
					}
					return c
				})
				if !sorted {
					t.Errorf("sort %s%s is not in order", sign, name)
				}
			}
		}
	})
}

// shelf is a store of links that are there all at once: to put so many takes the others too long.
type shelf struct {
	broker.Store

	byEnd, byKey []broker.Link
}

func (s shelf) ExpiringLinks(context.Context, time.Time, time.Time) iter.Seq2[broker.Link, error] {
	return func(yield func(broker.Link, error) bool) {
		for _, link := range s.byEnd {
			if !yield(link, nil) {
				return
			}
		}
	}
}

func (s shelf) ListLinks(_ context.Context, after broker.Key, limit int) ([]broker.Link, error) {
	from, found := slices.BinarySearchFunc(s.byKey, after, func(l broker.Link, key broker.Key) int { return slices.Compare(l.Key[:], key[:]) })
	if found {
		from++
	}
	return s.byKey[from:min(from+limit, len(s.byKey))], nil
}

// TestWhatFewLinksMatchIsFoundInOrder looks for a few that end after more others than are read one by one.
func TestWhatFewLinksMatchIsFoundInOrder(t *testing.T) {
	var s shelf
	now := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	var needles []string
	for i := range 21_000 {
		target := broker.Target{App: appid, Path: "pages/item", Query: fmt.Sprint("n=", i)}
		if i > 20_500 && i%100 == 0 {
			target.Path = "pages/needle"
			needles = append(needles, target.Query)
		}
		s.byEnd = append(s.byEnd, broker.Link{Key: target.Key(), Target: target, ExpiresAt: now.Add(time.Duration(i) * time.Minute)})
	}
	s.byKey = slices.SortedFunc(slices.Values(s.byEnd), func(a, b broker.Link) int { return slices.Compare(a.Key[:], b.Key[:]) })
	r := &rig{Broker: broker.New(s, &wechat{}, broker.Policy{}, func() time.Time { return now })}
	var found []string
	for _, link := range r.allPages(t, broker.Query{Sort: "expires", Text: "needle", Limit: 3}) {
		found = append(found, link.Target.Query)
	}
	if !slices.Equal(found, needles) || len(found) != 4 {
		t.Errorf("found %v, want %v", found, needles)
	}
	if page, err := r.Links(t.Context(), broker.Query{Sort: "expires", Text: "nothing"}); err != nil || len(page.Links) != 0 {
		t.Errorf("%v %v", page, err)
	}
}

func (r *rig) allPages(t *testing.T, q broker.Query) (links []broker.Link) {
	t.Helper()
	for {
		page, err := r.Links(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, page.Links...)
		if page.NextCursor == "" {
			return links
		}
		if len(page.Links) != q.Limit {
			t.Fatalf("a page of %d links is followed by another", len(page.Links))
		}
		q.Cursor = page.NextCursor
	}
}

func TestFiltersOfLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		ask := func(path, q string, env broker.Env, days int) {
			req := broker.Request{Target: broker.Target{App: appid, Path: path, Query: q, Env: env, Expiry: broker.Expiry{Days: days}}}
			r.get(t, req, broker.Miss)
		}
		ask("pages/Shop", "id=1", broker.Release, 0)
		ask("pages/shop", "id=2", broker.Trial, 0)
		ask("pages/cart", "from=SHOP", broker.Release, 2)
		ask("pages/cart", "id=4", broker.Release, 1)
		time.Sleep(25 * time.Hour) // the last one is dead now
		tests := []struct {
			claim string
			query broker.Query
			want  int
		}{
			{"nothing given is all", broker.Query{}, 4},
			{"text is found in path and query without regard to case", broker.Query{Text: "sHoP"}, 3},
			{"text is found in the link", broker.Query{Text: "wxaurl.cn/2"}, 1},
			{"an environment", broker.Query{Env: broker.Trial}, 1},
			{"an app that has none", broker.Query{App: "wxffffffffffffffff"}, 0},
			{"expiring within two days, but not the dead", broker.Query{ExpiringWithin: 2 * day}, 1},
			{"expiring within two days, sorted by uses", broker.Query{ExpiringWithin: 2 * day, Sort: "-uses"}, 1},
			{"expiring within forty days", broker.Query{ExpiringWithin: 40 * day, Sort: "expires"}, 3},
			{"both text and environment", broker.Query{Text: "shop", Env: broker.Release}, 2},
		}
		for _, test := range tests {
			page, err := r.Links(t.Context(), test.query)
			if err != nil || len(page.Links) != test.want {
				t.Errorf("%s: got %d links, want %d (%v)", test.claim, len(page.Links), test.want, err)
			}
		}
		for _, q := range []broker.Query{{Sort: "size"}, {Sort: "--uses"}, {Cursor: "x"}, {Cursor: "!"}} {
			if _, err := r.Links(t.Context(), q); !errors.Is(err, broker.InvalidArgument) {
				t.Errorf("%+v is accepted: %v", q, err)
			}
		}
	})
}
