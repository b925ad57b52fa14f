package broker_test

import (
	"errors"
	"testing"
	"time"

	"linkbroker/broker"
)

func TestParseExpiry(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		claim                      string
		expireType, interval, time *int64
		want                       broker.Expiry
		fails                      bool
	}{
		{claim: "nothing asked is the living link"},
		{claim: "type 0 alone is the living link", expireType: n(0)},
		{claim: "type 1 with an interval is a number of days", expireType: n(1), interval: n(7), want: broker.Expiry{Days: 7}},
		{claim: "an interval without a type is type 1", interval: n(7), want: broker.Expiry{Days: 7}},
		{claim: "an interval of type 0 without a time is a number of days", expireType: n(0), interval: n(7), want: broker.Expiry{Days: 7}},
		{claim: "a time without a type is type 0", time: n(at.Unix()), want: broker.Expiry{At: at}},
		{claim: "type 0 with a time is a moment", expireType: n(0), time: n(at.Unix()), interval: n(7), want: broker.Expiry{At: at}},
		{claim: "type 1 ignores the time", expireType: n(1), interval: n(7), time: n(at.Unix()), want: broker.Expiry{Days: 7}},
		{claim: "an interval beyond any integer is just long", interval: n(1 << 62), want: broker.Expiry{Days: 1 << 16}},
		{claim: "a time beyond any year is just far away", time: n(1<<63 - 1), want: broker.Expiry{At: time.Unix(1<<53, 0).UTC()}},
		{claim: "a time before 1970 is the beginning", time: n(-1 << 63), want: broker.Expiry{At: time.Unix(0, 0).UTC()}},
		{claim: "type 1 without an interval fails", expireType: n(1), fails: true},
		{claim: "an interval of 0 fails", interval: n(0), fails: true},
		{claim: "a negative interval fails", expireType: n(1), interval: n(-3), fails: true},
		{claim: "type 2 fails", expireType: n(2), interval: n(3), fails: true},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			got, err := broker.ParseExpiry(test.expireType, test.interval, test.time)
			if test.fails {
				if !errors.Is(err, broker.InvalidExpiry) {
					t.Fatalf("got %v, %v, want an error of code %s", got, err, broker.InvalidExpiry)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestRenewalIsSpreadOverTheFirstHalfOfItsWindow(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	first, last := 30*day, time.Duration(0)
	for i := range 1000 {
		link := broker.Link{Key: broker.Key{byte(i), byte(i >> 8)}, GeneratedAt: start, ExpiresAt: start.Add(30 * day)}
		age := time.Duration(0)
		for !link.DueForRenewal(start.Add(age)) {
			age += time.Hour
		}
		first, last = min(first, age), max(last, age)
	}
	if first < 20*day || first > 20*day+12*time.Hour {
		t.Errorf("the first renewal is due after %s, want soon after 20 days", first)
	}
	if last > 23*day+13*time.Hour || last < 23*day {
		t.Errorf("the last renewal is due after %s, want shortly before 23.5 days: callers wait from 27 days", last)
	}
}

func TestALinkIsInDemandWhileItsLastUseIsRecent(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	tests := []struct {
		claim  string
		life   time.Duration
		unused time.Duration
		never  bool
		pinned bool
		want   bool
	}{
		{claim: "six days ago, of thirty", life: 30 * day, unused: 6 * day, want: true},
		{claim: "eight days ago, of thirty", life: 30 * day, unused: 8 * day},
		{claim: "one day ago, of six", life: 6 * day, unused: day, want: true},
		{claim: "three days ago, of six", life: 6 * day, unused: 3 * day},
		{claim: "never", life: 30 * day, never: true},
		{claim: "never, but pinned", life: 30 * day, never: true, pinned: true, want: true},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			now := start.Add(test.life * 2 / 3)
			link := broker.Link{GeneratedAt: start, ExpiresAt: start.Add(test.life), UsedAt: now.Add(-test.unused), Pinned: test.pinned}
			if test.never {
				link.UsedAt = time.Time{}
			}
			if got := link.InDemand(now); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
