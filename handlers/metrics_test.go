package handlers_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"linkbroker/broker"
	"linkbroker/cache"
)

// figures asks for the metrics.
func (w *world) figures() string {
	w.t.Helper()
	out := w.administer("GET", "/metrics")
	if out.Code != 200 {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	return out.text()
}

func wantFigures(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			t.Errorf("%s is missing among\n%s", line, strings.Join(regexp.MustCompile(`(?m)^`+name+`.*$`).FindAllString(text, -1), "\n"))
		}
	}
}

func TestMetricsOfRequests(t *testing.T) {
	w := newWorld(t)
	wantFigures(t, w.figures(), // figures begin at 0, or the first increase would be lost to rate()
		`linkbroker_answers_total{app="`+appA+`",kind="url_link",outcome="stale"} 0`,
		`linkbroker_events_total{event="quota_closed"} 0`,
		`linkbroker_http_requests_total{class="5xx",listener="public"} 0`)
	for range 3 {
		w.ask("POST", facade, `{"path":"p"}`)
	}
	w.ask("POST", "/api/v1/links", `{"path":"p?"}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"path":"p","app":"wxmade-up"}`, as(generateKey))
	w.weChat.fail(upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"))
	w.ask("POST", facade, `{"path":"q"}`)
	wantFigures(t, w.figures(),
		`linkbroker_answers_total{app="`+appA+`",kind="url_link",outcome="hit"} 2`,
		`linkbroker_answers_total{app="`+appA+`",kind="url_link",outcome="miss"} 1`,
		`linkbroker_errors_total{app="`+appA+`",code="invalid_path"} 1`,
		`linkbroker_errors_total{app="`+appA+`",code="quota_exhausted"} 1`,
		`linkbroker_errors_total{app="",code="unknown_app"} 1`, // not one series for each app that is made up
		`linkbroker_upstream_calls_total{app="`+appA+`",errcode="0",kind="url_link",purpose="interactive"} 1`,
		`linkbroker_upstream_calls_total{app="`+appA+`",errcode="44993",kind="url_link",purpose="interactive"} 1`,
		`linkbroker_upstream_seconds_count{app="`+appA+`",purpose="interactive"} 2`,
		`linkbroker_events_total{event="quota_closed"} 1`,
		`linkbroker_http_requests_total{class="2xx",listener="public"} 4`,
		`linkbroker_http_requests_total{class="4xx",listener="public"} 2`,
		`linkbroker_build_info{commit="abcdef",go="go1.26",version="v1.2.3"} 1`,
		`linkbroker_quota_limit{app="`+appA+`"} 500000`,
		`linkbroker_quota_left{app="`+appA+`"} 499999`,
		`linkbroker_quota_prewarm_left{app="`+appB+`"} 250000`,
		`linkbroker_quota_closed{app="`+appA+`"} 1`,
		`linkbroker_quota_closed{app="`+appB+`"} 0`,
		`linkbroker_quota_resets_timestamp_seconds{app="`+appA+`"} 1.7723808e+09`,
		`linkbroker_upstream_rate{app="`+appA+`"} 150`,
	)
	if strings.Contains(w.figures(), "made-up") {
		t.Error("a caller can make series up")
	}
}

func TestMetricsOfJobs(t *testing.T) {
	w := newWorld(t) // at 04:00; purge last ran well before that, and since the start counts for it
	w.pass(90 * time.Second)
	text := w.figures()
	wantFigures(t, text,
		`linkbroker_job_last_success_age_seconds{name="purge"} 90`,
		`linkbroker_job_last_success_age_seconds{name="backup"} 90`, // never: counted from the start
		`linkbroker_job_failing{name="purge"} 0`,
		`linkbroker_job_failing{name="backup"} 1`,
	)
	if strings.Contains(text, `{name="check"}`) {
		t.Error("a job without a schedule is expected to run")
	}
}

func TestMetricsOfJobsThatAnotherBrokerRuns(t *testing.T) {
	w := newWorld(t)
	w.pass(90 * time.Second)
	w.jobs.more = []broker.JobStatus{
		{Name: "prewarm", Schedule: "@every 5m", Elsewhere: true, LastElsewhere: w.now},
		{Name: "verify", Schedule: "@every 5m", LastElsewhere: w.now.Add(-30 * time.Second)},
	}
	text := w.figures()
	wantFigures(t, text, `linkbroker_job_last_success_age_seconds{name="verify"} 30`) // it is ours for so long at most
	if strings.Contains(text, `{name="prewarm"}`) {
		t.Error("a job that another broker runs is expected here")
	}
}

func TestMetricsOfOthers(t *testing.T) {
	w := newWorld(t)
	w.metrics.Gauge("token_expires_seconds", "Seconds until WeChat's token ends.", map[string]string{"app": appA}, func() float64 { return 7200 })
	w.metrics.Gauge("token_expires_seconds", "Seconds until WeChat's token ends.", map[string]string{"app": appB}, func() float64 { return 60 })
	w.metrics.Gauge("store_bytes", "Size of the store's file.", nil, func() float64 { return 4096 })
	for _, e := range []broker.Event{
		{Name: broker.StoreFailing, Err: errDisk},
		{Name: broker.LinkLost, Err: errDisk},
		{Name: broker.LinkRefused, Err: errDisk},
		{Name: broker.Panicked, Err: errDisk},
		{Name: broker.RateLowered, App: appA, Rate: 75},
		{Name: broker.CallEnded, App: appA, Kind: broker.URLLink, Purpose: broker.Prewarming, Took: time.Second, Err: errors.New("time-out")},
		{Name: broker.QueryEnded, App: appA, Took: time.Second},
		{Name: broker.QueryEnded, App: "wxnobody", Err: errors.New("time-out")},
	} {
		w.metrics.Observe(e)
	}
	wantFigures(t, w.figures(),
		`linkbroker_upstream_queries_total{app="`+appA+`",errcode="0"} 1`,
		`linkbroker_upstream_queries_total{app="",errcode="none"} 1`,
		`linkbroker_account_limit{account="short_links",app="`+appA+`"} 1e+06`,
		`linkbroker_account_left{account="permanent_short_links",app="`+appA+`"} 100000`,
		`linkbroker_account_closed{account="short_links",app="`+appA+`"} 0`,
		`linkbroker_token_expires_seconds{app="`+appB+`"} 60`,
		`linkbroker_store_bytes 4096`,
		`linkbroker_events_total{event="store_failing"} 1`,
		`linkbroker_events_total{event="link_lost"} 1`,
		`linkbroker_events_total{event="link_refused"} 1`,
		`linkbroker_events_total{event="panicked"} 1`,
		`linkbroker_events_total{event="rate_lowered"} 1`,
		`linkbroker_upstream_calls_total{app="`+appA+`",errcode="none",kind="url_link",purpose="prewarming"} 1`,
	)
}

// ledgerless is a store whose ledger cannot be read.
type ledgerless struct{ broker.Store }

func (ledgerless) ReservedQuota(context.Context, string, string) (int64, error) {
	return 0, broker.Errorf(broker.StoreFailed, "the store cannot be read: %w", errDisk)
}

func TestMetricsGoOnWhenTheLedgerCannotBeRead(t *testing.T) {
	w := newWorldWith(t, ledgerless{cache.NewMemory()})
	text := w.figures()
	wantFigures(t, text, `linkbroker_build_info{commit="abcdef",go="go1.26",version="v1.2.3"} 1`)
	if strings.Contains(text, "linkbroker_quota_left{") {
		t.Error("a quota was made up")
	}
	wantCode(t, w.administer("GET", "/api/v1/quota"), "store_failed")
}

// TestNamesFollowPrometheusConventions asks Prometheus' own linter.
func TestNamesFollowPrometheusConventions(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", facade, `{"path":"p"}`)
	problems, err := promlint.New(strings.NewReader(w.figures())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "linkbroker_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
