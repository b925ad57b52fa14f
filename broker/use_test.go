package broker_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"linkbroker/broker"
)

// TestUsesOfManyLinksTakeTurns counts uses of more links than a flush writes.
func TestUsesOfManyLinksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const links = 12_000
		r := newRig(t, &wechat{}, func(a *broker.App) { a.Rate, a.DailyQuota = 1e9, 1<<40 })
		for i := range links {
			r.get(t, query(fmt.Sprintf("id=%d", i)), broker.Miss)
		}
		flush := func() int {
			counts, err := r.Flush(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return counts["touched"]
		}
		first, second := flush(), flush()
		if first < 5000 || first > 6000 || second < 5000 || second > 6000 {
			t.Errorf("%d and %d uses were written, want some 5,000 each time", first, second)
		}
		r.get(t, query("id=0"), broker.Hit)
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rest := flush(); rest != 0 {
			t.Errorf("%d uses were left behind at the end", rest)
		}
		uses := uint64(0)
		page, err := r.store.ListLinks(t.Context(), broker.Key{}, links)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range page {
			uses += link.Uses
		}
		if uses != links+1 {
			t.Errorf("%d uses are stored, want %d", uses, links+1)
		}
	})
}
