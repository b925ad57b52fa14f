package handlers

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// linksView is what links.html shows.
type linksView struct {
	a     *api
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	texts texts
	query broker.Query
	asked url.Values // what the address says
}

// links answers GET /links. It takes what listLinks takes, but goes by the end of links where that goes by their key: what
// ends next is what an administrator looks for, and both are read from where the page begins.
func (a *api) links(c *gin.Context, who caller) error {
	v := linksView{a: a, ctx: c.Request.Context(), texts: a.Pages.texts[a.pageLanguage(c.Request)], asked: url.Values{}}
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
		set, ok := queryParams[name]
		switch {
		case name == "fragment", ok && value == "": // a form names all its fields
			return nil
		case !ok:
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		v.asked.Set(name, value)
		return set(&v.query, value)
	})
	if err != nil {
		return err
	}
	v.query.Text = strings.TrimSpace(v.query.Text)
	v.query.Sort = cmp.Or(v.query.Sort, "expires")
	return a.page(c, who, "links", v)
}

// Asked is what the address says of a field.
func (v linksView) Asked(name string) string { return v.asked.Get(name) }

// Filtered reports whether the list is of some links only.
func (v linksView) Filtered() bool {
	for name := range v.asked {
		if name != "sort" && name != "limit" && name != "cursor" {
			return true
		}
	}
	return false
}

// What the filters offer. A field that is filled in otherwise, from an address, offers that as well.

// Apps are the mini programs; none where there is no choice.
func (v linksView) Apps() []string {
	var apps []string
	for _, app := range v.a.Broker.Apps() {
		apps = append(apps, app.ID)
	}
	if apps = v.with("app", apps); len(apps) < 2 {
		return nil
	}
	return apps
}

// Kinds are those of which links are stored.
func (v linksView) Kinds() []broker.Kind { return storedKinds() }

// storedKinds are the kinds whose links are kept, because WeChat makes them.
func storedKinds() []broker.Kind {
	return slices.DeleteFunc(broker.Kinds(), func(k broker.Kind) bool { return len(broker.Target{Kind: k}.Accounts()) == 0 })
}

// Envs are the versions of a mini program.
func (v linksView) Envs() []broker.Env { return envs() }

func envs() []broker.Env { return []broker.Env{broker.Release, broker.Trial, broker.Develop} }

// States are how a link can stand.
func (v linksView) States() []broker.State {
	return []broker.State{broker.Alive, broker.Dead, broker.Pinned}
}

// Withins are within which links may end.
func (v linksView) Withins() []string {
	return v.with("expiring_within", []string{"24h", "72h", "240h"})
}

// Clients may have asked first.
func (v linksView) Clients() []string { return v.with("asked_by", clientNames(v.a.Clients)) }

func clientNames(clients *broker.Clients) []string {
	var names []string
	for _, client := range clients.List() {
		names = append(names, client.Name)
	}
	return names
}

// Within is how such a length of time is written.
func (v linksView) Within(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	return v.texts.length(d, 2)
}

func (v linksView) with(name string, values []string) []string {
	if value := v.Asked(name); value != "" && !slices.Contains(values, value) {
		values = append(values, value)
	}
	return values
}

// Sorts are the orders, the cheap one first.
func (v linksView) Sorts() []string {
	return []string{"expires", "-expires", "-uses", "uses", "-generated", "generated", "-used", "used"}
}

// Sort is the present one.
func (v linksView) Sort() string { return v.query.Sort }

// Limits are how many links a page may have.
func (v linksView) Limits() []string { return []string{"50", "200", "500"} }

// at gives the address of the list with another cursor: where a page begins, or empty.
func (v linksView) at(cursor string) string {
	asked := url.Values{}
	for name, values := range v.asked {
		asked[name] = values
	}
	if asked.Del("cursor"); cursor != "" {
		asked.Set("cursor", cursor)
	}
	if len(asked) == 0 {
		return "/links"
	}
	return "/links?" + asked.Encode()
}

// Here is the address of the list as it is.
func (v linksView) Here() string { return v.at(v.query.Cursor) }

// Export is where all links of the filter are to be had.
func (v linksView) Export() string {
	asked, _ := url.ParseQuery(v.asked.Encode())
	for _, name := range []string{"sort", "limit", "cursor"} {
		asked.Del(name)
	}
	return strings.TrimSuffix("/api/v1/links.csv?"+asked.Encode(), "?")
}

// Census is what stands in the store; nil before the first count.
func (v linksView) Census() *broker.Census {
	return v.a.census(v.ctx)
}

// Example is where to send a first request.
func (v linksView) Example() string { return v.a.example() }

// example is the address of the public listener for lines that are to be pasted.
func (a *api) example() string { return cmp.Or(a.PublicURL, "http://127.0.0.1:8080") }

// linkRows is one page of the list.
type linkRows struct {
	Links []listedLink
	Next  string // where the next page is; empty on the last
	First string // where the first page is; empty on it
	Left  string // what is left today of the quotas that renewals would take from
}

// listedLink is a link as the list shows it.
type listedLink struct {
	broker.Link

	Alive bool
}

// Rows reads the page.
func (v linksView) Rows() (linkRows, error) {
	page, err := v.a.Broker.Links(v.ctx, v.query)
	if err != nil {
		return linkRows{}, err
	}
	var rows linkRows
	var targets []broker.Target
	now := v.a.Clock()
	for _, link := range page.Links {
		rows.Links = append(rows.Links, listedLink{link, link.Outlives(now)})
		targets = append(targets, link.Target)
	}
	if page.NextCursor != "" {
		rows.Next = v.at(page.NextCursor)
	}
	if v.query.Cursor != "" {
		rows.First = v.at("")
	}
	rows.Left, err = v.a.quotaLeft(v.ctx, v.texts, targets...)
	return rows, err
}
