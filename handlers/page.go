package handlers

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// place is where the navigation leads.
type place struct{ Name, Path string }

// places are the pages of the navigation, in its order. Each has an icon of its name in icons.html and a message
// nav.NAME.
//
//nolint:gochecknoglobals // a constant table
var places = []place{
	{"overview", "/"},
	{"links", "/links"},
	{"aliases", "/aliases"},
	{"batch", "/batch"},
	{"tester", "/tester"},
	{"clients", "/clients"},
	{"audit", "/audit"},
	{"settings", "/settings"},
}

// Pages are the files of the admin page, read once. They are for the pages of one listener at most.
type Pages struct {
	templates map[pageIn]*template.Template
	texts     map[broker.Language]texts
	static    map[string]staticFile
	zone      *time.Location
}

// pageIn is a page in one of the languages: its templates speak it.
type pageIn struct {
	page     string
	language broker.Language
}

// NewPages reads the folders templates, static and messages. Moments are shown in the zone, and as long ago or to come
// as the clock says.
func NewPages(files fs.FS, zone *time.Location, clock broker.Clock) (*Pages, error) {
	p := &Pages{templates: make(map[pageIn]*template.Template), zone: zone}
	var err error
	if p.static, err = readStatic(files); err != nil {
		return nil, fmt.Errorf("reading the admin page: %w", err)
	}
	if p.texts, err = readTexts(files, zone, clock); err != nil {
		return nil, fmt.Errorf("reading the admin page: %w", err)
	}
	for _, language := range []broker.Language{broker.English, broker.Chinese} {
		if err := p.parse(files, language); err != nil {
			return nil, fmt.Errorf("reading the admin page: %w", err)
		}
	}
	return p, nil
}

// parse reads the templates of all pages. Each has a set of its own, because each defines "title" and "main".
func (p *Pages) parse(files fs.FS, language broker.Language) error {
	shared := template.New("")
	shared.Funcs(p.texts[language].funcs()).Funcs(template.FuncMap{
		"static": p.staticURL,
		"icon":   func(name string) (template.HTML, error) { return execute(shared, "icon-"+name, nil) },
	})
	if _, err := shared.ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/icons.html"); err != nil {
		return err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return err
	}
	for _, name := range names {
		page, err := shared.Clone()
		if err != nil {
			return err
		}
		if _, err := page.ParseFS(files, name); err != nil {
			return err
		}
		if page.Lookup("main") != nil {
			p.templates[pageIn{strings.TrimSuffix(path.Base(name), ".html"), language}] = page
		}
	}
	return nil
}

func execute(t *template.Template, name string, data any) (template.HTML, error) {
	var out strings.Builder
	err := t.ExecuteTemplate(&out, name, data)
	return template.HTML(out.String()), err //nolint:gosec // the template has escaped it
}

// frame is what layout.html shows around a page.
type frame struct {
	Who     string // is logged in; empty = nobody, who gets no navigation
	Lang    broker.Language
	Scheme  string
	Schemes []string
	Here    string // the address, to come back to
	Places  []placeView
	Flash   *flashView
	Version string
	View    any // what the page itself shows
}

type placeView struct {
	place
	Current bool
}

// page writes a page, or the one block of it that ?fragment= names: a live part asks for itself alone. The view is what
// the page's templates see; what it has to look up, it should have methods for, so that a fragment asks for no more
// than it shows.
func (a *api) page(c *gin.Context, who caller, name string, view any) error {
	return a.pageWithStatus(c, who, http.StatusOK, name, view)
}

func (a *api) pageWithStatus(c *gin.Context, who caller, status int, name string, view any) error {
	language := a.pageLanguage(c.Request)
	t := a.Pages.templates[pageIn{name, language}]
	var page bytes.Buffer
	var err error
	switch fragment := param(c.Request.URL.RawQuery, "fragment"); {
	case fragment == "":
		err = t.ExecuteTemplate(&page, "layout", a.frame(c, who, name, view))
	case t.Lookup("live-"+fragment) != nil:
		err = t.ExecuteTemplate(&page, "live-"+fragment, view)
	default:
		err = broker.Errorf(noRoute, "this page has no such part")
	}
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h["Content-Security-Policy"] = adminPolicy
	h["Content-Language"] = []string{string(language)}
	writeBytes(c, status, contentHTML, page.Bytes())
	return nil
}

func (a *api) frame(c *gin.Context, who caller, name string, view any) frame {
	language := a.pageLanguage(c.Request)
	f := frame{
		Lang: language, Scheme: pageScheme(c.Request), Schemes: schemes, Here: here(c.Request),
		Version: a.Version.Version, View: view,
	}
	if who.Client == nil {
		return f
	}
	f.Who = who.Name
	for _, p := range places {
		f.Places = append(f.Places, placeView{p, isBelow(name, p.Name)})
	}
	if flash, ok := a.sessions.takeFlash(who.session); ok {
		f.Flash = &flashView{flash.kind, a.Pages.texts[language].say(flash.key, flash.args...)}
	}
	return f
}

// here is where to come back to from a page: that which was asked for, or what a form was about, as in /clients/shop
// for /clients/shop:rotate.
func here(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	address, _, _ := strings.Cut(r.URL.EscapedPath(), ":")
	return address
}

// isBelow reports whether a page is that of a place, or one of a single thing there: link and link-new are below links.
func isBelow(page, place string) bool {
	page, _, _ = strings.Cut(page, "-")
	return page == place || page+"s" == place || page+"es" == place
}

// goTo ends a form: the browser asks for an own address next, where it is told how it went. A zero flash tells nothing.
func (a *api) goTo(c *gin.Context, who caller, address string, f flash) error {
	if f.key != "" {
		a.sessions.setFlash(who.session, f)
	}
	http.Redirect(c.Writer, c.Request, ownAddress(address), http.StatusSeeOther)
	return nil
}

// wrongView is how a page tells what went wrong: error.html, or the part "wrong" in another.
type wrongView struct {
	Code          broker.Code
	Title, Remedy string
	Detail, RID   string // Detail is English; empty if it says no more
}

// wrong puts an error into the words of a language.
func wrong(err error, language broker.Language) wrongView {
	r, e := judge(err)
	words, _ := explainCode(e.Code)
	v := wrongView{Code: e.Code, Title: words.Meaning.In(language), Remedy: words.Remedy.In(language), Detail: r.detail(e), RID: e.RID}
	if v.Detail == words.Meaning.English {
		v.Detail = ""
	}
	return v
}

// tellAdministrator shows a browser a page in place of a problem, and says whether it did.
func (a *api) tellAdministrator(c *gin.Context, r refusal, e *broker.Error) bool {
	if !a.admin || !asksForPage(c) {
		return false
	}
	if e.Code == unauthenticated {
		http.Redirect(c.Writer, c.Request, loginAddress(c.Request), http.StatusSeeOther)
		return true
	}
	who, _ := a.whoLoggedIn(c)
	c.Request.URL.RawQuery = "" // no fragment of a page that there is not
	if err := a.pageWithStatus(c, who, r.status, "error", wrong(e, a.pageLanguage(c.Request))); err != nil {
		a.Logger.Error("the page of an error could not be made", "error", err)
		return false
	}
	return true
}

// isPageKey is where a request keeps that its route is a page's.
const isPageKey = "is a page"

// asksForPage reports whether the answer should be a page. Where there is no route, the browser says so.
func asksForPage(c *gin.Context) bool {
	if c.FullPath() == "" {
		return strings.Contains(c.Request.Header.Get("Accept"), "text/html")
	}
	return c.GetBool(isPageKey)
}
