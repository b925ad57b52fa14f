package handlers

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// pagesMayRead is the handler in front of a route whose answers web pages may read. Which origins may is said by
// the client that asks, so it is the key or the signature in the address that decides: a browser's preflight has
// neither header nor body of the request it asks for.
func (a *api) pagesMayRead(r route) gin.HandlerFunc {
	grant := cors.New(cors.Config{
		AllowOriginWithContextFunc: func(*gin.Context, string) bool { return true }, // vetOrigin has let it pass
		AllowMethods:               []string{r.method},
		AllowHeaders:               []string{"Authorization", "Content-Type"},
		ExposeHeaders: []string{
			"Age", "Cache-Status", "Linkbroker-Warning", "Linkbroker-Stored", "RateLimit", "RateLimit-Policy", "Retry-After",
		},
		MaxAge: 2 * time.Hour, // more than browsers heed
	})
	return func(c *gin.Context) {
		c.Writer.Header()["Vary"] = varyOrigin // also without an Origin, or a cache gives that answer to a page
		origin := c.Request.Header.Get("Origin")
		if origin == "" {
			return // of no page
		}
		if a.vetOrigin(c, r, origin); !c.IsAborted() {
			grant(c)
		}
	}
}

// vetOrigin refuses a page of an origin that is not one of the client's, letter by letter. It says nothing of CORS
// to it, so that its browser keeps the answer from it.
func (a *api) vetOrigin(c *gin.Context, r route, origin string) {
	if origin == "http://"+c.Request.Host || origin == "https://"+c.Request.Host {
		return // of a page of our own
	}
	who, err := a.authenticate(c, r)
	if err == nil && !slices.Contains(who.Grant.Origins, origin) {
		err = broker.Errorf(broker.Forbidden, "the key is not for pages of this origin")
	}
	if err != nil {
		a.refuse(c, a.throttled(c, err))
		c.Abort()
	}
}

// noPreflight answers an OPTIONS that is none.
func (a *api) noPreflight(method string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Writer.Header().Set("Allow", method)
		a.refuse(c, broker.Errorf(wrongMethod, "this address takes %s only", method))
	}
}

// preflights gives gin the OPTIONS of the routes that pages may read.
func (a *api) preflights(e *gin.Engine, routes []route) {
	for _, r := range routes {
		if r.traits&forPages != 0 {
			e.Handle(http.MethodOptions, ginPath(r.path), a.pagesMayRead(r), a.noPreflight(r.method))
		}
	}
}
