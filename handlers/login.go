package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// loginView is what login.html shows.
type loginView struct {
	Next  string     // where to go then; empty = to the first page
	Wrong *wrongView // nil if nothing is
}

// showLogin answers GET /login.
func (a *api) showLogin(c *gin.Context, _ caller) error {
	return a.page(c, caller{}, "login", loginView{Next: param(c.Request.URL.RawQuery, "next")})
}

// login answers POST /login: a session for an administrator's key. A form is answered with pages.
func (a *api) login(c *gin.Context, _ caller) error {
	form := strings.HasPrefix(c.Request.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	who, next, err := a.logIn(c, form)
	note := entryOf(c)
	if err != nil {
		a.noteFailedLogin(note, err)
	} else {
		note.Actor = who.Name
		a.setCookie(c, a.sessions.open(who, a.Clock()))
	}
	switch {
	case err != nil && form:
		return a.tellLogin(c, next, err)
	case err != nil:
		a.refuse(c, err)
	case form:
		http.Redirect(c.Writer, c.Request, ownAddress(next), http.StatusSeeOther)
	default:
		c.Writer.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// logIn finds out whose key is shown, and where he wants to go. What is no administrator's key is told alike, and looked
// up alike.
func (a *api) logIn(c *gin.Context, form bool) (who caller, next string, err error) {
	if err := a.sameSite(c); err != nil {
		return caller{}, "", err
	}
	if !a.overTLS(c) && !onLoopback(c.Request) {
		return caller{}, "", broker.Errorf(broker.Forbidden, "a login needs TLS, or admin.public_url if a proxy speaks it, or loopback")
	}
	key, next, err := a.loginKey(c, form)
	if err != nil {
		return caller{}, "", err
	}
	done, err := a.limitLogin(c, key)
	if err != nil {
		return caller{}, next, err
	}
	who, err = a.whoHasKey(credential{key, secretKeys})
	if err != nil || !who.Role.Includes(broker.RoleAdmin) {
		return caller{}, next, broker.Errorf(broker.BadCredential, "this is no administrator's key")
	}
	done()
	return who, next, nil
}

// loginKey reads the key of a form or a JSON object.
func (a *api) loginKey(c *gin.Context, form bool) (key, next string, err error) {
	if form {
		values, err := a.form(c)
		return strings.TrimSpace(values.Get("key")), values.Get("next"), err
	}
	var in struct {
		Key string `json:"key"`
	}
	err = a.bodies.read(c.Request, func(data []byte) error { return decode(data, &in) })
	return in.Key, "", err
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
func (a *api) tellLogin(c *gin.Context, next string, err error) error {
	r, e := judge(err)
	if wait := retryAfter(r, e); wait > 0 {
		c.Writer.Header().Set("Retry-After", seconds(wait))
	}
	told := wrong(e, a.pageLanguage(c.Request))
	return a.pageWithStatus(c, caller{}, r.status, "login", loginView{Next: next, Wrong: &told})
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
