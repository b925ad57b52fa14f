package handlers

import (
	"time"

	"github.com/gin-gonic/gin"
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
}

// listQuota answers GET /api/v1/quota.
func (a *api) listQuota(c *gin.Context, _ caller) error {
	quotas, err := a.Broker.Quotas(c.Request.Context())
	if err != nil {
		return err
	}
	items := make([]quotaView, 0, len(quotas))
	for _, q := range quotas {
		items = append(items, quotaView{
			App: q.App, Day: q.Day, Limit: q.Limit, Used: q.Used, Left: max(q.Limit-q.Used, 0), PrewarmLeft: q.PrewarmLeft,
			ResetsAt: utc(q.ResetsAt), ClosedUntil: utc(q.ClosedUntil), Rate: q.Rate,
		})
	}
	writeItems(c, items)
	return nil
}
