package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// clientPage is what client.html shows.
type clientPage struct {
	broker.Client

	a     *api
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	now   time.Time
	Key   string // one that was made just now, and stands here alone
	Self  bool   // it is whose key the page is looked at with
	Wrong *wrongView
	Form  clientForm
}

// clientPage answers GET /clients/{name}.
func (a *api) clientPage(c *gin.Context, who caller) error {
	return a.showClientPage(c, who, http.StatusOK, c.Param("name"), "", nil)
}

func (a *api) showClientPage(c *gin.Context, who caller, status int, name, key string, told *wrongView) error {
	view, err := a.viewClientPage(c, who, name)
	if err != nil {
		return err
	}
	view.Key, view.Wrong = key, told
	return a.pageWithStatus(c, who, status, "client", view)
}

func (a *api) viewClientPage(c *gin.Context, who caller, name string) (clientPage, error) {
	client, ok := a.Clients.ByName(name)
	if !ok {
		return clientPage{}, broker.Errorf(broker.NotFound, "no client is named %q", name)
	}
	form := a.clientForm(formOfGrant(clientFields{Role: client.Role, ExpiresAt: client.ExpiresAt, Grant: client.Grant}, a.Pages.zone), nil)
	form.New = false
	return clientPage{
		Client: client, a: a, ctx: c.Request.Context(), now: a.Clock(), Self: client.Name == who.Name, Form: form,
	}, nil
}

// Row is how the client fares today. A key that was made just now must be told even where that cannot be.
func (v clientPage) Row() (clientRow, error) {
	row, err := v.a.clientRow(v.ctx, v.Client, v.now)
	if v.Key != "" {
		err = nil
	}
	return row, err
}

// Month is how many requests there were within 30 days.
func (v clientPage) Month() (n uint64, err error) {
	days, err := v.a.history(v.ctx, broker.Daily, 30, v.now, broker.AskedBy+v.Name)
	for _, day := range days {
		for _, count := range day.Counts {
			n += count
		}
	}
	if v.Key != "" {
		err = nil
	}
	return n, err
}

// Newest is the hint of the key that a new one follows.
func (v clientPage) Newest() string {
	if len(v.Keys) == 0 {
		return ""
	}
	return v.Keys[len(v.Keys)-1].Hint
}

// Lives reports whether a key works at present, if its client does.
func (v clientPage) Lives(key broker.ClientKey) bool {
	return key.ExpiresAt.IsZero() || v.now.Before(key.ExpiresAt)
}

// Overlaps are how long the present key may work beside a new one.
func (v clientPage) Overlaps() []choice {
	return []choice{{"0s", false}, {"1h", false}, {"24h", true}, {"72h", false}, {"168h", false}, {"720h", false}}
}

// PublicURL is where the client asks.
func (v clientPage) PublicURL() string { return cmp.Or(v.a.PublicURL, "http://127.0.0.1:8080") }

// OnlyApp reports whether a request of the client's need not name an app.
func (v clientPage) OnlyApp() bool { return v.a.onlyApp(&v.Client) != "" }

// updateClientForm answers POST /clients/{name}.
func (a *api) updateClientForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	name := c.Param("name")
	err = a.Clients.Update(c.Request.Context(), name, func(client *broker.Client) error {
		if err := unchanged(*client, form.Get("etag")); err != nil {
			return err
		}
		fields, err := a.readClientForm(form, *client)
		if err != nil {
			return err
		}
		client.Role, client.ExpiresAt, client.Grant = fields.Role, fields.ExpiresAt, fields.Grant
		return nil
	})
	if err == nil {
		return a.goTo(c, who, clientAddress(name), flash{"good", "client.saved", []any{name}})
	}
	view, e := a.viewClientPage(c, who, name)
	if e != nil {
		return e // there is none: nothing was changed
	}
	overtaken := errors.Is(err, broker.PreconditionFailed)
	status, told, err := a.undone(c, err)
	if err != nil {
		return err
	}
	if overtaken { // the form now has the newer tag: who saves it again knows that he overwrites
		told.Remedy, told.Detail = a.Pages.texts[a.pageLanguage(c.Request)].say("client.faster", name), ""
	}
	view.Form = a.clientForm(form, told)
	view.Form.New = false
	return a.pageWithStatus(c, who, status, "client", view)
}

// clientAddress is that of a client's page. A name needs no escaping.
func clientAddress(name string) string { return "/clients/" + name }

// rotateClientForm answers POST /clients/{name}:rotate with the page of the client, on which the new key stands this
// once. The form says which key is to be followed, so that a reload makes no further one and ends none.
func (a *api) rotateClientForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	name := c.Param("name")
	overlap, err := time.ParseDuration(form.Get("overlap"))
	hint := form.Get("follows")
	if err != nil || hint == "" {
		err = broker.Errorf(malformed, "the form says which key is to be followed, and for how long that works on")
	}
	var key string
	if err == nil {
		key, err = a.Clients.Rotate(c.Request.Context(), name, hint, overlap, a.Clock())
	}
	if err != nil {
		return a.refuseOnClientPage(c, who, name, err, "client.already")
	}
	return a.showClientPage(c, who, http.StatusOK, name, key, nil)
}

// refuseOnClientPage tells on the page of a client why something was not done to it: in the words of a message, where
// there is one for the only thing that could be wrong.
func (a *api) refuseOnClientPage(c *gin.Context, who caller, name string, err error, key string) error {
	if errors.Is(err, broker.NotFound) {
		return err
	}
	status, told, err := a.undone(c, err)
	if err != nil {
		return err
	}
	client, _ := a.Clients.ByName(name)
	if key != "" && told.Code != malformed && !client.Configured() {
		told.Remedy, told.Detail = a.Pages.texts[a.pageLanguage(c.Request)].say(key, name), ""
	}
	return a.showClientPage(c, who, status, name, "", told)
}

// disableClientForm answers POST /clients/{name}:disable.
func (a *api) disableClientForm(c *gin.Context, who caller) error {
	return a.setDisabledForm(c, who, true, flash{"warn", "client.off", []any{c.Param("name")}})
}

// enableClientForm answers POST /clients/{name}:enable.
func (a *api) enableClientForm(c *gin.Context, who caller) error {
	return a.setDisabledForm(c, who, false, flash{"good", "client.on", []any{c.Param("name")}})
}

func (a *api) setDisabledForm(c *gin.Context, who caller, disabled bool, f flash) error {
	name := c.Param("name")
	err := a.Clients.Update(c.Request.Context(), name, func(client *broker.Client) error {
		client.Disabled = disabled
		return nil
	})
	if err != nil {
		return a.refuseOnClientPage(c, who, name, err, "")
	}
	return a.goTo(c, who, clientAddress(name), f)
}

// deleteClientForm answers POST /clients/{name}:delete, which has to name the client once more.
func (a *api) deleteClientForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	name := c.Param("name")
	if form.Get("name") == name {
		err = a.Clients.Delete(c.Request.Context(), name)
	} else {
		err = broker.Errorf(broker.InvalidArgument, "to delete the client, type its name: %s", name)
	}
	if err != nil {
		return a.refuseOnClientPage(c, who, name, err, "client.misnamed")
	}
	return a.goTo(c, who, "/clients", flash{"good", "client.gone", []any{name}})
}
