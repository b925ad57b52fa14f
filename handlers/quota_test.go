package handlers_test

import (
	"strings"
	"testing"

	"linkbroker/broker"
)

func TestQuota(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	out := w.administer("GET", "/api/v1/quota")
	want := `{"items":[{"app":"` + appA + `","day":"2026-03-01","limit":500000,"used":1,"left":499999,"prewarm_left":249999,"resets_at":"2026-03-01T16:00:00Z","rate":150,` +
		`"others":{"permanent_short_links":{"limit":100000,"used":0,"left":100000},"short_links":{"limit":1000000,"used":0,"left":1000000}},` +
		`"openings_left":5999999,"openings_at":"2026-03-01T04:00:00Z"},`
	if !strings.HasPrefix(out.text(), want) {
		t.Errorf("got  %s\nwant %s", out.text(), want)
	}
	w.weChat.fail(upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"))
	w.ask("POST", "/api/v1/links", `{"path":"q"}`, as(shopKey))
	if out := w.administer("GET", "/api/v1/quota"); !strings.Contains(out.text(), `"closed_until":"2026-03-01T16:00:00Z"`) {
		t.Errorf("the latch is not shown: %s", out.text())
	}
}
