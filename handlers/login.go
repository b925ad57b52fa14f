package handlers

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

var (
	//go:embed admin.html
	adminHTML string
	//go:embed admin.css
	adminCSS string
)

// pages are those of the admin listener. They run no script.
type pages struct {
	templates *template.Template
	policy    []string
}

func newPages() pages {
	css := func() template.CSS { return template.CSS(adminCSS) } //nolint:gosec // our own file
	return pages{
		templates: template.Must(template.New("admin").Funcs(template.FuncMap{"css": css}).Parse(adminHTML)),
		policy:    pagePolicy(adminCSS, "'self'"),
	}
}

func (p pages) write(c *gin.Context, status int, name string, data any) error {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, data); err != nil {
		return err
	}
	c.Writer.Header()["Content-Security-Policy"] = p.policy
	writeBytes(c, status, contentHTML, page.Bytes())
	return nil
}

// showLogin answers GET /login.
func (a *api) showLogin(c *gin.Context, _ caller) error {
	return a.pages.write(c, http.StatusOK, "login", "")
}

// login answers POST /login: a session for an administrator's key. A form is answered with pages.
func (a *api) login(c *gin.Context, _ caller) error {
	form := strings.HasPrefix(c.Request.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	who, err := a.logIn(c, form)
	note := entryOf(c)
	if err != nil {
		a.noteFailedLogin(note, err)
	} else {
		note.Actor = who.Name
		a.setCookie(c, a.sessions.open(who, a.Clock()))
	}
	switch {
	case err != nil && form:
		return a.tellLogin(c, err)
	case err != nil:
		a.refuse(c, err)
	case form:
		http.Redirect(c.Writer, c.Request, "/", http.StatusSeeOther)
	default:
		c.Writer.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// logIn finds out whose key is shown. What is no administrator's key is told alike, and looked up alike.
func (a *api) logIn(c *gin.Context, form bool) (caller, error) {
	if err := a.sameSite(c); err != nil {
		return caller{}, err
	}
	if !a.overTLS(c) && !onLoopback(c.Request) {
		return caller{}, broker.Errorf(broker.Forbidden, "a login needs TLS, or admin.public_url if a proxy speaks it, or loopback")
	}
	key, err := a.loginKey(c, form)
	if err != nil {
		return caller{}, err
	}
	done, err := a.limitLogin(c, key)
	if err != nil {
		return caller{}, err
	}
	who, err := a.whoHasKey(credential{key, secretKeys})
	if err != nil || !who.Role.Includes(broker.RoleAdmin) {
		return caller{}, broker.Errorf(broker.BadCredential, "this is no administrator's key")
	}
	done()
	return who, nil
}

// loginKey reads the key of a form or a JSON object.
func (a *api) loginKey(c *gin.Context, form bool) (string, error) {
	var in struct {
		Key string `json:"key"`
	}
	err := a.bodies.read(c.Request, func(data []byte) error {
		if !form {
			return decode(data, &in)
		}
		values, err := url.ParseQuery(string(data))
		if err != nil {
			return broker.Errorf(malformed, "the form is badly encoded")
		}
		in.Key = strings.TrimSpace(values.Get("key"))
		return nil
	})
	return in.Key, err
}

// limitLogin counts a login before the key is looked at: beyond the limit a good key is refused like a wrong one. A
// login that was good does not count.
func (a *api) limitLogin(c *gin.Context, key string) (good func(), err error) {
	most := a.limits().FailedLoginsPerMinute
	if most == 0 {
		return func() {}, nil
	}
	const hintLength = 8
	address, hint, limit, now := a.address(c), key[:min(hintLength, len(key))], perMinute(most), a.Clock()
	if ok, _, after := a.limiters.loginAddresses.Take(address, limit, now); !ok {
		return nil, tooFast(after, "too many logins: wait")
	}
	if ok, _, after := a.limiters.loginHints.Take(hint, limit, now); !ok {
		return nil, tooFast(after, "too many logins: wait")
	}
	return func() {
		a.limiters.loginAddresses.Undo(address, limit)
		a.limiters.loginHints.Undo(hint, limit)
	}, nil
}

// noteFailedLogin has the audit name a login that failed, a few a minute: whoever tries keys must not fill the store.
func (a *api) noteFailedLogin(note *broker.AuditEntry, err error) {
	const noted = 10 // a minute
	note.Action, note.Actor = "", "nobody"
	if !errors.Is(err, broker.BadCredential) {
		return
	}
	if ok, _, _ := a.limiters.notes.Take(struct{}{}, perMinute(noted), a.Clock()); ok {
		note.Action = "login.failed"
	}
}

// tellLogin shows the login again, with what is wrong.
func (a *api) tellLogin(c *gin.Context, err error) error {
	e, ok := errors.AsType[*broker.Error](err)
	if !ok {
		return err
	}
	r := refusals[e.Code]
	if wait := retryAfter(r, e); wait > 0 {
		c.Writer.Header().Set("Retry-After", seconds(wait))
	}
	return a.pages.write(c, r.status, "login", r.detail(e))
}

// logout answers POST /logout.
func (a *api) logout(c *gin.Context, _ caller) error {
	if err := a.sameSite(c); err != nil {
		return err
	}
	note := entryOf(c)
	if who, ok := a.whoLoggedIn(c); ok {
		a.sessions.end(who.session)
		note.Actor = who.Name
	} else {
		note.Action = "" // of nobody
	}
	a.setCookie(c, "")
	http.Redirect(c.Writer, c.Request, "/login", http.StatusSeeOther)
	return nil
}

// start answers GET / on the admin listener.
func (a *api) start(c *gin.Context, _ caller) error {
	who, ok := a.whoLoggedIn(c)
	if !ok || !who.Role.Includes(broker.RoleAdmin) {
		http.Redirect(c.Writer, c.Request, "/login", http.StatusSeeOther)
		return nil
	}
	quotas, err := a.Broker.Quotas(c.Request.Context())
	if err != nil {
		return err
	}
	return a.pages.write(c, http.StatusOK, "start", struct {
		Name    string
		Version Version
		Quotas  []broker.Quota
		Jobs    []broker.JobStatus
		Routes  []routeView
	}{who.Name, a.Version, quotas, a.Jobs.Statuses(), viewRoutes(adminRoutes(a))})
}

type routeView struct {
	Method, Path string
	Role         broker.Role
}

func viewRoutes(routes []route) (views []routeView) {
	for _, r := range routes {
		views = append(views, routeView{r.method, r.path, r.role})
	}
	return views
}
