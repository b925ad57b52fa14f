package handlers

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// route is one operation of a listener.
type route struct {
	method string
	path   string      // as openapi.yaml has it, with {name} for a parameter and at most one :verb at the end
	role   broker.Role // that the caller's role must include; empty = anybody
	handle func(c *gin.Context, who caller) error
}

// facadeRoutes speak WeChat's protocol. They are reached under /k/{key} as well, because each SDK lets its user
// change the base URL and few let him add a header.
func facadeRoutes(a *api) []route {
	return []route{
		{http.MethodPost, "/wxa/generate_urllink", broker.RoleRead, a.generateURLLink},
		{http.MethodGet, "/cgi-bin/token", "", a.token},
		{http.MethodPost, "/cgi-bin/token", "", a.token},
		{http.MethodPost, "/cgi-bin/stable_token", "", a.token},
	}
}

func publicRoutes(a *api) []route {
	routes := []route{
		{http.MethodPost, "/api/v1/links", broker.RoleRead, a.postLink},
		{http.MethodGet, "/api/v1/link", broker.RoleRead, a.getLink},
		{http.MethodGet, "/healthz", "", a.health},
		{http.MethodGet, "/readyz", "", a.ready},
		{http.MethodGet, "/version", "", a.version},
		{http.MethodGet, "/openapi.yaml", "", serveOpenAPI},
		{http.MethodGet, "/docs", "", docs(a.PublicURL)},
	}
	for _, r := range facadeRoutes(a) {
		routes = append(routes, r)
		r.path = prefixPath + r.path
		routes = append(routes, r)
	}
	return routes
}

func adminRoutes(a *api) []route {
	return []route{
		{http.MethodGet, "/", "", a.index},
		{http.MethodGet, "/healthz", "", a.health},
		{http.MethodGet, "/readyz", "", a.ready},
		{http.MethodGet, "/version", "", a.version},
		{http.MethodGet, "/metrics", broker.RoleAdmin, a.metrics()},
		{http.MethodGet, "/api/v1/links", broker.RoleAdmin, a.listLinks},
		{http.MethodGet, "/api/v1/links/{key}", broker.RoleAdmin, a.showLink},
		{http.MethodDelete, "/api/v1/links/{key}", broker.RoleAdmin, a.deleteLink},
		{http.MethodPost, "/api/v1/links/{key}:renew", broker.RoleAdmin, a.renewLink},
		{http.MethodPost, "/api/v1/links/{key}:pin", broker.RoleAdmin, a.pinLink},
		{http.MethodDelete, "/api/v1/links/{key}:pin", broker.RoleAdmin, a.unpinLink},
		{http.MethodGet, "/api/v1/jobs", broker.RoleAdmin, a.listJobs},
		{http.MethodPost, "/api/v1/jobs/{name}:run", broker.RoleAdmin, a.runJob},
		{http.MethodGet, "/api/v1/quota", broker.RoleAdmin, a.listQuota},
	}
}

// engine makes gin serve the routes and nothing else of its own.
func (a *api) engine(routes []route) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // a redirected POST is an error to most SDKs, and none to look for
	e.RemoveExtraSlash = true       // a base URL that ends in a slash gives //wxa/…
	if err := e.SetTrustedProxies(nil); err != nil {
		panic(err) // not of an empty list
	}
	e.Use(a.watch)
	e.NoRoute(func(c *gin.Context) { a.refuse(c, broker.Errorf(noRoute, "there is nothing at this address")) })
	e.NoMethod(func(c *gin.Context) {
		a.refuse(c, broker.Errorf(wrongMethod, "this address takes %s only", c.Writer.Header().Get("Allow")))
	})
	register(a, e, routes)
	return e
}

// register puts the routes into gin's router. It has no routes that end in a parameter and a :verb, so those that
// differ in the verb alone share one, which cuts the verb off the parameter.
func register(a *api, e *gin.Engine, routes []route) {
	type place struct{ method, path string }
	byVerb := map[place]map[string]gin.HandlerFunc{}
	for _, r := range routes {
		path, verb, ok := strings.Cut(r.path, "}:")
		if ok {
			path += "}"
		}
		at := place{r.method, ginPath(path)}
		if byVerb[at] == nil {
			byVerb[at] = map[string]gin.HandlerFunc{}
		}
		byVerb[at][verb] = a.serve(r)
	}
	for at, handlers := range byVerb {
		e.Handle(at.method, at.path, a.dispatch(handlers))
	}
}

// ginPath turns {name} into gin's :name.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func (a *api) dispatch(byVerb map[string]gin.HandlerFunc) gin.HandlerFunc {
	if plain, ok := byVerb[""]; ok && len(byVerb) == 1 {
		return plain
	}
	return func(c *gin.Context) {
		last := &c.Params[len(c.Params)-1]
		value, verb, _ := strings.Cut(last.Value, ":")
		handle, ok := byVerb[verb]
		if !ok {
			a.refuse(c, broker.Errorf(noRoute, "there is nothing at this address"))
			return
		}
		last.Value = value
		handle(c)
	}
}

// serve is the way of every request: the client, its role, the handler, and at the end one place for what fails.
func (a *api) serve(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		var who caller
		var err error
		if r.role != "" {
			who, err = a.authenticate(c)
		}
		if err == nil && r.role != "" && !who.Role.Includes(r.role) {
			err = broker.Errorf(broker.Forbidden, "this needs a key of role %s", r.role)
		}
		if err == nil {
			err = r.handle(c, who)
		}
		if err != nil {
			a.refuse(c, err)
		}
	}
}
