package broker_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"linkbroker/broker"
)

// TestDailyUses counts along with a plain map of days.
func TestDailyUses(t *testing.T) {
	begin := time.Date(2026, 1, 1, 15, 59, 59, 0, time.UTC) // a second before midnight in Shanghai
	link, days := broker.Link{}, map[int64]uint64{}
	dayOf := func(at time.Time) int64 { return at.Add(8*time.Hour).Unix() / 86400 }
	now := begin
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		now = now.Add(time.Duration(random.Int64N(int64(20 * time.Hour))))
		late := now.Add(-time.Duration(random.Int64N(int64(3 * day)))) // uses may come late
		n := random.Uint64N(300)
		link = link.Touched(broker.Use{Count: n, UsedAt: late})
		days[dayOf(late)] += n
		for ago, got := range link.Recent.UsesOf(now) {
			if want := days[dayOf(now)-int64(ago)]; got != want && ago < 26 { // what is late may have been forgotten
				t.Fatalf("%s: %d days ago there were %d uses, want %d", now, ago, got, want)
			}
		}
	}
	if got := link.Recent.UsesOf(now.Add(60 * day)); got != [30]uint64{} {
		t.Errorf("after 60 days there are still %v", got)
	}
}

func TestARenewalKeepsTheHistoryOfALink(t *testing.T) {
	now := time.Now()
	old := broker.Link{GeneratedAt: now.Add(-20 * day), AskedBy: "shop", Rotations: 2}.Touched(broker.Use{Count: 5, UsedAt: now})
	fresh := broker.Link{GeneratedAt: now}.Touched(broker.Use{Count: 1, UsedAt: now}).Replacing(old)
	if fresh.Uses != 6 || fresh.Rotations != 3 || fresh.AskedBy != "shop" || fresh.Recent.UsesOf(now)[0] != 6 {
		t.Errorf("got %+v", fresh)
	}
	if again := fresh.Replacing(fresh); again.Rotations != 3 {
		t.Errorf("the same link stored again counts as %d rotations", again.Rotations)
	}
}

func FuzzDailyUses(f *testing.F) {
	f.Add("", int64(0))
	f.Add("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", int64(1<<40))
	f.Fuzz(func(t *testing.T, stored string, unix int64) {
		now := time.Unix(max(min(unix, 1<<33), 0), 0)
		link := broker.Link{Recent: broker.DailyUses(stored)}
		before := link.Recent.UsesOf(now)[0]
		last := broker.Link{}.Touched(broker.Use{Count: 1, UsedAt: now}).Replacing(link).Touched(broker.Use{Count: 3, UsedAt: now})
		if got := last.Recent.UsesOf(now)[0]; got < 3 && before < 1<<60 && got != 0 {
			t.Errorf("%d uses before, %d after 4 more", before, got)
		}
	})
}
