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
	})
}

type quotaCollector struct {
	quotas                                     func(context.Context) ([]broker.Quota, error)
	limit, left, prewarm, resets, closed, rate *prometheus.Desc
}

// Describe gives the figures' names.
func (q *quotaCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.limit, q.left, q.prewarm, q.resets, q.closed, q.rate} {
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
		gauge := func(d *prometheus.Desc, value float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, quota.App)
		}
		gauge(q.limit, float64(quota.Limit))
		gauge(q.left, float64(max(quota.Limit-quota.Used, 0)))
		gauge(q.prewarm, float64(quota.PrewarmLeft))
		gauge(q.resets, float64(quota.ResetsAt.Unix()))
		gauge(q.closed, truth(!quota.ClosedUntil.IsZero()))
		gauge(q.rate, quota.Rate)
	}
}

// WatchJobs adds how long ago each job last ran well. One that never did counts from now, so that an alert on an
// overdue job holds for it, too. Jobs without a schedule are nobody's to expect.
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
		if s.Schedule == "" {
			continue
		}
		last := s.LastSuccess
		if last.Before(j.since) {
			last = j.since
		}
		age := j.clock().Sub(last).Seconds()
		out <- prometheus.MustNewConstMetric(j.age, prometheus.GaugeValue, age, s.Name)
		out <- prometheus.MustNewConstMetric(j.failed, prometheus.GaugeValue, truth(s.LastError != ""), s.Name)
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("linkbroker_"+name, help, labels, nil)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
