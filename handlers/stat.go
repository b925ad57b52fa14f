package handlers

import (
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// visitsView is what came to an alias in a stretch of time.
type visitsView struct {
	Time     time.Time `json:"time,omitzero"` // when the stretch began; absent where it is all time
	WeChat   uint64    `json:"wechat"`
	IOS      uint64    `json:"ios"`
	Android  uint64    `json:"android"`
	Other    uint64    `json:"other"`
	Fallback uint64    `json:"fallback"` // who was sent there; they are none of the others
}

func viewVisits(s broker.Stat) visitsView {
	return visitsView{
		Time: utc(s.At), WeChat: s.Counts[string(broker.InWeChat)], IOS: s.Counts[string(broker.OnIOS)],
		Android: s.Counts[string(broker.OnAndroid)], Other: s.Counts[string(broker.Elsewhere)], Fallback: s.Counts[broker.FellBack],
	}
}

// How far back visits are told where nobody says from when.
const (
	hoursShown = 48 * time.Hour
	daysShown  = 90 * 24 * time.Hour
)

// stretch is the time of which counts are told, and by what.
type stretch struct {
	per      broker.Grain
	from, to time.Time
}

// parseStretch reads per, from and to; other parameters are for the one who asks. It is by the day and ends now, unless
// something else is asked.
func (a *api) parseStretch(query string, other func(name, value string) error) (stretch, error) {
	s := stretch{per: broker.Daily, to: a.Clock()}
	err := eachParam(query, func(name, value string) (err error) {
		switch name {
		case "per":
			s.per = broker.Grain(value)
		case "from":
			s.from, err = parseMoment(name, value)
		case "to":
			s.to, err = parseMoment(name, value)
		default:
			err = other(name, value)
		}
		return err
	})
	switch {
	case err != nil:
		return s, err
	case s.from.IsZero() && s.per == broker.Hourly:
		s.from = s.to.Add(-hoursShown)
	case s.from.IsZero():
		s.from = s.to.Add(-daysShown)
	case !s.from.Before(s.to):
		return s, broker.Errorf(malformed, "from must lie before to, which is now unless you say")
	}
	return s, nil
}

func noOther(name, _ string) error { return broker.Errorf(malformed, "unknown parameter %q", name) }

// listVisits answers GET /api/v1/aliases/{slug}/visits. Stretches in which nobody came are left out.
func (a *api) listVisits(c *gin.Context, _ caller) error {
	s, err := a.parseStretch(c.Request.URL.RawQuery, noOther)
	if err != nil {
		return err
	}
	stats, err := a.Broker.Visits(c.Request.Context(), c.Param("slug"), s.per, s.from, s.to)
	if err != nil {
		return err
	}
	items := make([]visitsView, 0, len(stats))
	for _, s := range stats {
		items = append(items, viewVisits(s))
	}
	writeItems(c, items)
	return nil
}

func parseMoment(name, value string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, value)
	if err != nil || outOfReach(t) {
		return t, broker.Errorf(malformed, "%s must be a moment such as 2026-03-01T00:00:00Z", name)
	}
	return t, nil
}

// outOfReach reports whether a moment cannot be told in JSON once it is in UTC.
func outOfReach(t time.Time) bool {
	year := t.UTC().Year()
	return year < 1 || year > 9999
}
