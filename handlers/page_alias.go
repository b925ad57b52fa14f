package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// aliasPageView is what alias.html shows: an alias and the form to change it, or the form for a new one.
type aliasPageView struct {
	a        *api
	ctx      context.Context //nolint:containedctx // it lives as long as the request
	who      caller
	texts    texts
	scheme   string
	now      time.Time
	rawQuery string

	Stored *broker.Alias // nil = it is a new one
	Form   aliasForm
	Wrong  *wrongView // why it was not stored
	Newer  []difference
	Gone   bool // somebody has deleted it meanwhile
}

func (a *api) aliasPage(c *gin.Context, who caller) aliasPageView {
	return aliasPageView{
		a: a, ctx: c.Request.Context(), who: who, texts: a.Pages.texts[a.pageLanguage(c.Request)], scheme: pageScheme(c.Request),
		now: a.Clock(), rawQuery: c.Request.URL.RawQuery,
	}
}

// newAliasPage answers GET /aliases/new.
func (a *api) newAliasPage(c *gin.Context, who caller) error {
	v := a.aliasPage(c, who)
	v.Form = aliasForm{App: a.onlyApp(who.Client), Env: string(broker.Release)}
	return a.page(c, who, "alias", v)
}

// showAliasPage answers GET /aliases/{slug}.
func (a *api) showAliasPage(c *gin.Context, who caller) error {
	alias, err := a.Broker.Alias(c.Request.Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	v := a.aliasPage(c, who)
	v.Stored, v.Form = &alias, aliasFormOf(alias, a.Pages.zone)
	return a.page(c, who, "alias", v)
}

// createAliasForm answers POST /aliases. Without a slug one is drawn.
func (a *api) createAliasForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	v := a.aliasPage(c, who)
	v.Form = readAliasForm(form)
	v.Form.ETag = ""
	in := v.Form
	if in.Slug == "" {
		in.Slug = broker.NewSlug()
	}
	alias, err := a.storeAlias(v, in, broker.Alias{}, broker.Precondition{NoneMatch: true})
	if err != nil {
		return a.tellAliasForm(c, v, err)
	}
	entryOf(c).Object = alias.Slug
	return a.goTo(c, who, "/aliases/"+alias.Slug, flash{"good", "alias.created", []any{alias.Slug}})
}

// saveAliasForm answers POST /aliases/{slug}. What somebody else has changed meanwhile is shown and not overwritten.
func (a *api) saveAliasForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	v := a.aliasPage(c, who)
	v.Form = readAliasForm(form)
	v.Form.Slug = c.Param("slug")
	old, err := a.Broker.Alias(v.ctx, v.Form.Slug)
	switch {
	case errors.Is(err, broker.NotFound): // the form goes on as one for a new alias
		v.Form.ETag, v.Gone = "", true
		return a.tellAliasForm(c, v, broker.Errorf(broker.PreconditionFailed, "there is no alias of this slug"))
	case err != nil:
		return err
	}
	v.Stored = &old
	alias, err := a.storeAlias(v, v.Form, old, broker.Precondition{Match: v.Form.ETag})
	if err != nil {
		return a.tellAliasForm(c, v, err)
	}
	entryOf(c).Object = alias.Slug
	return a.goTo(c, who, "/aliases/"+alias.Slug, flash{"good", "alias.saved", nil})
}

// storeAlias stores what a form makes of an alias.
func (a *api) storeAlias(v aliasPageView, form aliasForm, old broker.Alias, when broker.Precondition) (broker.Alias, error) {
	if when.Match != "" && when.Match != old.ETag() { // before anything is said of fields that are not of this alias
		return old, broker.Errorf(broker.PreconditionFailed, "the alias was changed meanwhile: read it again")
	}
	alias, err := form.alias(old, a.Pages.zone)
	if err != nil {
		return alias, err
	}
	if alias.Target.App, err = a.chooseApp(v.who, alias.Target.App); err != nil {
		return alias, err
	}
	alias, _, err = a.Broker.PutAlias(v.ctx, alias, when)
	return alias, err
}

// tellAliasForm shows a form again, with what is wrong. What only the operator can mend has a page of its own.
func (a *api) tellAliasForm(c *gin.Context, v aliasPageView, err error) error {
	r, e := judge(err)
	if r.status >= http.StatusInternalServerError {
		return err
	}
	entryOf(c).Action = "" // nothing was done
	told := wrong(e, v.texts.language)
	v.Wrong = &told
	if e.Code == broker.PreconditionFailed && v.Stored != nil {
		newer, err := a.Broker.Alias(v.ctx, v.Stored.Slug)
		if err != nil {
			return err
		}
		v.Stored, v.Newer = &newer, v.Form.differences(aliasFormOf(newer, a.Pages.zone))
		v.Form.ETag = newer.ETag() // who stores it again has seen what he overwrites
	}
	c.Request.URL.RawQuery = "" // the whole page
	return a.pageWithStatus(c, v.who, r.status, "alias", v)
}

// changeAliasForm answers POST /aliases/{slug}:enable and :disable.
func (a *api) changeAliasForm(disabled bool) func(*gin.Context, caller) error {
	return func(c *gin.Context, who caller) error {
		form, err := a.form(c)
		if err != nil {
			return err
		}
		alias, err := a.Broker.Alias(c.Request.Context(), c.Param("slug"))
		if err != nil {
			return err
		}
		alias.Disabled = disabled
		_, _, err = a.Broker.PutAlias(c.Request.Context(), alias, broker.Precondition{Match: form.Get("etag")})
		told := flash{"good", "alias.enabled", nil}
		if disabled {
			told.key = "alias.disabled"
		}
		return a.leaveAlias(c, who, "/aliases/"+alias.Slug, told, err)
	}
}

// deleteAliasForm answers POST /aliases/{slug}:delete.
func (a *api) deleteAliasForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	alias, err := a.Broker.Alias(c.Request.Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	err = a.Broker.DeleteAlias(c.Request.Context(), alias.Slug, broker.Precondition{Match: form.Get("etag")})
	to := "/aliases"
	if err != nil {
		to += "/" + alias.Slug
	}
	return a.leaveAlias(c, who, to, flash{"good", "alias.deleted", []any{alias.Slug}}, err)
}

// leaveAlias ends a form that is a button. If somebody else was faster, it says so on the page as it is now.
func (a *api) leaveAlias(c *gin.Context, who caller, to string, told flash, err error) error {
	switch {
	case errors.Is(err, broker.PreconditionFailed):
		entryOf(c).Action = ""
		told = flash{"warn", "alias.faster", nil}
	case err != nil:
		return err
	}
	return a.goTo(c, who, to, told)
}

// View is the alias as it is stored; nil for a new one.
func (v aliasPageView) View() (*aliasLine, error) {
	if v.Stored == nil {
		return nil, nil //nolint:nilnil // templates know nothing else
	}
	sums, err := v.Visits()
	line := aliasLine{v.a.viewAlias(*v.Stored), sums}
	line.State = sums.state(line.State)
	return &line, err
}

// Apps, Envs and Zone are for the form.
func (v aliasPageView) Apps() []broker.App { return v.a.Broker.Apps() }

// Envs are the versions to choose from.
func (aliasPageView) Envs() []string {
	return []string{string(broker.Release), string(broker.Trial), string(broker.Develop)}
}

// Zone names the one in which moments are typed.
func (v aliasPageView) Zone() string { return v.a.Pages.zone.String() }

// Kept is what the form has no fields for, as JSON; empty if there is nothing.
func (v aliasPageView) Kept() string {
	if v.Stored == nil || v.Stored.Target.CloudBase == nil && len(v.Stored.Target.Extra) == 0 {
		return ""
	}
	t := v.Stored.Target
	return string(encode(struct {
		CloudBase *cloudBaseView `json:"cloud_base,omitzero"`
		Extra     jsontext.Value `json:"extra,omitempty"`
	}{viewCloudBase(t.CloudBase), jsontext.Value(t.Extra)}))
}
