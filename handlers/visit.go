package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// visitPath is what stands before the slug in a permanent address.
const visitPath = "/l/"

// visit answers GET /l/{slug}: it sends a visitor on. The address is the domain's word and nobody else's; of the visitor
// nothing is kept but by which kind of browser he came.
func (a *api) visit(c *gin.Context, _ caller) error {
	cq, unspliced := spliceParam(c.Request.URL.RawQuery)
	visit := broker.Visit{Slug: c.Param("slug"), CQ: cq}
	if !isPrefetch(c.Request.Header) {
		visit.Visitor = visitorOf(c.Request.UserAgent())
	}
	d, err := a.Broker.Resolve(c.Request.Context(), visit)
	if err != nil {
		return a.unresolved(c, err)
	}
	sendOn(c, d, unspliced)
	return nil
}

// peekVisit answers HEAD /l/{slug} without counting or generating anything: with the address where a link is stored,
// else with 200.
func (a *api) peekVisit(c *gin.Context, _ caller) error {
	cq, unspliced := spliceParam(c.Request.URL.RawQuery)
	d, err := a.Broker.Resolve(c.Request.Context(), broker.Visit{Slug: c.Param("slug"), CQ: cq, Peek: true})
	if err != nil {
		return a.unresolved(c, err)
	}
	sendOn(c, d, unspliced)
	return nil
}

func sendOn(c *gin.Context, d broker.Destination, unspliced string) {
	h := c.Writer.Header()
	h["Cache-Control"] = noStore
	if unspliced = cmp.Or(unspliced, d.Unspliced); unspliced != "" {
		h.Set("Linkbroker-Unspliced", unspliced)
	}
	if d.URL == "" {
		c.Writer.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Location", d.URL)
	c.Writer.WriteHeader(http.StatusFound)
}

// spliceParam gives the visitor's query, or says why it cannot be read. Only percent-encoding is taken off it: a + is a
// + to the page, unlike in a form.
func spliceParam(query string) (cq, unspliced string) {
	found := false
	for segment := range strings.SplitSeq(query, "&") {
		value, ok := strings.CutPrefix(segment, "cq=")
		switch {
		case !ok:
			continue
		case found:
			return "", "cq is given twice"
		}
		var err error
		if cq, err = url.PathUnescape(value); err != nil {
			return "", "cq is badly percent-encoded"
		}
		found = true
	}
	return cq, ""
}

// visitorOf tells by what a visitor comes. WeChat's own browser names the device as well, so it is looked for first.
func visitorOf(userAgent string) broker.Visitor {
	for _, known := range visitorSigns {
		if strings.Contains(userAgent, known.sign) {
			return known.visitor
		}
	}
	return broker.Elsewhere
}

//nolint:gochecknoglobals // a constant table
var visitorSigns = []struct {
	sign    string
	visitor broker.Visitor
}{
	{"MicroMessenger", broker.InWeChat},
	{"iPhone", broker.OnIOS},
	{"iPad", broker.OnIOS},
	{"iPod", broker.OnIOS},
	{"Android", broker.OnAndroid},
}

// isPrefetch reports whether a browser only readies itself for a visit that may never come.
func isPrefetch(h http.Header) bool {
	return strings.HasPrefix(cmp.Or(h.Get("Sec-Purpose"), h.Get("Purpose")), "prefetch")
}

// visitPatience is when to come back to an alias that leads nowhere just now, where nothing is known.
const visitPatience = 30 * time.Second

// unresolved tells a visitor, who can mend nothing, that there is nothing here, or not just now.
func (a *api) unresolved(c *gin.Context, err error) error {
	e, ok := errors.AsType[*broker.Error](err)
	switch {
	case !ok, e.Code == broker.Internal, errors.Is(err, context.Canceled):
		return err
	case e.Code == broker.NotFound:
		return a.nowhere(c)
	}
	away := broker.Errorf(broker.Unavailable, "no link lives behind this address just now")
	away.RetryAfter = cmp.Or(e.RetryAfter, visitPatience)
	return away
}

// nowhere is the error of a slug that is unknown, malformed or closed, the same for all: who guesses learns nothing. It
// counts against its sender as a wrong key does. Addresses that lead somewhere go on working for him.
func (a *api) nowhere(c *gin.Context) error {
	return a.failed(c, broker.Errorf(broker.NotFound, "there is nothing at this address"), "too many wrong addresses come from here")
}

// isVisit reports whether an address is one below /l/, whether there can be such a slug or not.
func isVisit(address string) bool {
	return strings.HasPrefix(strings.TrimLeft(address, "/"), strings.TrimLeft(visitPath, "/"))
}
