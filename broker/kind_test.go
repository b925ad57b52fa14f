package broker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

// kindKeyed are targets of the kinds that came after URL Links, all with another meaning. Their keys are pinned as those
// of URL Links are.
var kindKeyed = []struct {
	Name   string
	Target broker.Target
}{
	{"scheme", broker.Target{Kind: broker.Scheme, Path: "pages/index", Query: "a=1"}},
	{"scheme of the home page", broker.Target{Kind: broker.Scheme}},
	{"scheme for seven days", broker.Target{Kind: broker.Scheme, Path: "pages/index", Query: "a=1", Expiry: broker.Expiry{Days: 7}}},
	{"scheme with an extra field", broker.Target{Kind: broker.Scheme, Path: "pages/index", Query: "a=1", Extra: json.RawMessage(`{"x":1}`)}},
	{"scheme with an extra field in jump_wxa", broker.Target{Kind: broker.Scheme, Path: "pages/index", Query: "a=1", Extra: json.RawMessage(`{"jump_wxa":{"x":1}}`)}},
	{"short link", broker.Target{Kind: broker.ShortLink, Path: "pages/index", Query: "a=1"}},
	{"short link with a title", broker.Target{Kind: broker.ShortLink, Path: "pages/index", Query: "a=1", Title: "茶"}},
	{"permanent short link", broker.Target{Kind: broker.ShortLink, Path: "pages/index", Query: "a=1", Expiry: broker.Expiry{Never: true}}},
	{"short link with an extra field", broker.Target{Kind: broker.ShortLink, Path: "pages/index", Query: "a=1", Extra: json.RawMessage(`{"page":1}`)}},
	{"plain scheme", broker.Target{Kind: broker.PlainScheme, Path: "pages/index", Query: "a=1"}},
}

func TestKeysOfTheKindsArePinned(t *testing.T) {
	var got strings.Builder
	seen := map[broker.Key]string{normalizedKey(t, broker.Request{Target: target(nil)}): "URL Link"}
	for _, k := range kindKeyed {
		k.Target.App = appid
		key := normalizedKey(t, broker.Request{Target: k.Target})
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have one key", k.Name, other)
		}
		seen[key] = k.Name
		got.WriteString(key.String() + "  " + k.Name + "\n")
	}
	golden(t, "kind_keys.txt", got.String())
}

func TestWhatAKindCannotAskFor(t *testing.T) {
	long := strings.Repeat("q", 513)
	for claim, test := range map[string]struct {
		target  broker.Target
		code    broker.Code
		errcode int
	}{
		"a scheme with cloud_base":             {broker.Target{Kind: broker.Scheme, CloudBase: &broker.CloudBase{Env: "e"}}, broker.InvalidArgument, 40097},
		"a scheme for ever":                    {broker.Target{Kind: broker.Scheme, Expiry: broker.Expiry{Never: true}}, broker.InvalidExpiry, 85401},
		"a URL Link for ever":                  {broker.Target{Expiry: broker.Expiry{Never: true}}, broker.InvalidExpiry, 85401},
		"a URL Link with a title":              {broker.Target{Title: "t"}, broker.InvalidArgument, 40097},
		"a scheme whose path has a query":      {broker.Target{Kind: broker.Scheme, Path: "p?a"}, broker.InvalidPath, 40165},
		"an extra that repeats a nested field": {broker.Target{Kind: broker.Scheme, Extra: json.RawMessage(`{"jump_wxa":{"path":"x"}}`)}, broker.InvalidArgument, 40097},
		"a jump_wxa that is no object":         {broker.Target{Kind: broker.Scheme, Extra: json.RawMessage(`{"jump_wxa":[]}`)}, broker.InvalidArgument, 40097},
		"a short link without a page":          {broker.Target{Kind: broker.ShortLink}, broker.InvalidPath, 40066},
		"a short link to a trial version":      {broker.Target{Kind: broker.ShortLink, Path: "p", Env: broker.Trial}, broker.InvalidEnv, 85402},
		"a short link for seven days":          {broker.Target{Kind: broker.ShortLink, Path: "p", Expiry: broker.Expiry{Days: 7}}, broker.InvalidExpiry, 85401},
		"for ever and for seven days":          {broker.Target{Kind: broker.ShortLink, Path: "p", Expiry: broker.Expiry{Days: 7, Never: true}}, broker.InvalidExpiry, 85401},
		"a title of 21 characters":             {broker.Target{Kind: broker.ShortLink, Path: "p", Title: strings.Repeat("茶", 21)}, broker.InvalidArgument, 40225},
		"a title that is not UTF-8":            {broker.Target{Kind: broker.ShortLink, Path: "p", Title: "\xff"}, broker.InvalidArgument, 40225},
		"page and query of 1,025 characters":   {broker.Target{Kind: broker.ShortLink, Path: "p", Query: strings.Repeat("q", 1022)}, broker.InvalidPath, 40066},
		"a short link's query outside ASCII":   {broker.Target{Kind: broker.ShortLink, Path: "p", Query: "茶"}, broker.InvalidQuery, 40066},
		"a plain scheme without a page":        {broker.Target{Kind: broker.PlainScheme}, broker.InvalidPath, 40165},
		"a plain scheme with 513 characters":   {broker.Target{Kind: broker.PlainScheme, Path: "p", Query: long}, broker.InvalidQuery, 40212},
		"a plain scheme that ends":             {broker.Target{Kind: broker.PlainScheme, Path: "p", Expiry: broker.Expiry{Days: 1}}, broker.InvalidExpiry, 85401},
		"a plain scheme with extra fields":     {broker.Target{Kind: broker.PlainScheme, Path: "p", Extra: json.RawMessage(`{"a":1}`)}, broker.InvalidArgument, 40097},
	} {
		t.Run(claim+" is refused", func(t *testing.T) {
			test.target.App = appid
			_, err := test.target.Normalize()
			e, ok := errors.AsType[*broker.Error](err)
			if !ok || e.Code != test.code || e.ErrCode != test.errcode {
				t.Errorf("got %v, want %s and errcode %d", err, test.code, test.errcode)
			}
		})
	}
}

func TestWhatAKindCanAskFor(t *testing.T) {
	for claim, give := range map[string]broker.Target{
		"page and query of 1,024 characters":  {Kind: broker.ShortLink, Path: "p", Query: strings.Repeat("q", 1021)},
		"a title of 20 characters":            {Kind: broker.ShortLink, Path: "p", Title: strings.Repeat("茶", 20)},
		"an empty jump_wxa":                   {Kind: broker.Scheme, Extra: json.RawMessage(`{"jump_wxa":{}}`)},
		"a field of another kind's body":      {Kind: broker.Scheme, Extra: json.RawMessage(`{"path":"x","jump_wxa":{"expire_type":1}}`)},
		"a plain scheme of a trial version":   {Kind: broker.PlainScheme, Path: "p", Env: broker.Trial},
		"a scheme until a moment":             {Kind: broker.Scheme, Expiry: broker.Expiry{At: time.Unix(1_800_000_000, 0)}},
		"a URL Link with a field jump_wxa":    {Extra: json.RawMessage(`{"jump_wxa":{"path":"x"}}`)},
		"a plain scheme of 512 characters":    {Kind: broker.PlainScheme, Path: "p", Query: strings.Repeat("q", 512)},
		"a permanent short link with a title": {Kind: broker.ShortLink, Path: "p", Title: "t", Expiry: broker.Expiry{Never: true}},
	} {
		t.Run(claim, func(t *testing.T) {
			give.App = appid
			once, err := give.Normalize()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := once.Normalize(); err != nil || !equal(again, once) {
				t.Errorf("not idempotent: %s then %s, %v", show(once), show(again), err)
			}
		})
	}
}

func TestWhichLinksOfAKindAreAccepted(t *testing.T) {
	app := broker.App{LinkHosts: []string{"wxaurl.cn"}}
	for link, kind := range map[string]broker.Kind{
		"https://wxaurl.cn/x":                broker.URLLink,
		"weixin://dl/business/?t=x":          broker.Scheme,
		"#小程序://茶店/茶/x":                      broker.ShortLink,
		"weixin://dl/pay/?t=x":               "",
		"weixin://dl/business":               "",
		"weixin://dl/business/?t=x\n":        "",
		`weixin://dl/business/?t="><script>`: "",
		"Weixin://dl/business/?t=x":          "",
		"javascript:weixin://dl/business/?":  "",
		"#小程序://x\x00":                       "",
		"https://example.com/#小程序://x":       "",
		"https://wxaurl.cn.example.com/x":    "",
		"":                                   "",
	} {
		for _, asked := range []broker.Kind{broker.URLLink, broker.Scheme, broker.ShortLink} {
			if got := app.Accepts(asked, link); got != (asked == kind) {
				t.Errorf("as %s %q is accepted: %v", asked, link, got)
			}
		}
	}
}

func ofKind(kind broker.Kind, i int) broker.Request {
	req := query(fmt.Sprintf("a=%d", i))
	req.Kind = kind
	return req
}

func TestSchemesAndURLLinksShareOneQuotaToTheLastUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 10 * time.Millisecond}
		r := newRig(t, w, func(a *broker.App) { a.DailyQuota, a.ShortLinkQuota, a.Rate = 1000, 7, 1e6 })
		made := map[broker.Kind]int{}
		var mu sync.Mutex
		var callers sync.WaitGroup
		for i := range 3000 {
			kind := []broker.Kind{broker.URLLink, broker.Scheme, broker.ShortLink}[i%3]
			callers.Go(func() {
				_, err := r.Get(t.Context(), ofKind(kind, i))
				if err != nil && !errors.Is(err, broker.QuotaExhausted) {
					t.Errorf("got %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made[kind]++
				}
			})
		}
		callers.Wait()
		if made[broker.URLLink]+made[broker.Scheme] != 1000 || made[broker.URLLink] == 0 || made[broker.Scheme] == 0 {
			t.Errorf("made %v: URL Links and schemes are not 1,000 together", made)
		}
		if made[broker.ShortLink] != 7 || w.called() != 1007 || r.used(t) != 1000 {
			t.Errorf("made %v in %d calls, %d units of links", made, w.called(), r.used(t))
		}
	})
}

func TestPermanentShortLinksHaveAQuotaThatNeverComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, func(a *broker.App) { a.ShortLinkQuota, a.PermanentShortLinks = 5, 3 })
		permanent := func(i int) broker.Request {
			req := ofKind(broker.ShortLink, i)
			req.Expiry.Never = true
			return req
		}
		for i := range 3 {
			answer := r.get(t, permanent(i), broker.Miss)
			if answer.Link.ExpiresAt.Year() < 2199 {
				t.Errorf("it ends at %s", answer.Link.ExpiresAt)
			}
		}
		if e := r.failure(t, permanent(3), broker.QuotaExhausted); e.RetryAfter <= 0 || !strings.Contains(e.Message, "for ever") {
			t.Errorf("got %+v", e)
		}
		r.get(t, ofKind(broker.ShortLink, 1), broker.Miss) // the day has two left
		r.get(t, ofKind(broker.ShortLink, 2), broker.Miss)
		r.fails(t, ofKind(broker.ShortLink, 3), broker.QuotaExhausted)
		time.Sleep(50 * day)
		if _, err := r.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.get(t, permanent(0), broker.Hit)
		r.fails(t, permanent(3), broker.QuotaExhausted)
		r.get(t, ofKind(broker.ShortLink, 3), broker.Miss)
		quotas, err := r.Quotas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []broker.AccountQuota{{Account: broker.ShortLinks, Limit: 5, Used: 1}, {Account: broker.PermanentShortLinks, Limit: 3, Used: 3}}
		if fmt.Sprint(quotas[0].Others) != fmt.Sprint(want) {
			t.Errorf("got %+v", quotas[0].Others)
		}
		if _, err := r.Renew(t.Context(), normalizedKey(t, permanent(0))); !errors.Is(err, broker.InvalidExpiry) {
			t.Errorf("renewing it: %v", err)
		}
	})
}

// TestARefusalIsTheKinds: an app that may not make short links, or has made all of the day, may make others.
func TestARefusalIsTheKinds(t *testing.T) {
	for claim, err := range map[string]error{
		"not allowed":       says(broker.AppForbidden, 43104),
		"the day's used up": says(broker.QuotaExhausted, 45009),
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(_ int, target broker.Target) error {
					if target.Kind == broker.ShortLink {
						return err
					}
					return nil
				}}
				r := newRig(t, w, nil)
				r.fails(t, ofKind(broker.ShortLink, 1), broker.CodeOf(err))
				r.fails(t, ofKind(broker.ShortLink, 2), broker.CodeOf(err))
				if w.called() != 1 {
					t.Errorf("%d calls: the refusal was not remembered", w.called())
				}
				r.get(t, ofKind(broker.URLLink, 1), broker.Miss)
				r.get(t, ofKind(broker.Scheme, 1), broker.Miss)
			})
		})
	}
}

func TestAQuotaClosedForURLLinksIsClosedForSchemes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(int, broker.Target) error { return says(broker.QuotaExhausted, 44993) }}
		r := newRig(t, w, nil)
		r.fails(t, ofKind(broker.URLLink, 1), broker.QuotaExhausted)
		r.fails(t, ofKind(broker.Scheme, 1), broker.QuotaExhausted)
		if w.called() != 1 {
			t.Errorf("%d calls", w.called())
		}
	})
}

func TestThePermanentQuotaClosedLeavesTheOthersOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(_ int, target broker.Target) error {
			if target.Expiry.Never {
				return says(broker.QuotaExhausted, 85400)
			}
			return nil
		}}
		r := newRig(t, w, nil)
		req := ofKind(broker.ShortLink, 1)
		req.Expiry.Never = true
		r.fails(t, req, broker.QuotaExhausted)
		r.get(t, ofKind(broker.ShortLink, 1), broker.Miss)
	})
}

func TestNewKindsArePrewarmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, nil)
		kinds := []broker.Kind{broker.URLLink, broker.Scheme, broker.ShortLink}
		for _, kind := range kinds {
			r.get(t, ofKind(kind, 1), broker.Miss)
		}
		time.Sleep(25 * day)
		for _, kind := range kinds {
			r.get(t, ofKind(kind, 1), broker.Hit)
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if counts, err := r.Prewarm(t.Context()); err != nil || counts["renewed"] != 3 {
			t.Errorf("got %v, %v", counts, err)
		}
	})
}

// TestAPageRefusedForOneKindIsRenewedForOthers: WeChat does not make short links of every page that it makes others of.
func TestAPageRefusedForOneKindIsRenewedForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: time.Millisecond}
		r := newRig(t, w, nil)
		for i := range 50 {
			r.get(t, ofKind(broker.ShortLink, i), broker.Miss)
		}
		time.Sleep(time.Hour)
		r.get(t, ofKind(broker.URLLink, 1), broker.Miss) // the last to end
		w.answer = func(_ int, target broker.Target) error {
			if target.Kind == broker.ShortLink {
				return says(broker.InvalidPath, 40066)
			}
			return nil
		}
		time.Sleep(25 * day)
		for i := range 50 {
			r.get(t, ofKind(broker.ShortLink, i), broker.Hit)
		}
		r.get(t, ofKind(broker.URLLink, 1), broker.Hit)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if counts, err := r.Prewarm(t.Context()); err != nil || counts["renewed"] != 1 {
			t.Errorf("got %v, %v", counts, err)
		}
	})
}

func TestPlainSchemesCostNothing(t *testing.T) {
	w := &wechat{}
	r := newRig(t, w, func(a *broker.App) { a.PlainScheme = true })
	req := broker.Request{Target: broker.Target{App: appid, Kind: broker.PlainScheme, Path: "pages/a b", Query: "b=2&a=%E8%8C%B6+1"}}
	req.OnlyIfCached = true // who may only read gets it as well
	answer := r.get(t, req, broker.Composed)
	if want := "weixin://dl/business/?appid=" + appid + "&path=pages/a%20b&query=a%3D%25E8%258C%25B6%2B1%26b%3D2"; answer.Link.URL != want {
		t.Errorf("got  %s\nwant %s", answer.Link.URL, want)
	}
	req.Splice = new(true)
	if plan, err := r.Plan(t.Context(), req); err != nil || len(plan.Findings) != 0 || plan.Unspliced != "" || plan.Outcome != broker.Composed {
		t.Errorf("it is said to need a generation: %+v, %v", plan, err)
	}
	req.Env = broker.Develop
	if answer = r.get(t, req, broker.Composed); !strings.HasSuffix(answer.Link.URL, "&env_version=develop") {
		t.Errorf("got %s", answer.Link.URL)
	}
	page, err := r.Links(t.Context(), broker.Query{})
	if err != nil || len(page.Links) != 0 || w.called() != 0 || r.used(t) != 0 {
		t.Errorf("%d calls, %d units, %d links stored, %v", w.called(), r.used(t), len(page.Links), err)
	}
	newRig(t, w, nil).fails(t, req, broker.InvalidArgument)
}

func TestWhatIsNewInAnAnswerIsStoredWithItsLink(t *testing.T) {
	for claim, test := range map[string]struct{ given, want string }{
		"a field is kept in canonical form": {` {"b":1.0,"a":[]} `, `{"a":[],"b":1}`},
		"what is no object is left out":     {`[1]`, ``},
		"what is too long is left out":      {`{"a":"` + strings.Repeat("x", 3000) + `"}`, ``},
		"an ambiguous one is left out":      {`{"a":1,"a":2}`, ``},
		"a second link is left out":         {`{"url_link":"https://evil.example/"}`, ``},
		"one in camelCase is left out":      {`{"a":1,"urlLink":"https://evil.example/"}`, ``},
		"a second errcode is left out":      {`{"ERRCODE":-1}`, ``},
	} {
		t.Run(claim, func(t *testing.T) {
			r := newRig(t, &wechat{extra: json.RawMessage(test.given)}, nil)
			for _, want := range []broker.Outcome{broker.Miss, broker.Hit} {
				if answer := r.get(t, query("a=1"), want); string(answer.Link.Extra) != test.want {
					t.Errorf("a %s has %s, want %s", want, answer.Link.Extra, test.want)
				}
			}
		})
	}
}

// FuzzKinds normalises targets of every kind.
func FuzzKinds(f *testing.F) {
	f.Add("scheme", "/pages/index", "?b=1&&a=2", "", "", false, 0, `{"jump_wxa":{"b":1.0,"a":{}}}`)
	f.Add("short_link", "p", "a=1", "", " 茶 ", true, 0, `{"page":1}`)
	f.Add("plain_scheme", "p", "a=1", "trial", "", false, 0, ``)
	f.Add("", "", "", "", "", false, 31, `{"jump_wxa":[]}`)
	f.Fuzz(func(t *testing.T, kind, path, query, env, title string, never bool, days int, extra string) {
		give := broker.Target{App: appid, Kind: broker.Kind(kind), Path: path, Query: query, Env: broker.Env(env), Title: title, Extra: json.RawMessage(extra)}
		give.Expiry = broker.Expiry{Never: never, Days: days}
		once, err := give.Normalize()
		if err != nil {
			if broker.CodeOf(err) == broker.Internal {
				t.Errorf("refused as a defect of ours: %v", err)
			}
			return
		}
		twice, err := once.Normalize()
		if err != nil || !equal(once, twice) || once.Key() != twice.Key() {
			t.Errorf("not idempotent: %s, then %s, %v", show(once), show(twice), err)
		}
		if once.Kind == broker.ShortLink && len(once.PageURL()) > 1024 {
			t.Errorf("page_url is longer than WeChat takes: %s", once.PageURL())
		}
	})
}
