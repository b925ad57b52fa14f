package handlers

import (
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// readTest reads the fields of the form: those of getLink, ends for a moment in the zone of the page, and client for as
// whom it is asked. A field that cannot be read is told beside the others, so that the page stays while somebody types.
func (a *api) readTest(c *gin.Context, who caller, fields string) (testerView, error) {
	v := testerView{
		a: a, ctx: c.Request.Context(), texts: a.Pages.texts[a.pageLanguage(c.Request)], asked: url.Values{}, as: who,
		in: linkRequest{Path: new("")},
	}
	err := eachParam(fields, func(name, value string) error {
		if name == "fragment" || value == "" {
			return nil
		}
		set, ok := linkParams[name]
		switch name {
		case "client":
			set, ok = func(_ *linkRequest, name string) (err error) { v.as, err = a.asClient(c, name); return err }, true
		case "ends":
			set, ok = v.setEnd, true
		}
		if !ok {
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		v.asked.Set(name, value)
		if err := set(&v.in, value); err != nil && v.wrong == nil {
			v.wrong = err
		}
		return nil
	})
	return v, err
}

func (v testerView) setEnd(in *linkRequest, value string) error {
	end, err := time.ParseInLocation(localMoment[:min(len(value), len(localMoment))], value, v.texts.zone)
	if err != nil {
		return broker.Errorf(malformed, "ends must be a moment such as %q", localMoment)
	}
	in.At = number{given: true, value: end.Unix()}
	return nil
}

// asClient is the caller that a client would be.
func (a *api) asClient(c *gin.Context, name string) (caller, error) {
	client, ok := a.Clients.ByName(name)
	switch {
	case !ok:
		return caller{Client: &broker.Client{}}, broker.Errorf(broker.NotFound, "there is no client of this name")
	case !client.Enabled(a.Clock()):
		return caller{Client: &client}, broker.Errorf(broker.Forbidden, "this client is disabled, or has ended")
	}
	as := caller{Client: &client}
	if as.exposed() {
		as.address = a.address(c)
	}
	return as, nil
}

// testForm answers POST /tester: it asks for the link. What came of it is shown where it was asked: what is stored by
// then is a hit, and costs nothing to look at.
func (a *api) testForm(c *gin.Context, who caller) error {
	var v testerView
	err := a.bodies.read(c.Request, func(data []byte) (err error) {
		v, err = a.readTest(c, who, string(data))
		return err
	})
	if err != nil {
		return err
	}
	here := strings.TrimSuffix("/tester?"+v.asked.Encode(), "?")
	req, err := v.request()
	if err != nil {
		return a.goTo(c, who, here, a.toldWrong(c, err))
	}
	answer, err := a.Broker.Get(c.Request.Context(), req)
	if err != nil {
		return a.goTo(c, who, here, a.toldWrong(c, err))
	}
	entry := entryOf(c)
	entry.Object = answer.Link.Key.String()
	if v.as.Name != who.Name {
		entry.Detail = "as " + v.as.Name
	}
	switch {
	case answer.Outcome != broker.Miss:
		entry.Action = "" // nothing was made
		return a.goTo(c, who, here, flash{"info", "tester.asked", nil})
	case a.neverShares(answer.Link.Target.App): // nobody will ever be answered with it again
		return a.goTo(c, who, "/links/"+entry.Object, flash{"good", "tester.made", nil})
	default:
		return a.goTo(c, who, here, flash{"good", "tester.made", nil})
	}
}
