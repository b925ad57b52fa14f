package handlers

import (
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// quotaView is an app's quota as an administrator sees it.
type quotaView struct {
	App         string    `json:"app"`
	Day         string    `json:"day"` // in the app's quota zone
	Limit       int64     `json:"limit"`
	Used        int64     `json:"used"`
	Left        int64     `json:"left"`
	PrewarmLeft int64     `json:"prewarm_left"` // of it, what pre-warming may spend
	ResetsAt    time.Time `json:"resets_at"`
	ClosedUntil time.Time `json:"closed_until,omitzero"` // WeChat said that the quota is used up
	Rate        float64   `json:"rate"`                  // calls a second, at most

	Others       map[broker.Account]accountView `json:"others"`                  // quotas of other kinds of links
	OpeningsLeft *int64                         `json:"openings_left,omitempty"` // how often links may still be opened today, as WeChat said
	OpeningsAt   time.Time                      `json:"openings_at,omitzero"`    // at this moment
}

type accountView struct {
	Limit       int64     `json:"limit"`
	Used        int64     `json:"used"`
	Left        int64     `json:"left"`
	ClosedUntil time.Time `json:"closed_until,omitzero"`
}

// listQuota answers GET /api/v1/quota.
func (a *api) listQuota(c *gin.Context, _ caller) error {
	a.Broker.RefreshOpenings(c.Request.Context())
	quotas, err := a.Broker.Quotas(c.Request.Context())
	if err != nil {
		return err
	}
	items := make([]quotaView, 0, len(quotas))
	for _, q := range quotas {
		view := quotaView{
			App: q.App, Day: q.Day, Limit: q.Limit, Used: q.Used, Left: max(q.Limit-q.Used, 0), PrewarmLeft: q.PrewarmLeft,
			ResetsAt: utc(q.ResetsAt), ClosedUntil: utc(q.ClosedUntil), Rate: q.Rate, Others: map[broker.Account]accountView{},
		}
		for _, o := range q.Others {
			view.Others[o.Account] = accountView{o.Limit, o.Used, max(o.Limit-o.Used, 0), utc(o.ClosedUntil)}
		}
		if !q.Openings.At.IsZero() {
			view.OpeningsLeft, view.OpeningsAt = &q.Openings.Left, utc(q.Openings.At)
		}
		items = append(items, view)
	}
	writeItems(c, items)
	return nil
}
