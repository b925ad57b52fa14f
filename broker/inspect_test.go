package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

// askable is a WeChat that can be asked about links.
type askable struct {
	*wechat

	ask   func(link string) (broker.Inspected, error)
	fails error // for those who ask about visits

	mu      sync.Mutex
	asked   []string
	visited int
	at      []time.Time
}

func (a *askable) Inspect(_ context.Context, _ string, _ broker.Kind, link string) (broker.Inspected, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, link)
	a.at = append(a.at, time.Now())
	return a.ask(link)
}

func (a *askable) Openings(context.Context, string) (int64, error) {
	time.Sleep(100 * time.Millisecond) // in a synctest bubble
	a.mu.Lock()
	defer a.mu.Unlock()
	a.visited++
	return 6_000_000 - int64(a.visited), a.fails
}

func (a *askable) seen() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

func askableRig(t *testing.T, a *askable, change func(*broker.App)) *rig {
	t.Helper()
	r := newRig(t, a.wechat, change)
	app := broker.App{ID: appid}
	if change != nil {
		change(&app)
	}
	r.Broker = broker.New(r.store, a, broker.Policy{Apps: []broker.App{app}, Observe: r.events.add}, time.Now)
	return r
}

func endsAt(t time.Time) func(string) (broker.Inspected, error) {
	return func(string) (broker.Inspected, error) {
		return broker.Inspected{ExpiresAt: t, Answer: json.RawMessage(`{"errcode":0}`)}, nil
	}
}

var errUnknownLink = func() error {
	err := broker.Errorf(broker.NotFound, "no such link")
	err.ErrCode, err.Unspent = 85403, true
	return err
}()

func unknown(string) (broker.Inspected, error) { return broker.Inspected{}, errUnknownLink }

func TestALinkOfOursIsAnsweredWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: endsAt(time.Now())}
		r := askableRig(t, a, nil)
		ours := r.get(t, ofKind(broker.URLLink, 1), broker.Miss).Link
		scheme := r.get(t, ofKind(broker.Scheme, 1), broker.Miss).Link
		for claim, test := range map[string]struct {
			kind    broker.Kind
			url     string
			spliced string
			found   broker.Key // zero = WeChat is asked
		}{
			"a URL Link":                         {broker.URLLink, ours.URL, "", ours.Key},
			"a scheme":                           {broker.Scheme, scheme.URL, "", scheme.Key},
			"one with a query joined to it":      {broker.URLLink, ours.URL + "?cq=a%3D%2B1", "a=+1", ours.Key},
			"a scheme with a query joined to it": {broker.Scheme, scheme.URL + "&cq=b", "b", scheme.Key},
			"another's":                          {kind: broker.URLLink, url: "https://wxaurl.cn/other"},
			"one that only begins like it":       {kind: broker.URLLink, url: ours.URL + "?x=1"},
			"what is joined is no query":         {kind: broker.URLLink, url: ours.URL + "?cq=%zz"},
			"a scheme said to be a URL Link":     {kind: broker.URLLink, url: scheme.URL},
		} {
			before := a.seen()
			found, err := r.Inspect(t.Context(), broker.Question{App: appid, Kind: test.kind, URL: test.url})
			if err != nil || found.Link.Key != test.found || found.Spliced != test.spliced {
				t.Errorf("%s: got %+v, %v", claim, found, err)
			}
			if asked := a.seen() > before; asked != (test.found == broker.Key{}) || asked != (found.Inspected != nil) {
				t.Errorf("%s: WeChat was asked: %v", claim, asked)
			}
		}
		if found, _ := r.Inspect(t.Context(), broker.Question{App: appid, Kind: broker.URLLink, URL: ours.URL}); !found.EndsAt().Equal(ours.GeneratedAt.Add(30 * day)) {
			t.Errorf("it ends at %s for WeChat", found.EndsAt())
		}
		r.inspectFails(t, broker.Question{App: appid, Kind: broker.URLLink, URL: "https://wxaurl.cn/other", OnlyIfStored: true}, broker.NotCached)
		r.inspectFails(t, broker.Question{App: "wxnone", Kind: broker.URLLink, URL: ours.URL}, broker.UnknownApp)
		r.inspectFails(t, broker.Question{App: appid, Kind: broker.URLLink}, broker.InvalidArgument)
		r.inspectFails(t, broker.Question{App: appid, Kind: broker.ShortLink, URL: "#小程序://x/x"}, broker.InvalidArgument)

		time.Sleep(30 * day) // dead for us: WeChat has the last word
		if found, err := r.Inspect(t.Context(), broker.Question{App: appid, Kind: broker.URLLink, URL: ours.URL}); err != nil || found.Inspected == nil {
			t.Errorf("got %+v, %v", found, err)
		}
		if calls := a.called(); calls != 2 {
			t.Errorf("%d generations", calls)
		}
	})
}

func (r *rig) inspectFails(t *testing.T, q broker.Question, code broker.Code) {
	t.Helper()
	if found, err := r.Inspect(t.Context(), q); !errors.Is(err, code) {
		t.Errorf("%+v gives %+v, %v; want %s", q, found, err, code)
	}
}

func TestAnAnswerThatCanBeReadInTwoWaysIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}}
		r := askableRig(t, a, nil)
		link := r.get(t, query("a=1"), broker.Miss).Link
		for _, answer := range []string{"", "null", `[]`, `{"a":{"b":1,"b":2}}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{"a":1}{}`} {
			a.ask = func(string) (broker.Inspected, error) {
				return broker.Inspected{ExpiresAt: time.Now(), Answer: json.RawMessage(answer)}, nil
			}
			r.inspectFails(t, broker.Question{App: appid, Kind: broker.URLLink, URL: "https://wxaurl.cn/other"}, broker.Unavailable)
			if got, err := r.Verify(t.Context(), link.Key); !errors.Is(err, broker.Unavailable) {
				t.Errorf("%q is believed: %+v, %v", answer, got, err)
			}
		}
		r.get(t, query("a=1"), broker.Hit)
	})
}

func TestALinkThatCouldNotBeStoredIsOursAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: unknown}
		r := askableRig(t, a, nil)
		r.store.writesFail.Store(true)
		link := r.get(t, query("a=1"), broker.Miss).Link
		if found, err := r.Inspect(t.Context(), broker.Question{App: appid, Kind: broker.URLLink, URL: link.URL}); err != nil || found.Link.Key != link.Key {
			t.Errorf("got %+v, %v", found, err)
		}
	})
}

func TestQuestionsYieldToThoseForWhomALinkIsGenerated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: endsAt(time.Now())}
		r := askableRig(t, a, func(app *broker.App) { app.Rate = 1 })
		begin := time.Now()
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() { r.get(t, ofKind(broker.URLLink, i), broker.Miss) })
		}
		synctest.Wait()
		all.Go(func() {
			if _, err := r.Inspect(t.Context(), broker.Question{App: appid, Kind: broker.URLLink, URL: "https://wxaurl.cn/other"}); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if waited := a.at[0].Sub(begin); waited < 2*time.Second {
			t.Errorf("a question was asked after %s, before those who waited for a link", waited)
		}
	})
}

func TestVisitsAreAskedForOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: unknown}
		r := askableRig(t, a, nil)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got, err := r.Openings(t.Context(), appid); err != nil || got.Left != 5_999_999 || got.At.IsZero() {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
		all.Go(func() { r.RefreshOpenings(t.Context()) })
		all.Wait()
		time.Sleep(59 * time.Second)
		r.RefreshOpenings(t.Context())
		if a.visited != 1 {
			t.Errorf("asked %d times in a minute", a.visited)
		}
		a.fails = errAway
		time.Sleep(time.Second)
		for range 10 {
			if _, err := r.Openings(t.Context(), appid); !errors.Is(err, broker.Unavailable) {
				t.Errorf("got %v", err)
			}
		}
		if a.visited != 2 {
			t.Errorf("asked %d times while WeChat is away", a.visited)
		}
		quotas, err := r.Quotas(t.Context())
		if err != nil || quotas[0].Openings.Left != 5_999_999 {
			t.Errorf("what was known is forgotten: %+v, %v", quotas, err)
		}
		if _, err := r.Openings(t.Context(), "wxnone"); !errors.Is(err, broker.UnknownApp) {
			t.Errorf("an unknown app: %v", err)
		}
	})
}

func TestWhoIsGoneDoesNotSpoilTheAnswerForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: unknown}
		r := askableRig(t, a, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		r.RefreshOpenings(ctx)
		synctest.Wait()
		time.Sleep(time.Second)
		if quotas, err := r.Quotas(t.Context()); err != nil || quotas[0].Openings.Left != 5_999_999 {
			t.Errorf("got %+v, %v", quotas, err)
		}
	})
}

func TestWithoutAnInspectorNobodyIsAsked(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	link := r.get(t, query("a=1"), broker.Miss).Link
	r.RefreshOpenings(t.Context())
	if _, err := r.Openings(t.Context(), appid); !errors.Is(err, broker.Unavailable) {
		t.Errorf("visits: %v", err)
	}
	if _, err := r.Verify(t.Context(), link.Key); !errors.Is(err, broker.Unavailable) {
		t.Errorf("verify: %v", err)
	}
	if found, err := r.Inspect(t.Context(), broker.Question{App: appid, Kind: broker.URLLink, URL: link.URL}); err != nil || found.Link.Key != link.Key {
		t.Errorf("a link of ours: %+v, %v", found, err)
	}
}

func TestVerifyPutsTheEndRight(t *testing.T) {
	for claim, test := range map[string]struct {
		expiry  broker.Expiry
		told    time.Duration // after the generation; 0 = WeChat does not say
		verdict broker.Verdict
		ends    time.Duration
	}{
		"what WeChat confirms stays":                       {broker.Expiry{}, 30 * day, broker.Confirmed, 30*day - time.Minute},
		"clocks that differ are no reason":                 {broker.Expiry{}, 30*day - 59*time.Second, broker.Confirmed, 30*day - time.Minute},
		"an earlier end is taken over":                     {broker.Expiry{}, 10 * day, broker.Corrected, 10*day - time.Minute},
		"a later one is not":                               {broker.Expiry{}, 300 * day, broker.Confirmed, 30*day - time.Minute},
		"no end is 30 days":                                {broker.Expiry{}, 0, broker.Confirmed, 30*day - time.Minute},
		"who asked for seven days does not get eight":      {broker.Expiry{Days: 7}, 8 * day, broker.Confirmed, 7*day - time.Minute},
		"what has ended already is dead from now on":       {broker.Expiry{}, time.Hour, broker.Corrected, time.Hour - time.Minute},
		"an earlier end than the seven days is taken over": {broker.Expiry{Days: 7}, 3 * day, broker.Corrected, 3*day - time.Minute},
		"an end before its beginning is its beginning":     {broker.Expiry{}, -100 * 365 * day, broker.Corrected, 0},
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &askable{wechat: &wechat{}}
				r := askableRig(t, a, nil)
				req := query("a=1")
				req.Expiry = test.expiry
				link := r.get(t, req, broker.Miss).Link
				if _, err := r.Pin(t.Context(), link.Key, true); err != nil {
					t.Fatal(err)
				}
				if _, err := r.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Hour)
				told := time.Time{}
				if test.told != 0 {
					told = link.GeneratedAt.Add(test.told)
				}
				a.ask = endsAt(told)
				got, err := r.Verify(t.Context(), link.Key)
				if err != nil || got.Verdict != test.verdict {
					t.Fatalf("got %+v, %v; want %s", got, err, test.verdict)
				}
				if life := got.Link.ExpiresAt.Sub(link.GeneratedAt); life != test.ends {
					t.Errorf("it lives %s, want %s", life, test.ends)
				}
				if got.Link.Uses != 1 || !got.Link.Pinned || got.Link.URL != link.URL {
					t.Errorf("uses, pin or URL changed: %+v", got.Link)
				}
				if recent := got.Link.Recent.UsesOf(time.Now()); recent[0] != 1 {
					t.Errorf("used %d times today", recent[0])
				}
				if r.used(t) != 1 || a.called() != 1 {
					t.Errorf("it cost %d generations", a.called()-1)
				}
				if again, err := r.Verify(t.Context(), link.Key); err != nil || again.Verdict != broker.Confirmed || !again.Link.ExpiresAt.Equal(got.Link.ExpiresAt) {
					t.Errorf("once more: %+v, %v", again, err)
				}
			})
		})
	}
}

// An imported link counts from its import where nobody knows better: only its end says how old it is.
func TestASilentAnswerLengthensNoLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: endsAt(time.Time{})}
		r := askableRig(t, a, nil)
		end := time.Now().Add(5 * day).UTC()
		target, err := broker.Target{App: appid, Path: "p"}.Normalize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ImportLink(t.Context(), broker.Link{Target: target, URL: "https://wxaurl.cn/old", ExpiresAt: end}, false); err != nil {
			t.Fatal(err)
		}
		got, err := r.Verify(t.Context(), target.Key())
		if err != nil || got.Verdict != broker.Confirmed || !got.Link.ExpiresAt.Equal(end) {
			t.Errorf("got %+v, %v; want its end to stay at %s", got, err, end)
		}
	})
}

func TestADeadLinkIsDroppedAndGeneratedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: unknown}
		r := askableRig(t, a, nil)
		link := r.get(t, query("a=1"), broker.Miss).Link
		if _, err := r.Pin(t.Context(), link.Key, true); err != nil {
			t.Fatal(err)
		}
		got, err := r.Verify(t.Context(), link.Key)
		if err != nil || got.Verdict != broker.Dropped || got.Link.Outlives(time.Now()) {
			t.Fatalf("got %+v, %v", got, err)
		}
		if again, err := r.Verify(t.Context(), link.Key); err != nil || again.Verdict != broker.Dropped {
			t.Errorf("once more: %+v, %v", again, err)
		}
		fresh := r.get(t, query("a=1"), broker.Miss).Link
		if fresh.URL == link.URL {
			t.Error("the dead link was handed out")
		}
		if stored, err := r.Link(t.Context(), link.Key); err != nil || !stored.Pinned {
			t.Errorf("the pin is lost: %+v, %v", stored, err)
		}
		r.get(t, query("a=1"), broker.Hit)
	})
}

func TestALinkReplacedMeanwhileIsNotCorrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}}
		r := askableRig(t, a, nil)
		link := r.get(t, query("a=1"), broker.Miss).Link
		a.ask = func(string) (broker.Inspected, error) {
			if _, err := r.Renew(t.Context(), link.Key); err != nil {
				t.Error(err)
			}
			return broker.Inspected{}, errUnknownLink
		}
		got, err := r.Verify(t.Context(), link.Key)
		if err != nil || got.Verdict != broker.Superseded || !got.Link.Outlives(time.Now().Add(29*day)) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestWhatCannotBeVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: func(string) (broker.Inspected, error) { return broker.Inspected{}, errAway }}
		r := askableRig(t, a, nil)
		link := r.get(t, query("a=1"), broker.Miss).Link
		short := r.get(t, ofKind(broker.ShortLink, 1), broker.Miss).Link
		for claim, test := range map[string]struct {
			key  broker.Key
			code broker.Code
		}{
			"a link that is not stored":        {broker.Key{1}, broker.NotFound},
			"a kind that answers no questions": {short.Key, broker.InvalidArgument},
			"a link while WeChat is away":      {link.Key, broker.Unavailable},
		} {
			if got, err := r.Verify(t.Context(), test.key); !errors.Is(err, test.code) {
				t.Errorf("%s: %+v, %v; want %s", claim, got, err, test.code)
			}
		}
		r.get(t, query("a=1"), broker.Hit)
	})
}

func TestTheJobVerifiesTheMostUsedAndASample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: endsAt(time.Now().Add(30 * day))}
		r := askableRig(t, a, func(app *broker.App) { app.Rate = 1e6 })
		hot := map[string]bool{}
		for i := range 1000 {
			link := r.get(t, ofKind(broker.URLLink, i), broker.Miss).Link
			if i%10 == 0 {
				hot[link.URL] = true
				r.get(t, ofKind(broker.URLLink, i), broker.Hit)
			}
		}
		r.get(t, ofKind(broker.ShortLink, 1), broker.Miss)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		counts, err := r.VerifyLinks(t.Context())
		if err != nil || counts["confirmed"] < 150 || counts["confirmed"] > 200 {
			t.Fatalf("got %v, %v", counts, err)
		}
		for i, link := range a.asked {
			if i < 100 && !hot[link] {
				t.Errorf("%s is number %d and is not among the most used", link, i)
			}
		}
		if a.called() != 1001 {
			t.Errorf("%d generations by verifying", a.called()-1001)
		}
		a.ask = unknown
		if counts, err = r.VerifyLinks(t.Context()); err != nil || counts["dropped"] < 150 {
			t.Errorf("got %v, %v", counts, err)
		}
	})
}

func TestTheJobGivesUpWhileWeChatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &askable{wechat: &wechat{}, ask: func(string) (broker.Inspected, error) { return broker.Inspected{}, errAway }}
		r := askableRig(t, a, nil)
		for i := range 20 {
			r.get(t, query(fmt.Sprint("a=", i)), broker.Miss)
		}
		counts, err := r.VerifyLinks(t.Context())
		if !errors.Is(err, broker.Unavailable) || counts["failed"] != 1 || a.seen() != 1 {
			t.Errorf("got %v, %v after %d questions", counts, err, a.seen())
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.VerifyLinks(gone); err == nil {
			t.Error("a run that was cut off is a good one")
		}
	})
}
