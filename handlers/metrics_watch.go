package handlers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linkbroker/broker"
)

// WatchQuota adds how each app stands with its quota.
func (m *Metrics) WatchQuota(quotas func(context.Context) ([]broker.Quota, error)) {
	m.registry.MustRegister(&quotaCollector{
		quotas:  quotas,
		limit:   describe("quota_limit", "Generations a quota day.", "app"),
		left:    describe("quota_left", "Generations left in this quota day.", "app"),
		prewarm: describe("quota_prewarm_left", "Generations that pre-warming may still spend in this quota day.", "app"),
		resets:  describe("quota_resets_timestamp_seconds", "When the next quota day begins.", "app"),
		closed:  describe("quota_closed", "1 while WeChat says that the day's quota is used up.", "app"),
		rate:    describe("upstream_rate", "Calls a second that WeChat is asked at most, at present.", "app"),

		otherLimit:  describe("account_limit", "Generations of a quota for other links: short_links a day, permanent_short_links in all.", "app", "account"),
		otherLeft:   describe("account_left", "Generations left of such a quota.", "app", "account"),
		otherClosed: describe("account_closed", "1 while WeChat says that such a quota is used up.", "app", "account"),
		openings:    describe("openings_left", "How often links may still be opened today, as WeChat last said; absent if it never did.", "app"),
	})
}

type quotaCollector struct {
	quotas                                     func(context.Context) ([]broker.Quota, error)
	limit, left, prewarm, resets, closed, rate *prometheus.Desc

	otherLimit, otherLeft, otherClosed, openings *prometheus.Desc
}

// Describe gives the figures' names.
func (q *quotaCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.limit, q.left, q.prewarm, q.resets, q.closed, q.rate, q.otherLimit, q.otherLeft, q.otherClosed, q.openings} {
		out <- d
	}
}

// Collect gives the figures.
func (q *quotaCollector) Collect(out chan<- prometheus.Metric) {
	quotas, err := q.quotas(context.Background())
	if err != nil {
		out <- prometheus.NewInvalidMetric(q.left, err)
		return
	}
	for _, quota := range quotas {
		gauge := func(d *prometheus.Desc, value float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{quota.App}, more...)...)
		}
		gauge(q.limit, float64(quota.Limit))
		gauge(q.left, float64(max(quota.Limit-quota.Used, 0)))
		gauge(q.prewarm, float64(quota.PrewarmLeft))
		gauge(q.resets, float64(quota.ResetsAt.Unix()))
		gauge(q.closed, truthOf(!quota.ClosedUntil.IsZero()))
		gauge(q.rate, quota.Rate)
		for _, other := range quota.Others {
			gauge(q.otherLimit, float64(other.Limit), string(other.Account))
			gauge(q.otherLeft, float64(max(other.Limit-other.Used, 0)), string(other.Account))
			gauge(q.otherClosed, truthOf(!other.ClosedUntil.IsZero()), string(other.Account))
		}
		if !quota.Openings.At.IsZero() {
			gauge(q.openings, float64(quota.Openings.Left))
		}
	}
}

// WatchJobs adds how long ago each job last ran well. One that never did counts from now, so that an alert on an
// overdue job holds for it, too. Jobs without a schedule are nobody's to expect, and what another broker runs is told by it.
func (m *Metrics) WatchJobs(statuses func() []broker.JobStatus, clock broker.Clock) {
	m.registry.MustRegister(&jobCollector{
		statuses: statuses,
		clock:    clock,
		since:    clock(),
		age:      describe("job_last_success_age_seconds", "Seconds since the job last ran well.", "name"),
		failed:   describe("job_failing", "1 if the job's last run failed.", "name"),
	})
}

type jobCollector struct {
	statuses    func() []broker.JobStatus
	clock       broker.Clock
	since       time.Time
	age, failed *prometheus.Desc
}

// Describe gives the figures' names.
func (j *jobCollector) Describe(out chan<- *prometheus.Desc) {
	out <- j.age
	out <- j.failed
}

// Collect gives the figures.
func (j *jobCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range j.statuses() {
		if s.Schedule == "" || s.Elsewhere { // whoever runs it tells
			continue
		}
		last := s.LastSuccess
		for _, since := range []time.Time{j.since, s.LastElsewhere} { // nothing was expected of it before
			if last.Before(since) {
				last = since
			}
		}
		age := j.clock().Sub(last).Seconds()
		out <- prometheus.MustNewConstMetric(j.age, prometheus.GaugeValue, age, s.Name)
		out <- prometheus.MustNewConstMetric(j.failed, prometheus.GaugeValue, truthOf(s.LastError != ""), s.Name)
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("linkbroker_"+name, help, labels, nil)
}

func truthOf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
