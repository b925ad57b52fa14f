package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// aliasRequest is what an administrator says of an alias. It takes what aliasView shows, so that an answer can be
// changed and sent back; what an administrator does not decide is not looked at.
type aliasRequest struct {
	Slug        string         `json:"slug"`
	App         string         `json:"app"`
	Path        *string        `json:"path"`
	Query       string         `json:"query"`
	Env         broker.Env     `json:"env_version"`
	CloudBase   cloudBase      `json:"cloud_base"`
	Extra       jsontext.Value `json:"extra"`
	Splice      bool           `json:"splice"`
	Title       string         `json:"title"`
	Tags        []string       `json:"tags"`
	StartsAt    time.Time      `json:"starts_at"`
	EndsAt      time.Time      `json:"ends_at"`
	FallbackURL string         `json:"fallback_url"`
	VisitLimit  number         `json:"visit_limit"`
	Disabled    bool           `json:"disabled"`

	URL       whatever       `json:"url"`
	State     whatever       `json:"state"`
	CreatedAt whatever       `json:"created_at"`
	ChangedAt whatever       `json:"changed_at"`
	Unknown   jsontext.Value `json:",embed"`
}

// alias gives what the domain works on.
func (in *aliasRequest) alias() (broker.Alias, error) {
	err := checkFields(in.Path, in.CloudBase, in.Unknown)
	switch {
	case err != nil:
		return broker.Alias{}, err
	case in.VisitLimit.value < 0:
		return broker.Alias{}, broker.Errorf(malformed, "visit_limit must not be negative")
	}
	target := broker.Target{
		App: in.App, Path: *in.Path, Query: in.Query, Env: in.Env, CloudBase: in.CloudBase.target(),
	}
	if in.Extra.Kind() != jsontext.KindNull {
		target.Extra = []byte(in.Extra)
	}
	return broker.Alias{
		Slug: in.Slug, Target: target, Splice: in.Splice, Title: in.Title, Tags: in.Tags, StartsAt: in.StartsAt, EndsAt: in.EndsAt,
		FallbackURL: in.FallbackURL, VisitLimit: uint64(in.VisitLimit.value), Disabled: in.Disabled,
	}, nil
}

// aliasView is an alias as an administrator sees it.
type aliasView struct {
	Slug        string         `json:"slug"`
	URL         string         `json:"url,omitempty"` // the permanent address; absent where public_url is not known
	State       string         `json:"state"`
	App         string         `json:"app"`
	Path        string         `json:"path"`
	Query       string         `json:"query"`
	Env         broker.Env     `json:"env_version"`
	CloudBase   *cloudBaseView `json:"cloud_base,omitzero"`
	Extra       jsontext.Value `json:"extra,omitempty"`
	Splice      bool           `json:"splice"`
	Title       string         `json:"title"`
	Tags        []string       `json:"tags"`
	StartsAt    time.Time      `json:"starts_at,omitzero"`
	EndsAt      time.Time      `json:"ends_at,omitzero"`
	FallbackURL string         `json:"fallback_url,omitempty"`
	VisitLimit  uint64         `json:"visit_limit,omitzero"`
	Disabled    bool           `json:"disabled"`
	CreatedAt   time.Time      `json:"created_at"`
	ChangedAt   time.Time      `json:"changed_at"`
}

func (a *api) viewAlias(alias broker.Alias) aliasView {
	t := alias.Target
	v := aliasView{
		Slug: alias.Slug, URL: a.permanentAddress(alias.Slug), State: stateOf(alias, a.Clock()),
		App: t.App, Path: t.Path, Query: t.Query, Env: t.Env, CloudBase: viewCloudBase(t.CloudBase), Extra: jsontext.Value(t.Extra),
		Splice: alias.Splice, Title: alias.Title, Tags: alias.Tags, StartsAt: alias.StartsAt, EndsAt: alias.EndsAt,
		FallbackURL: alias.FallbackURL, VisitLimit: alias.VisitLimit, Disabled: alias.Disabled,
		CreatedAt: alias.CreatedAt, ChangedAt: alias.ChangedAt,
	}
	if v.Tags == nil {
		v.Tags = []string{}
	}
	return v
}

// permanentAddress is what is printed, empty where public_url is not known.
func (a *api) permanentAddress(slug string) string {
	if a.PublicURL == "" {
		return ""
	}
	return a.PublicURL + visitPath + slug
}

// stateOf says whether an alias leads to a link, its visits aside.
func stateOf(alias broker.Alias, now time.Time) string {
	switch {
	case alias.Disabled:
		return "disabled"
	case now.Before(alias.StartsAt):
		return "not_yet"
	case !alias.EndsAt.IsZero() && !now.Before(alias.EndsAt):
		return "ended"
	default:
		return "open"
	}
}

// aliasParams are the parameters of listAliases.
//
//nolint:gochecknoglobals // a constant table
var aliasParams = map[string]func(q *broker.AliasQuery, value string) error{
	"q":      func(q *broker.AliasQuery, v string) error { q.Text = v; return nil },
	"app":    func(q *broker.AliasQuery, v string) error { q.App = v; return nil },
	"tag":    func(q *broker.AliasQuery, v string) error { q.Tag = v; return nil },
	"cursor": func(q *broker.AliasQuery, v string) error { q.Cursor = v; return nil },
	"limit":  func(q *broker.AliasQuery, v string) (err error) { q.Limit, err = parseLimit(v); return err },
}

// listAliases answers GET /api/v1/aliases.
func (a *api) listAliases(c *gin.Context, _ caller) error {
	var q broker.AliasQuery
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
		set, ok := aliasParams[name]
		if !ok {
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return set(&q, value)
	})
	if err != nil {
		return err
	}
	page, err := a.Broker.Aliases(c.Request.Context(), q)
	if err != nil {
		return err
	}
	items := make([]aliasView, 0, len(page.Aliases))
	for _, alias := range page.Aliases {
		items = append(items, a.viewAlias(alias))
	}
	writeJSON(c, http.StatusOK, struct {
		Items      []aliasView `json:"items"`
		NextCursor string      `json:"next_cursor,omitempty"` // absent on the last page
	}{items, page.NextCursor})
	return nil
}

// showAlias answers GET /api/v1/aliases/{slug}.
func (a *api) showAlias(c *gin.Context, _ caller) error {
	alias, err := a.Broker.Alias(c.Request.Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	etag := quoted(alias.ETag())
	if isKnown(c.Request, etag) {
		c.Writer.Header().Set("ETag", etag)
		c.Writer.WriteHeader(http.StatusNotModified)
		return nil
	}
	a.writeAlias(c, http.StatusOK, alias)
	return nil
}

// putAlias answers PUT /api/v1/aliases/{slug}.
func (a *api) putAlias(c *gin.Context, who caller) error {
	in, when, err := a.readAlias(c, who)
	slug := c.Param("slug")
	switch {
	case err != nil:
		return err
	case in.Slug != "" && !strings.EqualFold(in.Slug, slug):
		return broker.Errorf(malformed, "slug is another one than that of the address")
	}
	in.Slug = slug
	alias, created, err := a.Broker.PutAlias(c.Request.Context(), in, when)
	if err != nil {
		return err
	}
	entryOf(c).Object = alias.Slug
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	a.writeAlias(c, status, alias)
	return nil
}

// createAlias answers POST /api/v1/aliases: an alias of a slug that nobody guesses.
func (a *api) createAlias(c *gin.Context, who caller) error {
	in, _, err := a.readAlias(c, who)
	switch {
	case err != nil:
		return err
	case in.Slug != "":
		return broker.Errorf(malformed, "slug is drawn here: one of your choice goes into the address of a PUT")
	}
	in.Slug = broker.NewSlug()
	alias, _, err := a.Broker.PutAlias(c.Request.Context(), in, broker.Precondition{NoneMatch: true})
	if err != nil {
		return err
	}
	entryOf(c).Object = alias.Slug
	c.Writer.Header().Set("Location", "/api/v1/aliases/"+alias.Slug)
	a.writeAlias(c, http.StatusCreated, alias)
	return nil
}

// deleteAlias answers DELETE /api/v1/aliases/{slug}.
func (a *api) deleteAlias(c *gin.Context, _ caller) error {
	when, err := preconditionOf(c.Request)
	if err != nil {
		return err
	}
	if err := a.Broker.DeleteAlias(c.Request.Context(), c.Param("slug"), when); err != nil {
		return err
	}
	entryOf(c).Object = strings.ToLower(c.Param("slug"))
	c.Writer.WriteHeader(http.StatusNoContent)
	return nil
}

// readAlias reads what an alias shall be, and on what condition.
func (a *api) readAlias(c *gin.Context, who caller) (alias broker.Alias, when broker.Precondition, err error) {
	if when, err = preconditionOf(c.Request); err != nil {
		return alias, when, err
	}
	err = a.bodies.read(c.Request, func(data []byte) error {
		var in aliasRequest
		if err := decode(data, &in); err != nil {
			return err
		}
		alias, err = in.alias()
		return err
	})
	if err != nil {
		return alias, when, err
	}
	alias.Target.App, err = a.chooseApp(who, alias.Target.App)
	return alias, when, err
}

func (a *api) writeAlias(c *gin.Context, status int, alias broker.Alias) {
	c.Writer.Header().Set("ETag", quoted(alias.ETag()))
	writeJSON(c, status, a.viewAlias(alias))
}

// parseLimit reads how many items a page shall have.
func parseLimit(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 500 {
		return 0, broker.Errorf(malformed, "limit must be a number from 1 to 500")
	}
	return n, nil
}
