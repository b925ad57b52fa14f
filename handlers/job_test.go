package handlers_test

import (
	"slices"
	"strings"
	"testing"

	"linkbroker/broker"
)

func TestJobs(t *testing.T) {
	w := newWorld(t)
	w.jobs.more = []broker.JobStatus{{Name: "verify", Elsewhere: true}}
	out := w.administer("GET", "/api/v1/jobs")
	for _, want := range []string{
		`{"items":[{"name":"purge","schedule":"@every 1m","running":false,"last_start":"2026-03-01T03:58:59Z","last_seconds":1.5,`,
		`"last_counts":{"purged":3},"last_success":"2026-03-01T03:59:00Z","seconds_since_success":59,"next_start":"2026-03-01T04:01:00Z","runs":2,"failures":1}`,
		`"last_error":"disk full"`,
		`{"name":"check","schedule":"","running":false,"last_seconds":0,"runs":0,"failures":0}`,
		`{"name":"verify","schedule":"","running":false,"last_seconds":0,"runs":0,"failures":0,"elsewhere":true}`,
	} {
		if !strings.Contains(out.text(), want) {
			t.Errorf("%s is missing in %s", want, out.text())
		}
	}
	out = w.administer("POST", "/api/v1/jobs/purge:run")
	if out.Code != 200 || !strings.Contains(out.text(), `"name":"purge"`) || !slices.Equal(w.jobs.ran, []string{"purge"}) {
		t.Errorf("run by hand: %d %s, ran %v", out.Code, out.text(), w.jobs.ran)
	}
}
