package handlers

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// aliasesView is what aliases.html shows.
type aliasesView struct {
	a     *api
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	Query broker.AliasQuery
	now   time.Time
}

// aliasesPage answers GET /aliases.
func (a *api) aliasesPage(c *gin.Context, who caller) error {
	query := c.Request.URL.RawQuery
	return a.page(c, who, "aliases", aliasesView{
		a: a, ctx: c.Request.Context(), now: a.Clock(),
		Query: broker.AliasQuery{Text: param(query, "q"), App: param(query, "app"), Tag: param(query, "tag"), Cursor: param(query, "cursor")},
	})
}

// Apps are those to choose from.
func (v aliasesView) Apps() []broker.App { return v.a.Broker.Apps() }

// Export is the address of the same aliases as a file.
func (v aliasesView) Export() string { return "/api/v1/aliases.csv" + v.filter("").asQuery() }

// Example is where an administrator's program sends its first alias.
func (v aliasesView) Example() string { return cmp.Or(v.a.AdminURL, "http://127.0.0.1:8081") }

// Filtered reports whether not all aliases are asked for.
func (v aliasesView) Filtered() bool { return v.Query != broker.AliasQuery{} }

// values are parameters of an address.
type values url.Values

// asQuery writes them behind a path.
func (v values) asQuery() string {
	if len(v) == 0 {
		return ""
	}
	return "?" + url.Values(v).Encode()
}

func (v aliasesView) filter(cursor string) values {
	all := values{}
	for name, value := range map[string]string{"q": v.Query.Text, "app": v.Query.App, "tag": v.Query.Tag, "cursor": cursor} {
		if value != "" {
			all[name] = []string{value}
		}
	}
	return all
}

// aliasList is a page of aliases.
type aliasList struct {
	Lines       []aliasLine
	First, Next string // addresses of other pages; empty = there is none
}

// aliasLine is an alias in the list.
type aliasLine struct {
	aliasView
	visitSums
}

// List looks the aliases up.
func (v aliasesView) List() (aliasList, error) {
	page, err := v.a.Broker.Aliases(v.ctx, v.Query)
	if err != nil {
		return aliasList{}, err
	}
	var list aliasList
	for _, alias := range page.Aliases {
		sums, err := v.a.sumVisits(v.ctx, alias, v.now)
		if err != nil {
			return aliasList{}, err
		}
		line := aliasLine{v.a.viewAlias(alias), sums}
		line.State = sums.state(line.State)
		list.Lines = append(list.Lines, line)
	}
	if page.NextCursor != "" {
		list.Next = "/aliases" + v.filter(page.NextCursor).asQuery()
	}
	if v.Query.Cursor != "" {
		list.First = "/aliases" + v.filter("").asQuery()
	}
	return list, nil
}

// Tagged is the address of the aliases with a tag.
func (v aliasesView) Tagged(tag string) string { return "/aliases" + values{"tag": {tag}}.asQuery() }

// Class is that of the pill of an alias's state.
func (v aliasView) Class() string {
	return map[string]string{"open": "good", "not_yet": "info", "ended": "", "disabled": "warn", "full": "warn"}[v.State]
}
