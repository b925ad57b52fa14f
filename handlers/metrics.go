package handlers

import (
	"errors"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"linkbroker/broker"
)

// Metrics are linkbroker's figures for Prometheus. All names begin with linkbroker_, but for those of Go and of the
// process.
type Metrics struct {
	registry *prometheus.Registry

	answers map[string][]answerCounter // by app; looked up once a request, so made beforehand
	apps    map[string]bool
	visits  map[string]prometheus.Counter // by broker.Visitor, or broker.FellBack

	failures *prometheus.CounterVec
	calls    *prometheus.CounterVec
	queries  *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	events   *prometheus.CounterVec
	forwards *prometheus.CounterVec
	requests func(listener string) requestCounters
}

// answerCounter counts the answers of an app that are alike. There are so few that the most frequent are found at once.
type answerCounter struct {
	kind    broker.Kind
	outcome broker.Outcome
	prometheus.Counter
}

// NewMetrics makes the figures for the configured appids.
func NewMetrics(appids []string, v Version) *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{registry: r, answers: map[string][]answerCounter{}, apps: map[string]bool{}, visits: map[string]prometheus.Counter{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "linkbroker_" + name, Help: help}, labels)
		r.MustRegister(vec)
		return vec
	}
	answers := counter("answers_total", "Requests answered with a link: hit, miss, stale, or composed without any.", "app", "kind", "outcome")
	for _, app := range appids {
		m.apps[app] = true
		for _, kind := range broker.Kinds() {
			for _, outcome := range outcomesOf(kind) {
				m.answers[app] = append(m.answers[app], answerCounter{kind, outcome, answers.WithLabelValues(app, string(kind), string(outcome))})
			}
		}
	}
	visits := counter("visits_total", "Visitors whom an alias sent on, by what they came; fallback: to where its link is not.", "visitor")
	for _, visitor := range []broker.Visitor{broker.InWeChat, broker.OnIOS, broker.OnAndroid, broker.Elsewhere, broker.FellBack} {
		m.visits[string(visitor)] = visits.WithLabelValues(string(visitor))
	}
	m.failures = counter("errors_total", "Requests for a link that failed, by code.", "app", "code")
	m.calls = counter("upstream_calls_total", "Calls to WeChat that generate; errcode 0 is a link, none is no answer.",
		"app", "kind", "purpose", "errcode")
	m.queries = counter("upstream_queries_total", "Calls to WeChat that ask about links or visits; errcode 0 is an answer, none is none.",
		"app", "errcode")
	m.forwards = counter("forwarded_total", "Other calls passed on to WeChat: answered (with whatever errcode), failed or broken off.",
		"app", "outcome")
	m.events = counter("events_total", "What should be rare: quota_closed, rate_lowered, store_failing, link_lost, link_refused, went_alone, panicked.",
		"event")
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "linkbroker_upstream_seconds",
		Help:    "How long calls to WeChat took.",
		Buckets: []float64{.025, .05, .1, .2, .4, .8, 1.6, 3.2, 6.4},
	}, []string{"app", "purpose"})
	r.MustRegister(m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, name := range []broker.EventName{
		broker.QuotaClosed, broker.RateLowered, broker.StoreFailing, broker.LinkLost, broker.LinkRefused, broker.WentAlone, broker.Panicked,
	} {
		m.events.WithLabelValues(string(name))
	}
	m.requests = requestCounting(counter("http_requests_total", "HTTP requests by class of status.", "listener", "class"))
	m.Gauge("build_info", "1, with what is running in the labels.",
		map[string]string{"version": v.Version, "commit": v.Commit, "go": v.Go}, func() float64 { return 1 })
	return m
}

// Observe counts what happens in the domain. It is meant for broker.Policy.Observe.
func (m *Metrics) Observe(e broker.Event) {
	if e.Name == broker.Answered && e.Err == nil {
		for _, counter := range m.answers[e.App] {
			if counter.kind == e.Kind && counter.outcome == e.Outcome {
				counter.Inc()
				return
			}
		}
		return
	}
	app := e.App
	if !m.apps[app] {
		app = "" // a caller may name any app: each would be a series for good
	}
	switch e.Name {
	case broker.Answered:
		m.failures.WithLabelValues(app, string(broker.CodeOf(e.Err))).Inc()
	case broker.CallEnded:
		m.calls.WithLabelValues(app, string(e.Kind), string(e.Purpose), errcode(e.Err)).Inc()
		m.seconds.WithLabelValues(app, string(e.Purpose)).Observe(e.Took.Seconds())
	case broker.QueryEnded:
		m.queries.WithLabelValues(app, errcode(e.Err)).Inc()
	case broker.Visited:
		m.visited(e)
	default:
		m.events.WithLabelValues(string(e.Name)).Inc()
	}
}

// countForwarded counts a call that was passed on for one of the configured apps.
func (m *Metrics) countForwarded(app, outcome string) { m.forwards.WithLabelValues(app, outcome).Inc() }

// outcomesOf are those that requests for a kind can have.
func outcomesOf(kind broker.Kind) []broker.Outcome {
	if kind == broker.PlainScheme {
		return []broker.Outcome{broker.Composed}
	}
	return []broker.Outcome{broker.Hit, broker.Miss, broker.Stale}
}

func (m *Metrics) visited(e broker.Event) {
	visitor := string(e.Visitor)
	if e.Err != nil {
		visitor = broker.FellBack
	}
	if counter, ok := m.visits[visitor]; ok {
		counter.Inc()
	}
}

// Gauge adds a figure that is asked for when Prometheus asks. The name is without linkbroker_; labels may be nil.
func (m *Metrics) Gauge(name, help string, labels map[string]string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "linkbroker_" + name, Help: help, ConstLabels: labels,
	}, value))
}

func errcode(err error) string {
	if err == nil {
		return "0"
	}
	if e, ok := errors.AsType[*broker.Error](err); ok && e.ErrCode != 0 {
		return strconv.Itoa(e.ErrCode)
	}
	return "none"
}

// requestCounters count requests by class of status, 1xx to 5xx.
type requestCounters [6]prometheus.Counter

func requestCounting(vec *prometheus.CounterVec) func(listener string) requestCounters {
	return func(listener string) (counters requestCounters) {
		for class := range counters {
			counters[class] = vec.WithLabelValues(listener, strconv.Itoa(class)+"xx")
		}
		return counters
	}
}

func (r *requestCounters) add(status int) {
	if class := status / 100; class < len(r) {
		r[class].Inc()
	}
}

// metrics answers GET /metrics.
func (a *api) metrics() func(*gin.Context, caller) error {
	h := promhttp.HandlerFor(a.Metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return func(c *gin.Context, _ caller) error {
		h.ServeHTTP(c.Writer, c.Request)
		return nil
	}
}
