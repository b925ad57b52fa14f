package handlers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// linkView is a link as an administrator sees it. What it has in common with linkRequest has the same names.
type linkView struct {
	Key broker.Key `json:"key"`
	URL string     `json:"url"`
	targetView
	AnswerExtra jsontext.Value `json:"answer_extra,omitempty"` // fields of WeChat's answer that only WeChat knows

	GeneratedAt time.Time `json:"generated_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	UsedAt      time.Time `json:"used_at,omitzero"`
	Uses        uint64    `json:"uses"`
	Pinned      bool      `json:"pinned"`
	Alive       bool      `json:"alive"`
}

func (a *api) view(l broker.Link) linkView {
	return linkView{
		Key: l.Key, URL: l.URL, targetView: viewTarget(l.Target), AnswerExtra: jsontext.Value(l.Extra),
		GeneratedAt: utc(l.GeneratedAt), ExpiresAt: utc(l.ExpiresAt), UsedAt: utc(l.UsedAt),
		Uses: l.Uses, Pinned: l.Pinned, Alive: l.Outlives(a.Clock()),
	}
}

// listLinks answers GET /api/v1/links.
func (a *api) listLinks(c *gin.Context, _ caller) error {
	var q broker.Query
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
		set, ok := queryParams[name]
		if !ok {
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return set(&q, value)
	})
	if err != nil {
		return err
	}
	page, err := a.Broker.Links(c.Request.Context(), q)
	if err != nil {
		return err
	}
	items := make([]linkView, 0, len(page.Links))
	for _, link := range page.Links {
		items = append(items, a.view(link))
	}
	writeJSON(c, http.StatusOK, struct {
		Items      []linkView `json:"items"`
		NextCursor string     `json:"next_cursor,omitempty"` // absent on the last page
	}{items, page.NextCursor})
	return nil
}

// queryParams are the parameters of listLinks.
//
//nolint:gochecknoglobals // a constant table
var queryParams = map[string]func(q *broker.Query, value string) error{
	"q":        func(q *broker.Query, v string) error { q.Text = v; return nil },
	"app":      func(q *broker.Query, v string) error { q.App = v; return nil },
	"kind":     func(q *broker.Query, v string) error { q.Kind = broker.Kind(v); return nil },
	"env":      func(q *broker.Query, v string) error { q.Env = broker.Env(v); return nil },
	"state":    func(q *broker.Query, v string) (err error) { q.State, err = parseState(v); return err },
	"asked_by": func(q *broker.Query, v string) error { q.AskedBy = v; return nil },
	"sort":     func(q *broker.Query, v string) error { q.Sort = v; return nil },
	"cursor":   func(q *broker.Query, v string) error { q.Cursor = v; return nil },
	"limit":    func(q *broker.Query, v string) (err error) { q.Limit, err = parseLimit(v); return err },
	"expiring_within": func(q *broker.Query, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return broker.Errorf(malformed, `expiring_within must be a length of time such as "72h"`)
		}
		q.ExpiringWithin = d
		return nil
	},
}

// parseState reads a state; an export, which has no order to check, would take an unknown one for any.
func parseState(text string) (broker.State, error) {
	switch state := broker.State(text); state {
	case broker.Alive, broker.Dead, broker.Pinned:
		return state, nil
	default:
		return "", broker.Errorf(malformed, "state must be alive, dead or pinned")
	}
}

// showLink answers GET /api/v1/links/{key}.
func (a *api) showLink(c *gin.Context, _ caller) error {
	return a.withKey(c, func(key broker.Key) error {
		link, err := a.Broker.Link(c.Request.Context(), key)
		return a.writeLink(c, link, err)
	})
}

// deleteLink answers DELETE /api/v1/links/{key}.
func (a *api) deleteLink(c *gin.Context, _ caller) error {
	return a.withKey(c, func(key broker.Key) error {
		if err := a.Broker.Delete(c.Request.Context(), key); err != nil {
			return err
		}
		c.Writer.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// renewLink answers POST /api/v1/links/{key}:renew.
func (a *api) renewLink(c *gin.Context, _ caller) error {
	return a.withKey(c, func(key broker.Key) error {
		answer, err := a.Broker.Renew(c.Request.Context(), key)
		if err != nil {
			return err
		}
		a.answer(c, &answer, false)
		return nil
	})
}

// verifyLink answers POST /api/v1/links/{key}:verify.
func (a *api) verifyLink(c *gin.Context, _ caller) error {
	return a.withKey(c, func(key broker.Key) error {
		done, err := a.Broker.Verify(c.Request.Context(), key)
		if err != nil {
			return err
		}
		writeJSON(c, http.StatusOK, struct {
			Verdict broker.Verdict `json:"verdict"`
			Link    linkView       `json:"link"`
		}{done.Verdict, a.view(done.Link)})
		return nil
	})
}

// pinLink answers POST /api/v1/links/{key}:pin.
func (a *api) pinLink(c *gin.Context, _ caller) error { return a.pin(c, true) }

// unpinLink answers DELETE /api/v1/links/{key}:pin.
func (a *api) unpinLink(c *gin.Context, _ caller) error { return a.pin(c, false) }

func (a *api) pin(c *gin.Context, pinned bool) error {
	return a.withKey(c, func(key broker.Key) error {
		link, err := a.Broker.Pin(c.Request.Context(), key, pinned)
		return a.writeLink(c, link, err)
	})
}

func (a *api) withKey(c *gin.Context, do func(key broker.Key) error) error {
	key, err := broker.ParseKey(c.Param("key"))
	if err != nil {
		return err
	}
	return do(key)
}

func (a *api) writeLink(c *gin.Context, link broker.Link, err error) error {
	if err != nil {
		return err
	}
	writeJSON(c, http.StatusOK, a.view(link))
	return nil
}

// utc gives a moment as the native interface shows it: UTC, whole seconds. The zero moment stays zero.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
