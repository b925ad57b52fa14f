package handlers

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// How much of the audit a page shows, and how much of it is looked through for what somebody searches: it has no index.
const (
	auditPage   = 50
	auditLooked = 5000
)

// auditView is what audit.html shows.
type auditView struct {
	Text   string // that is searched for
	Before uint64 // where the page begins; 0 = with the newest

	a     *api
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	texts texts
}

// auditRow is an entry as the page shows it.
type auditRow struct {
	broker.AuditEntry

	Words string // what was done, in words; empty for what has none
}

// auditRows are a page of entries.
type auditRows struct {
	Rows []auditRow
	Next string    // the address of the older ones; empty = there are none
	Till time.Time // to which the audit was looked through, if that is not its end
}

// Full reports whether a page is full: else the search ended before it found more.
func (r auditRows) Full() bool { return len(r.Rows) == auditPage }

// auditPage answers GET /audit.
func (a *api) auditPage(c *gin.Context, who caller) error {
	query := c.Request.URL.RawQuery
	view := auditView{
		Text: strings.TrimSpace(param(query, "q")), a: a, ctx: c.Request.Context(), texts: a.Pages.texts[a.pageLanguage(c.Request)],
	}
	if before := param(query, "before"); before != "" {
		var err error
		if view.Before, err = strconv.ParseUint(before, 10, 64); err != nil {
			return broker.Errorf(malformed, "before must be the id of an entry")
		}
	}
	return a.page(c, who, "audit", view)
}

// Entries are those of the page. A search ends with the page full, or after so many entries: then the next page goes on.
func (v auditView) Entries() (found auditRows, err error) {
	before, wanted := v.Before, strings.ToLower(v.Text)
	for looked := 0; looked < auditLooked; {
		most := auditPage
		if wanted != "" {
			most = 500
		}
		entries, err := v.a.Broker.AuditLog(v.ctx, before, most)
		if err != nil {
			return found, err
		}
		for _, entry := range entries {
			before = entry.ID
			found.Till = entry.At
			if row := v.row(entry); row.has(wanted) {
				found.Rows = append(found.Rows, row)
			}
			if looked++; len(found.Rows) == auditPage {
				break
			}
		}
		if len(entries) < most && len(found.Rows) < auditPage {
			return found, nil // that was its beginning
		}
		if len(found.Rows) == auditPage {
			break
		}
	}
	found.Next = v.At(before)
	return found, nil
}

func (v auditView) row(entry broker.AuditEntry) auditRow {
	return auditRow{entry, v.texts.or("", "did."+entry.Action)}
}

// has reports whether the entry has a text, in small letters, in what is shown of it.
func (r auditRow) has(text string) bool {
	for _, part := range []string{r.Actor, r.Action, r.Object, r.Address, r.Detail, r.Words} {
		if strings.Contains(strings.ToLower(part), text) {
			return true
		}
	}
	return false
}

// At is the address of the page that begins before an entry.
func (v auditView) At(before uint64) string {
	query := url.Values{}
	if v.Text != "" {
		query.Set("q", v.Text)
	}
	if before != 0 {
		query.Set("before", strconv.FormatUint(before, 10))
	}
	if len(query) == 0 {
		return "/audit"
	}
	return "/audit?" + query.Encode()
}
