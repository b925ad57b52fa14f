package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// entryKey is where a request keeps its entry of the audit.
const entryKey = "audit entry"

// entryOf gives the entry of a request whose route is audited. A handler may say in it what the route cannot know: who
// it was and to what; without an action nothing is noted.
func entryOf(c *gin.Context) *broker.AuditEntry {
	return c.MustGet(entryKey).(*broker.AuditEntry) //nolint:errcheck,forcetypeassert // audited has set it
}

// audited is the handler of an audited route: what it did is noted once it is done, and also where nobody can say
// whether it is. The caller has his answer even if that fails; one who hangs up does not keep it out of the audit.
func (a *api) audited(r route) func(*gin.Context, caller) error {
	return func(c *gin.Context, who caller) error {
		entry := &broker.AuditEntry{Action: r.audit, Address: c.ClientIP()}
		if who.Client != nil {
			entry.Actor = who.Name
		}
		if len(c.Params) > 0 {
			entry.Object = c.Params[len(c.Params)-1].Value
		}
		c.Set(entryKey, entry)
		err := r.handle(c, who)
		if entry.Action == "" || err != nil && !mayBeDone(err) {
			return err
		}
		if err != nil {
			why := broker.CodeOf(err)
			if errors.Is(err, context.Canceled) {
				why = hungUp
			}
			entry.Detail = strings.TrimPrefix(entry.Detail+"; it may have been done: "+string(why), "; ")
		}
		if err := a.Broker.Audit(context.WithoutCancel(c.Request.Context()), *entry); err != nil {
			a.Logger.Error("an entry of the audit could not be written",
				"actor", entry.Actor, "action", entry.Action, "object", entry.Object, "error", err)
		}
		return err
	}
}

// mayBeDone reports whether an action that failed so may have taken effect all the same: what is under way goes on
// when its asker hangs up or a deadline passes.
func mayBeDone(err error) bool {
	return errors.Is(err, broker.Unavailable) || errors.Is(err, broker.StoreFailed) || errors.Is(err, broker.Internal) ||
		errors.Is(err, hungUp) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// listAudit answers GET /api/v1/audit: a page of entries, newest first.
func (a *api) listAudit(c *gin.Context, _ caller) error {
	limit, before := 100, uint64(0)
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) (err error) {
		switch name {
		case "limit":
			if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > 500 {
				return broker.Errorf(malformed, "limit must be a number from 1 to 500")
			}
		case "before":
			if before, err = strconv.ParseUint(value, 10, 64); err != nil {
				return broker.Errorf(malformed, "before must be the id of an entry")
			}
		default:
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	entries, err := a.Broker.AuditLog(c.Request.Context(), before, limit)
	if err != nil {
		return err
	}
	page := struct {
		Items      []broker.AuditEntry `json:"items"`
		NextBefore uint64              `json:"next_before,omitzero"` // absent on the last page
	}{Items: entries}
	if page.Items == nil {
		page.Items = []broker.AuditEntry{}
	}
	if len(entries) == limit {
		page.NextBefore = entries[len(entries)-1].ID
	}
	writeJSON(c, http.StatusOK, page)
	return nil
}
