package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// shows reports what a page or a part of it lacks.
func (b *browser) shows(path string, want ...string) {
	b.w.t.Helper()
	out := b.do("GET", path, "", "")
	if out.Code != http.StatusOK {
		b.w.t.Fatalf("%s: %d %s", path, out.Code, out.text())
	}
	text := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(out.text(), " ")), " ")
	for _, one := range want {
		if !strings.Contains(text, one) {
			b.w.t.Errorf("%s has no %q: %s", path, one, text)
		}
	}
}

// TestTheOverview goes through what it shows, each part as the script asks for it.
func TestTheOverview(t *testing.T) {
	w := newWorld(t)
	w.config.UpstreamTokens = func() []handlers.UpstreamToken {
		return []handlers.UpstreamToken{{App: appA, FetchedAt: w.now.Add(-time.Hour)}, {App: appB, Failing: true}}
	}
	w.config.Warnings = func() []handlers.Warning {
		return []handlers.Warning{{At: w.now.Add(-time.Minute), Message: "the store cannot be written", Detail: `app=<b>`, Times: 3}}
	}
	w.config.Ready = func(context.Context) ([]string, error) { return []string{"access token of " + appB, "the moon"}, nil }
	w.listen()
	b := w.loggedIn()
	b.shows("/", "Ask for a first link", "Not counted yet")

	for range 3 {
		w.ask("POST", "/api/v1/links", `{"path":"pages/item"}`, as(shopKey))
	}
	w.weChat.fail(upstream(broker.AppNotReleased, 85079, "no release"))
	w.ask("POST", "/api/v1/links", `{"path":"pages/none"}`, as(shopKey))
	w.flush()
	w.takeCensus()
	for part, want := range map[string][]string{
		"state":    {"Something does not work access token of " + appB + " the moon"},
		"numbers":  {"Last hour 50.0% hits 4 requests · 1 failed", "Last 30 days 50.0% hits", "Quota used today", "1 / 500,000", "Too early"},
		"store":    {"1 link", "10 days or more 1", "2026-03-01 12:00 2 0 1 1", "Pre-warming will renew 0 links within a day."},
		"wechat":   {"Calls 2 Brought a link 50.0%", "85079 1 ", "499,999 are left, of which pre-warming may spend 249,999", "1 h ago", "refused"},
		"jobs":     {"Purge Deletes links that are dead good 1 min ago 1.5 s purged 3 in 1 min Run", "failed never 0 ms disk full by hand", "check not run yet"},
		"top":      {"pages/item 1 3", "shop 4 50.0%"},
		"warnings": {"1 min ago warning the store cannot be written × 3 app=&lt;b&gt;"},
	} {
		b.shows("/?fragment="+part, want...)
	}
	words, _ := broker.Explain(85079)
	b.shows("/?fragment=wechat", words.Meaning.English)
	if out := b.do("GET", "/?fragment=jobs", "", ""); strings.Contains(out.text(), "<html") {
		t.Error("a part brings the whole page")
	}
	page := b.do("GET", "/", "", "", speak("zh")...).text()
	for _, want := range []string{"最近 24 小时的请求", words.Meaning.Chinese, "一天内预热将续期 0 条链接"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page in Chinese has no %q", want)
		}
	}
	if strings.Contains(page, "Ask for a first link") || strings.Contains(page, "请求第一条链接") {
		t.Error("it says how to begin to one who has begun")
	}
}

func TestTheOverviewOfWhatIsNotReady(t *testing.T) {
	w := newWorld(t)
	w.config.Ready = func(context.Context) ([]string, error) { return nil, errors.New("linkbroker is stopping") }
	w.listen()
	w.loggedIn().shows("/", "Not answering linkbroker is stopping")
}

// TestTheLastHourBeginsBetweenTwoStretches takes of the hour before as much as lies in it.
func TestTheLastHourBeginsBetweenTwoStretches(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	}
	w.flush()
	w.pass(90 * time.Minute)
	b := w.loggedIn()
	b.shows("/?fragment=numbers", "Last hour 90.0% hits 5 requests", "Last 24 hours 90.0% hits 10 requests")
	w.pass(30 * time.Minute)
	b = w.loggedIn()
	b.shows("/?fragment=numbers", "Last hour No requests 0 requests", "Last 24 hours 90.0% hits 10 requests")
}

// TestHostileTextIsText has what callers name shown on the page.
func TestHostileTextIsText(t *testing.T) {
	w := newWorld(t)
	hostile := `p"><script>alert(1)</script><img/src=x/onerror=alert(1)>`
	body := `{"path":` + strconv.Quote(hostile) + `}`
	wantCode(t, w.ask("POST", "/api/v1/links", body, as(shopKey)), "")
	w.flush()
	w.takeCensus()
	page := w.loggedIn().do("GET", "/", "", "").text()
	if !strings.Contains(page, "p&#34;&gt;&lt;script&gt;alert(1)") || strings.Contains(page, "<script>alert") || strings.Contains(page, "<img/src") {
		t.Error("the path is no text")
	}
}

// TestTheForecast spends quota at a steady rate.
func TestTheForecast(t *testing.T) {
	for name, test := range map[string]struct {
		limit int64
		want  string // beside the number of the day, at 14:00 in Shanghai, after 20 calls in two hours
	}{
		"it lasts":                  {1000, "At this rate 880 are left at the end of the day"},
		"it ends before the day":    {60, "At this rate it ends at 2026-03-01 18:00"},
		"it has ended":              {20, "Used up; the next day begins 2026-03-02 00:00"},
		"it ends just with the day": {121, "At this rate 1 is left at the end of the day"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, DailyQuota: test.limit})
			for i := range 4 {
				for n := range 5 {
					w.ask("POST", "/api/v1/links", `{"path":"p`+strconv.Itoa(5*i+n)+`"}`, as(shopKey))
				}
				w.flush()
				w.pass(30 * time.Minute)
			}
			w.loggedIn().shows("/?fragment=numbers", test.want)
		})
	}
	t.Run("WeChat says that it is used up", func(t *testing.T) {
		w := newWorld(t)
		w.weChat.fail(upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"))
		w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
		w.loggedIn().shows("/?fragment=numbers", "WeChat says it is used up, until 2026-03-02 00:00")
	})
}

func TestCharts(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	page := b.do("GET", "/", "", "").text()
	addresses := regexp.MustCompile(`(?:src|srcset)="(/charts/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(addresses) != 3*4 {
		t.Errorf("%d pictures, want those of three charts, each in two sizes and two schemes", len(addresses))
	}
	for _, address := range addresses {
		path := strings.ReplaceAll(address[1], "&amp;", "&")
		out := b.do("GET", path, "", "")
		if out.Code != 200 || out.Header().Get("Content-Type") != "image/svg+xml; charset=utf-8" || !strings.Contains(out.text(), "<svg") {
			t.Errorf("%s: %d %s", path, out.Code, out.text())
		}
		policy, keep := out.Header().Get("Content-Security-Policy"), out.Header().Get("Cache-Control")
		if policy != "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'" || keep != "private, max-age=60" {
			t.Errorf("%s has the policy %q and %q", path, policy, keep)
		}
	}
	for path, status := range map[string]int{
		"/charts/requests.svg":                                                400,
		"/charts/requests.svg?size=huge&scheme=dark":                          400,
		"/charts/quota.svg?size=half&scheme=dark":                             400,
		"/charts/quota.svg?size=half&scheme=dark&app=" + url.QueryEscape(`<`): 400,
	} {
		if out := b.do("GET", path, "", ""); out.Code != status || strings.Contains(out.text(), `"<"`) {
			t.Errorf("%s: %d", path, out.Code)
		}
	}
	if out := w.browser().do("GET", "/charts/requests.svg?size=wide&scheme=dark", "", ""); out.Code != 303 {
		t.Errorf("a chart for nobody: %d", out.Code)
	}
}

func TestAJobIsRunFromThePage(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	for job, want := range map[string]string{"purge": "Purge is done.", "backup": "Backup is running already."} {
		out := b.do("POST", "/jobs/"+job+":run", formType, "")
		if out.Code != 303 || out.Header().Get("Location") != "/#jobs" {
			t.Fatalf("%s: %d %s", job, out.Code, out.text())
		}
		b.shows("/", want)
		if strings.Contains(b.do("GET", "/", "", "").text(), want) {
			t.Errorf("%q is told twice", want)
		}
	}
	if out := b.do("POST", "/jobs/none:run", formType, ""); out.Code != 404 || !strings.Contains(out.text(), "<h1>") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	if out := b.do("POST", "/jobs/purge:run", formType, "", "Sec-Fetch-Site: cross-site"); out.Code != 403 || len(w.jobs.ran) != 1 {
		t.Errorf("another site runs a job: %d", out.Code)
	}
	if log := w.audit(); len(log) != 2 || log[1].Action != "job.run" || log[1].Object != "purge" {
		t.Errorf("%+v", log)
	}
}

// slowJobs run for an hour.
type slowJobs struct{ handlers.Jobs }

func (s slowJobs) Run(ctx context.Context, name string) (broker.JobStatus, error) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.Jobs.Run(ctx, name)
	case <-ctx.Done():
		return broker.JobStatus{}, ctx.Err()
	}
}

func TestALongRunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		w.config.Jobs = slowJobs{w.jobs}
		w.listen()
		b, began := w.loggedIn(), time.Now()
		if out := b.do("POST", "/jobs/purge:run", formType, ""); out.Code != 303 || time.Since(began) > 2*time.Second {
			t.Fatalf("%d after %s", out.Code, time.Since(began))
		}
		b.shows("/", "Purge is running; it goes on by itself.")
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(w.jobs.ran) != 1 {
			t.Error("it ended with the request")
		}
	})
}
