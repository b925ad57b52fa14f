package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func (r *rig) visit(t *testing.T, slug, cq string) broker.Destination {
	t.Helper()
	d, err := r.Resolve(t.Context(), broker.Visit{Slug: slug, CQ: cq, Visitor: broker.Elsewhere})
	if err != nil {
		t.Fatalf("a visit to %s: %v", slug, err)
	}
	return d
}

func withFallback(a *broker.App) { a.FallbackHosts = []string{"shop.example.com"} }

func TestWhereAnAliasLeads(t *testing.T) {
	const fallback = "https://shop.example.com/gone"
	now := time.Now()
	tests := []struct {
		claim    string
		alias    func(*broker.Alias)
		away     bool
		want     string // of the address
		fellBack error
	}{
		{claim: "to a link", want: "https://wxaurl.cn/"},
		{claim: "to the fallback before it starts", alias: func(a *broker.Alias) { a.StartsAt = now.Add(time.Hour) }, want: fallback, fellBack: broker.NotFound},
		{claim: "to a link once it has started", alias: func(a *broker.Alias) { a.StartsAt = now.Add(-time.Hour) }, want: "https://wxaurl.cn/"},
		{claim: "to the fallback when it has ended", alias: func(a *broker.Alias) { a.EndsAt = now.Add(-time.Hour) }, want: fallback, fellBack: broker.NotFound},
		{claim: "to the fallback while it is disabled", alias: func(a *broker.Alias) { a.Disabled = true }, want: fallback, fellBack: broker.NotFound},
		{claim: "to the fallback when no link lives and WeChat is away", away: true, want: fallback, fellBack: broker.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			w := &wechat{}
			if test.away {
				w.answer = func(int, broker.Target) error { return says(broker.Unavailable, -1) }
			}
			r := newRig(t, w, withFallback)
			a := alias("sale", test.alias)
			a.FallbackURL = fallback
			r.put(t, a)
			d := r.visit(t, "Sale", "")
			if !strings.HasPrefix(d.URL, test.want) || !errors.Is(d.Instead, test.fellBack) {
				t.Errorf("it leads to %s (%v)", d.URL, d.Instead)
			}
			a.FallbackURL = ""
			r.put(t, a)
			if _, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale"}); !errors.Is(err, test.fellBack) {
				t.Errorf("without a fallback: %v", err)
			}
		})
	}
}

func TestAClosedAliasIsToldLikeAnUnknownOne(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	r.put(t, alias("closed", func(a *broker.Alias) { a.Disabled = true }))
	r.put(t, alias("over", func(a *broker.Alias) { a.EndsAt = time.Unix(1, 0) }))
	want := ""
	for _, slug := range []string{"unknown", "closed", "over", "", "../etc", "a b", strings.Repeat("a", 1000), "\x00", "促销"} {
		_, err := r.Resolve(t.Context(), broker.Visit{Slug: slug, Visitor: broker.InWeChat})
		if !errors.Is(err, broker.NotFound) {
			t.Fatalf("%.20q: %v", slug, err)
		}
		if want == "" {
			want = err.Error()
		}
		if err.Error() != want {
			t.Errorf("%.20q is told %q, another one %q", slug, err, want)
		}
	}
}

func TestRedirectsStayOnTheHostList(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	stored := r.put(t, alias("sale", nil))
	link := r.visit(t, "sale", "").Answer.Link
	for _, url := range []string{
		"https://evil.example/", "http://wxaurl.cn/a", "https://wxaurl.cn@evil.example/", "//evil.example/", "javascript:alert(1)",
		"https://wxaurl.cn.evil.example/", "https://wxaurl.cn:8443/a",
	} {
		link.URL = url
		if err := r.store.PutLink(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		for _, peek := range []bool{true, false} {
			if d, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Peek: peek}); err == nil {
				t.Errorf("a stored %q is handed out as %q", url, d.URL)
			}
		}
	}
	stored.FallbackURL = "https://evil.example/"
	if err := r.store.PutAlias(t.Context(), stored, alias("sale", func(a *broker.Alias) { *a = stored; a.FallbackURL = "" }).ETag()); err != nil {
		t.Fatal(err)
	}
	if d, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale"}); err == nil {
		t.Errorf("a stored fallback on another host is handed out: %q", d.URL)
	}
}

func TestPeekingHasNoSideEffects(t *testing.T) {
	w := &wechat{}
	r := newRig(t, w, nil)
	r.put(t, alias("sale", nil))
	peek := func() broker.Destination {
		d, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.OnIOS, Peek: true})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := peek(); d.URL != "" || w.called() != 0 {
		t.Fatalf("a look at an alias without a link gives %q after %d calls", d.URL, w.called())
	}
	visited := r.visit(t, "sale", "")
	for range 5 {
		if d := peek(); d.URL != visited.URL {
			t.Errorf("a look gives %q, a visit %q", d.URL, visited.URL)
		}
	}
	r.visit(t, "sale", "")
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if link, err := r.Link(t.Context(), visited.Answer.Link.Key); err != nil || link.Uses != 2 {
		t.Errorf("%d uses are counted, want those of the two visits (%v)", link.Uses, err)
	}
}

func TestAVisitLimitHoldsUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Millisecond}, nil)
		r.put(t, alias("sale", func(a *broker.Alias) { a.VisitLimit = 100 }))
		var led atomic.Int64
		for range 5 {
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					switch _, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.InWeChat}); {
					case err == nil:
						led.Add(1)
					case !errors.Is(err, broker.NotFound):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if _, err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if led.Load() != 100 {
			t.Errorf("%d visitors were led on, want 100", led.Load())
		}
	})
}

func TestWhatAVisitorBringsIsSplicedOn(t *testing.T) {
	tests := []struct {
		claim  string
		target func(*broker.Target)
		cq     string
		want   string // behind the link
	}{
		{"onto a page without a query", nil, "table=5&x=%20", "?cq=table%3D5%26x%3D%2520"},
		{"a + stays a +", nil, "a=+", "?cq=a%3D%2B"},
		{"in the form that a query has", nil, "?b=2&&a=1&", "?cq=a%3D1%26b%3D2"},
		{"256 characters of that form", nil, "?" + strings.Repeat("a", 256), "?cq=" + strings.Repeat("a", 256)},
		{"256 characters", nil, strings.Repeat("a", 256), "?cq=" + strings.Repeat("a", 256)},
		{"but not 257", nil, strings.Repeat("a", 257), ""},
		{"but nothing outside WeChat's alphabet", nil, "a=桌", ""},
		{"but not beside a query of the target", func(t *broker.Target) { t.Query = "a=1" }, "table=5", ""},
		{"but not onto a link with cloud_base", func(t *broker.Target) { t.CloudBase = &broker.CloudBase{Env: "e"} }, "table=5", ""},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			r := newRig(t, &wechat{}, nil)
			r.put(t, alias("sale", func(a *broker.Alias) {
				if test.target != nil {
					test.target(&a.Target)
				}
			}))
			d := r.visit(t, "sale", test.cq)
			if d.URL != d.Answer.Link.URL+test.want || (d.Unspliced == "") != (test.want != "") {
				t.Errorf("it leads to %s (%q)", d.URL, d.Unspliced)
			}
		})
	}
}

// TestVisitorsNeverMakeGenerations: a visitor chooses cq freely, so it must never lead to a link of its own.
func TestVisitorsNeverMakeGenerations(t *testing.T) {
	w := &wechat{}
	r := newRig(t, w, func(a *broker.App) { a.Splice = true })
	r.put(t, alias("plain", nil))
	r.put(t, alias("queried", func(a *broker.Alias) { a.Target.Query = "a=1"; a.Target.Path = "pages/other" }))
	for i := range 50 {
		r.visit(t, "plain", fmt.Sprint("n=", i))
		r.visit(t, "queried", strings.Repeat("n", 200+i*4))
	}
	if w.called() != 2 {
		t.Errorf("%d generations for two aliases", w.called())
	}
}

// TestFourHundredDays lives through four hundred days of an alias: it always leads to a link that is alive at that
// moment, also while WeChat is down for three days, and costs a generation in 20 days or more.
func TestFourHundredDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 50 * time.Millisecond}
		r := newRig(t, w, nil)
		begin := time.Now()
		w.answer = func(int, broker.Target) error {
			if day := time.Since(begin) / day; day >= 199 && day < 202 {
				return errAway
			}
			return nil
		}
		r.put(t, alias("printed", nil))
		r.put(t, alias("idle", func(a *broker.Alias) { a.Target.Path = "pages/idle" }))
		waited := 0
		for hour := range 400 * 24 {
			time.Sleep(time.Hour)
			r.upkeep(t)
			if hour%5 == 0 {
				called := w.called()
				d := r.visit(t, "printed", "")
				if d.Instead != nil || !d.Answer.Link.Outlives(time.Now()) {
					t.Fatalf("hour %d: it leads to %+v", hour, d)
				}
				waited += w.called() - called
			}
		}
		if d := r.visit(t, "idle", ""); d.Answer.Outcome != broker.Hit {
			t.Errorf("the first visitor after 400 days has a %s", d.Answer.Outcome)
		}
		for _, path := range []string{"pages/sale", "pages/idle"} {
			key := normalizedKey(t, broker.Request{Target: broker.Target{App: appid, Path: path}})
			if n := w.generated(key); n < 400/24 || n > 400/20+1 {
				t.Errorf("%s was generated %d times in 400 days, want one in 20 to 24 days", path, n)
			}
		}
		if waited != 0 {
			t.Errorf("visitors waited for %d generations, want pre-warming to be first", waited)
		}
		r.checkVisits(t, "printed", 400*24/5)
	})
}

// checkVisits sees that all visits are counted, and that the hours are kept for 90 days.
func (r *rig) checkVisits(t *testing.T, slug string, want uint64) {
	t.Helper()
	sum := func(grain broker.Grain) (n uint64, stretches int) {
		stats, err := r.Visits(t.Context(), slug, grain, time.Unix(0, 0), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stats {
			n += s.Counts[string(broker.Elsewhere)]
		}
		return n, len(stats)
	}
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := sum(broker.Total); n != want {
		t.Errorf("%d visits in all, want %d", n, want)
	}
	if n, days := sum(broker.Daily); n != want || days < 400 || days > 402 {
		t.Errorf("%d visits on %d days, want %d", n, days, want)
	}
	if n, hours := sum(broker.Hourly); hours < 90*24/5-1 || hours > 90*24/5+2 || int(n) != hours {
		t.Errorf("%d visits in %d hours are kept, want those of 90 days", n, hours)
	}
}

// TestAnAppThatStopsSharing: each visitor to an alias from before would have a link generated.
func TestAnAppThatStopsSharing(t *testing.T) {
	w := &wechat{}
	before := newRig(t, w, nil)
	before.put(t, alias("sale", nil))
	r := rigOver(before.store, w, func(a *broker.App) { a.NeverShare = true })
	for _, peek := range []bool{false, true} {
		if d, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.InWeChat, Peek: peek}); !errors.Is(err, broker.NotFound) {
			t.Errorf("a visitor is led to %q, %v", d.URL, err)
		}
	}
	if _, err := r.Prewarm(t.Context()); err != nil || w.called() != 0 {
		t.Errorf("%d generations, %v", w.called(), err)
	}
}
