package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// watch is around every request: it counts, catches panics, and at debug level writes the access log. That one has
// the route and never the address, which may carry a key.
func (a *api) watch(c *gin.Context) {
	defer a.recover(c)
	secure(c.Writer.Header())
	if a.admin {
		c.Writer.Header()["Cache-Control"] = noStore // what a browser's session has seen is not for whoever comes next
	}
	if !a.Logger.Enabled(c.Request.Context(), slog.LevelDebug) {
		c.Next()
		a.count.add(c.Writer.Status())
		return
	}
	start := a.Clock()
	c.Next()
	a.count.add(c.Writer.Status())
	a.Logger.Debug("request",
		"method", c.Request.Method,
		"route", c.FullPath(),
		"status", c.Writer.Status(),
		"took", a.Clock().Sub(start),
	)
}

// recover turns a panic into an answer without particulars.
func (a *api) recover(c *gin.Context) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // net/http's own way to cut a connection
	}
	a.count.add(http.StatusInternalServerError)
	err := broker.Errorf(broker.Internal, "%w", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	if c.Writer.Written() {
		a.Logger.Error("a request met a defect", "route", c.FullPath(), "error", err)
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	a.refuse(c, err)
}
