package broker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestLinksThatCannotBeImported(t *testing.T) {
	now := time.Now()
	tests := []struct {
		claim string
		give  func(*broker.Link)
		code  broker.Code
	}{
		{"one of an unknown app", func(l *broker.Link) { l.Target.App = "wx9" }, broker.UnknownApp},
		{"one with a ? in its path", func(l *broker.Link) { l.Target.Path = "a?b" }, broker.InvalidPath},
		{"one whose key is another target's", func(l *broker.Link) { l.Key = broker.Key{1} }, broker.InvalidArgument},
		{"one on a foreign host", func(l *broker.Link) { l.URL = "https://evil.example/a" }, broker.InvalidArgument},
		{"one without an end", func(l *broker.Link) { l.ExpiresAt = time.Time{} }, broker.InvalidArgument},
		{"one that has ended", func(l *broker.Link) { l.ExpiresAt = now.Add(-time.Hour) }, broker.InvalidExpiry},
		{"one that ended after 30 days, whatever it says", func(l *broker.Link) { l.GeneratedAt = now.Add(-31 * day) }, broker.InvalidExpiry},
		{"one used more often than can be counted", func(l *broker.Link) { l.Uses = 1<<64 - 1 }, broker.InvalidArgument},
		{"one used on days to come", func(l *broker.Link) { l.Recent = usedOn(now.Add(60 * day)) }, broker.InvalidArgument},
		{"one whose days are no counts", func(l *broker.Link) { l.Recent = "\xff" }, broker.InvalidArgument},
		{"one of the future", func(l *broker.Link) { l.GeneratedAt = now.Add(time.Hour) }, broker.InvalidArgument},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			r := newRig(t, &wechat{}, nil)
			link := broker.Link{Target: query("a=1").Target, URL: "https://wxaurl.cn/x", GeneratedAt: now.Add(-day), ExpiresAt: now.Add(day)}
			test.give(&link)
			if outcome, err := r.ImportLink(t.Context(), link, false); !errors.Is(err, test.code) {
				t.Errorf("got %s, %v, want %s", outcome, err, test.code)
			}
		})
	}
}

func TestAnImportNeverMakesThingsWorse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		imported := func(url string, life time.Duration, dry bool) broker.Imported {
			t.Helper()
			link := broker.Link{Target: query("b=2&a=1").Target, URL: url, ExpiresAt: time.Now().Add(life), Uses: 3}
			outcome, err := r.ImportLink(t.Context(), link, dry)
			if err != nil {
				t.Fatal(err)
			}
			return outcome
		}
		if got := imported("https://wxaurl.cn/1", 10*day, true); got != broker.Added {
			t.Errorf("dry: %s", got)
		}
		if got := imported("https://wxaurl.cn/1", 10*day, false); got != broker.Added {
			t.Errorf("after a dry run: %s", got)
		}
		if answer := r.get(t, query("a=1&b=2"), broker.Hit); answer.URL() != "https://wxaurl.cn/1" {
			t.Errorf("answered is %s", answer.URL())
		}
		if got := imported("https://wxaurl.cn/2", 9*day, false); got != broker.Unchanged {
			t.Errorf("one that ends sooner: %s", got)
		}
		if got := imported("https://wxaurl.cn/3", 11*day, false); got != broker.Replaced {
			t.Errorf("one that ends later: %s", got)
		}
		if got := imported("https://wxaurl.cn/3", 11*day, false); got != broker.Unchanged {
			t.Errorf("the same again: %s", got)
		}
		if answer := r.get(t, query("a=1&b=2"), broker.Hit); answer.URL() != "https://wxaurl.cn/3" {
			t.Errorf("answered is %s", answer.URL())
		}
	})
}

func TestAliasesAreImported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		exported := r.put(t, alias("sale", func(a *broker.Alias) { a.Title, a.Tags = "Sale", []string{"b", "a"} }))
		time.Sleep(time.Hour)
		other := newRig(t, &wechat{}, nil)
		imported := func(a broker.Alias, want broker.Imported) {
			t.Helper()
			for _, dry := range []bool{true, false} {
				if got, err := other.ImportAlias(t.Context(), a, dry); err != nil || got != want {
					t.Fatalf("dry %t: %s, %v, want %s", dry, got, err, want)
				}
			}
		}
		imported(exported, broker.Added)
		if got, err := other.Alias(t.Context(), "sale"); err != nil || got.ETag() != exported.ETag() {
			t.Errorf("imported is %+v (%v), exported was %+v", got, err, exported)
		}
		imported(exported, broker.Unchanged)
		imported(alias("sale", func(a *broker.Alias) { a.Title, a.Tags = "Sale", []string{"a", "b"} }), broker.Unchanged)
		imported(alias("sale", func(a *broker.Alias) { a.Title = "Winter" }), broker.Replaced)
		if got, err := other.Alias(t.Context(), "sale"); err != nil || !got.CreatedAt.Equal(exported.CreatedAt) || got.Title != "Winter" {
			t.Errorf("replaced is %+v (%v)", got, err)
		}
		if _, err := other.ImportAlias(t.Context(), alias("API", nil), true); !errors.Is(err, broker.InvalidArgument) {
			t.Errorf("a reserved slug: %v", err)
		}
	})
}

func usedOn(at time.Time) broker.DailyUses {
	return broker.Link{}.Touched(broker.Use{Count: 5, UsedAt: at}).Recent
}

func TestUsesAreImported(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	now := time.Now()
	link := broker.Link{Target: query("a=1").Target, URL: "https://wxaurl.cn/x", ExpiresAt: now.Add(10 * day), Uses: 5, Recent: usedOn(now.Add(-2 * day))}
	if _, err := r.ImportLink(t.Context(), link, false); err != nil {
		t.Fatal(err)
	}
	if got := r.get(t, query("a=1"), broker.Hit).Link; got.Uses != 5 || got.Recent != link.Recent {
		t.Errorf("%d uses, %v", got.Uses, got.Recent.UsesOf(now))
	}
}
