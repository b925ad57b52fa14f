package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// censusView is what stands in the store, as it was counted last.
type censusView struct {
	At          time.Time      `json:"at"`
	Seconds     float64        `json:"seconds"` // that counting took
	Links       int            `json:"links"`
	ByTimeLeft  timeLeftView   `json:"by_time_left"`
	RenewedSoon int            `json:"renewed_soon"` // by pre-warming, within a day
	Pages       []pageUsesView `json:"pages"`        // those with the most uses
}

// timeLeftView counts links by what they have left, each class without those before it.
type timeLeftView struct {
	Dead    int `json:"dead"`
	Day     int `json:"1d"`
	Days3   int `json:"3d"`
	Days10  int `json:"10d"`
	Further int `json:"later"`
}

type pageUsesView struct {
	App   string `json:"app"`
	Path  string `json:"path"`
	Links int    `json:"links"`
	Uses  uint64 `json:"uses"`
}

// census gives a copy of what was counted last; nil before the first count.
func (a *api) census(ctx context.Context) *broker.Census {
	census, ok := a.Broker.Census(ctx)
	if !ok {
		return nil
	}
	return &census
}

// showCensus answers GET /api/v1/census.
func (a *api) showCensus(c *gin.Context, _ caller) error {
	census := a.census(c.Request.Context())
	if census == nil {
		return broker.Errorf(broker.NotFound, "nothing has been counted yet: run the job census, or wait for it")
	}
	left := census.ByTimeLeft
	view := censusView{
		At: utc(census.At), Seconds: census.Took.Seconds(), Links: census.Links, RenewedSoon: census.RenewedSoon,
		ByTimeLeft: timeLeftView{left[0], left[1], left[2], left[3], left[4]}, Pages: []pageUsesView{},
	}
	for _, page := range census.Pages {
		view.Pages = append(view.Pages, pageUsesView(page))
	}
	writeJSON(c, http.StatusOK, view)
	return nil
}
