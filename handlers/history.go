package handlers

import (
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// statView is what happened in a stretch of time.
type statView struct {
	Time   time.Time         `json:"time"` // when the stretch began
	Counts map[string]uint64 `json:"counts"`
}

// listStats answers GET /api/v1/stats: what happened, hour by hour or day by day. Stretches in which nothing did are
// left out.
func (a *api) listStats(c *gin.Context, _ caller) error {
	series := map[string]string{"answers": broker.AnswersOf, "calls": broker.CallsOf, "clients": broker.AskedBy}
	var of, name string
	s, err := a.parseStretch(c.Request.URL.RawQuery, func(param, value string) error {
		switch param {
		case "of":
			of = series[value]
		case "name":
			name = value
		default:
			return noOther(param, value)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case of == "":
		return broker.Errorf(malformed, "of must be answers, calls or clients")
	case name == "":
		return broker.Errorf(malformed, "name must be the appid whose answers or calls, or the client whose requests, are asked for")
	}
	stats, err := a.Broker.History(c.Request.Context(), of+name, s.per, s.from, s.to)
	if err != nil {
		return err
	}
	items := make([]statView, 0, len(stats))
	for _, stat := range stats {
		items = append(items, statView{utc(stat.At), stat.Counts})
	}
	writeItems(c, items)
	return nil
}
