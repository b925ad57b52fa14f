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
	role   broker.Role // that the caller's role must include, or anybody; one that is not declared lets nobody in
	handle func(c *gin.Context, who caller) error
	audit  string // how the audit calls what an administrator does by it; empty = it changes nothing
	traits traits
}

// anybody is the role of a route that needs no credential.
const anybody broker.Role = "anybody"

// traits are what few routes have.
type traits int

const (
	forPages traits = 1 << iota // web pages of a client's origins may read the answers
	signable                    // a signature will do for a credential
	isPage                      // of the admin page, and so not in openapi.yaml: what goes wrong is told by a page
)

// facadeRoutes speak WeChat's protocol. They are reached under /k/{key} as well, because each SDK lets its user
// change the base URL and few let him add a header.
func facadeRoutes(a *api) []route {
	links, schemes, shortLinks := urlLinkCall(), schemeCall(), shortLinkCall()
	return []route{
		{http.MethodPost, "/wxa/generate_urllink", broker.RoleRead, a.generates(links), "", 0},
		{http.MethodPost, "/wxa/generatescheme", broker.RoleRead, a.generates(schemes), "", 0},
		{http.MethodPost, "/wxa/genwxashortlink", broker.RoleRead, a.generates(shortLinks), "", 0},
		{http.MethodPost, "/wxa/query_urllink", broker.RoleRead, a.asWeChat(a.queryURLLink), "", 0},
		{http.MethodPost, "/wxa/queryscheme", broker.RoleRead, a.asWeChat(a.queryScheme), "", 0},
		{http.MethodPost, cloudPath + "urllink.generate", broker.RoleRead, a.asCloud(a.operation(links)), "", 0},
		{http.MethodPost, cloudPath + "urllink.query", broker.RoleRead, a.asCloud(a.queryURLLink), "", 0},
		{http.MethodPost, cloudPath + "urlscheme.generate", broker.RoleRead, a.asCloud(a.operation(schemes)), "", 0},
		{http.MethodPost, cloudPath + "urlscheme.query", broker.RoleRead, a.asCloud(a.queryScheme), "", 0},
		{http.MethodPost, cloudPath + "shortlink.generate", broker.RoleRead, a.asCloud(a.operation(shortLinks)), "", 0},
		{http.MethodGet, "/cgi-bin/token", anybody, a.token, "", 0},
		{http.MethodPost, "/cgi-bin/token", anybody, a.token, "", 0},
		{http.MethodPost, "/cgi-bin/stable_token", anybody, a.token, "", 0},
	}
}

func publicRoutes(a *api) []route {
	routes := []route{
		{http.MethodPost, "/api/v1/links", broker.RoleRead, a.postLink, "", forPages},
		{http.MethodGet, "/api/v1/link", broker.RoleRead, a.getLink, "", forPages | signable},
		{http.MethodPost, "/api/v1/links:batch", broker.RoleRead, a.postBatch, "", 0},
		{http.MethodPost, "/api/v1/links:lint", broker.RoleRead, a.lintLink, "", 0},
		{http.MethodGet, "/l/{slug}", anybody, a.visit, "", 0},
		{http.MethodHead, "/l/{slug}", anybody, a.peekVisit, "", 0},
		{http.MethodGet, "/l/{slug}/qr.svg", anybody, a.visitCode(asSVG), "", 0},
		{http.MethodGet, "/l/{slug}/qr.png", anybody, a.visitCode(asPNG), "", 0},
		{http.MethodGet, "/api/v1/inspect", broker.RoleRead, a.inspectLink, "", 0},
		{http.MethodGet, "/healthz", anybody, a.health, "", 0},
		{http.MethodGet, "/readyz", anybody, a.ready, "", 0},
		{http.MethodGet, "/version", anybody, a.version, "", 0},
		{http.MethodGet, "/api/v1/errors", anybody, a.listExplanations, "", 0},
		{http.MethodGet, "/api/v1/errors/{code}", anybody, a.showExplanation, "", 0},
		{http.MethodGet, "/openapi.yaml", anybody, serveOpenAPI, "", 0},
		{http.MethodGet, "/docs", anybody, docs(a.PublicURL), "", 0},
	}
	for _, r := range append(facadeRoutes(a), a.forwardRoutes()...) {
		routes = append(routes, r)
		r.path = prefixPath + r.path
		routes = append(routes, r)
	}
	return routes
}

// pageRoutes are the admin page. A form has the address of the operation that it does, without /api/v1, and its name in
// the audit.
func pageRoutes(a *api) []route {
	return []route{
		{http.MethodGet, "/", broker.RoleAdmin, a.overview, "", isPage},
		{http.MethodGet, "/charts/requests.svg", broker.RoleAdmin, a.requestsChart, "", isPage},
		{http.MethodGet, "/charts/quota.svg", broker.RoleAdmin, a.quotaChart, "", isPage},
		{http.MethodPost, "/jobs/{name}:run", broker.RoleAdmin, a.runJobForm, "job.run", isPage},
		{http.MethodGet, "/clients", broker.RoleAdmin, a.clients, "", isPage},
		{http.MethodPost, "/clients", broker.RoleAdmin, a.createClientForm, "client.create", isPage},
		{http.MethodGet, "/clients:new", broker.RoleAdmin, a.newClientForm, "", isPage},
		{http.MethodGet, "/clients/{name}", broker.RoleAdmin, a.clientPage, "", isPage},
		{http.MethodPost, "/clients/{name}", broker.RoleAdmin, a.updateClientForm, "client.update", isPage},
		{http.MethodPost, "/clients/{name}:rotate", broker.RoleAdmin, a.rotateClientForm, "client.rotate", isPage},
		{http.MethodPost, "/clients/{name}:disable", broker.RoleAdmin, a.disableClientForm, "client.disable", isPage},
		{http.MethodPost, "/clients/{name}:enable", broker.RoleAdmin, a.enableClientForm, "client.enable", isPage},
		{http.MethodPost, "/clients/{name}:delete", broker.RoleAdmin, a.deleteClientForm, "client.delete", isPage},
		{http.MethodGet, "/audit", broker.RoleAdmin, a.auditPage, "", isPage},
		{http.MethodGet, "/settings", broker.RoleAdmin, a.settingsPage, "", isPage},
		{http.MethodGet, "/aliases", broker.RoleAdmin, a.aliasesPage, "", isPage},
		{http.MethodPost, "/aliases", broker.RoleAdmin, a.createAliasForm, "alias.create", isPage},
		{http.MethodPost, "/aliases:preview", broker.RoleAdmin, a.previewAlias, "", isPage},
		{http.MethodGet, "/aliases/new", broker.RoleAdmin, a.newAliasPage, "", isPage},
		{http.MethodGet, "/aliases/{slug}", broker.RoleAdmin, a.showAliasPage, "", isPage},
		{http.MethodPost, "/aliases/{slug}", broker.RoleAdmin, a.saveAliasForm, "alias.put", isPage},
		{http.MethodPost, "/aliases/{slug}:enable", broker.RoleAdmin, a.changeAliasForm(false), "alias.put", isPage},
		{http.MethodPost, "/aliases/{slug}:disable", broker.RoleAdmin, a.changeAliasForm(true), "alias.put", isPage},
		{http.MethodPost, "/aliases/{slug}:delete", broker.RoleAdmin, a.deleteAliasForm, "alias.delete", isPage},
		{http.MethodGet, "/batch", broker.RoleAdmin, a.showBatch, "", isPage},
		{http.MethodPost, "/batch", broker.RoleAdmin, a.loadBatch, "", isPage},
		{http.MethodPost, "/batch:run", broker.RoleAdmin, a.runBatch, "link.batch", isPage},
		{http.MethodPost, "/batch:drop", broker.RoleAdmin, a.dropBatch, "", isPage},
		{http.MethodGet, "/batch/results.csv", broker.RoleAdmin, a.batchResults, "", isPage},
		{http.MethodGet, "/charts/visits.svg", broker.RoleAdmin, a.visitsChart, "", isPage},
		{http.MethodGet, "/links", broker.RoleAdmin, a.links, "", isPage},
		{http.MethodPost, "/links:renew", broker.RoleAdmin, a.renewSelected, "link.renew", isPage},
		{http.MethodPost, "/links:pin", broker.RoleAdmin, a.pinSelected, "link.pin", isPage},
		{http.MethodPost, "/links:unpin", broker.RoleAdmin, a.unpinSelected, "link.unpin", isPage},
		{http.MethodPost, "/links:delete", broker.RoleAdmin, a.deleteSelected, "link.delete", isPage},
		{http.MethodPost, "/links:export", broker.RoleAdmin, a.exportSelected, "link.export", isPage},
		{http.MethodGet, "/links/{key}", broker.RoleAdmin, a.link, "", isPage},
		{http.MethodPost, "/links/{key}:renew", broker.RoleAdmin, a.renewForm, "link.renew", isPage},
		{http.MethodPost, "/links/{key}:verify", broker.RoleAdmin, a.verifyForm, "link.verify", isPage},
		{http.MethodPost, "/links/{key}:pin", broker.RoleAdmin, a.pinForm, "link.pin", isPage},
		{http.MethodPost, "/links/{key}:unpin", broker.RoleAdmin, a.unpinForm, "link.unpin", isPage},
		{http.MethodPost, "/links/{key}:delete", broker.RoleAdmin, a.deleteForm, "link.delete", isPage},
		{http.MethodGet, "/charts/uses.svg", broker.RoleAdmin, a.usesChart, "", isPage},
		{http.MethodGet, "/tester", broker.RoleAdmin, a.tester, "", isPage},
		{http.MethodPost, "/tester", broker.RoleAdmin, a.testForm, "link.generate", isPage},
		{http.MethodPost, "/preferences", anybody, a.preferences, "", isPage},
		{http.MethodGet, "/static/{name}", anybody, a.serveStatic, "", isPage},
	}
}

func adminRoutes(a *api) []route {
	return append(pageRoutes(a), []route{
		{http.MethodGet, "/login", anybody, a.showLogin, "", 0},
		{http.MethodPost, "/login", anybody, a.login, "login", 0},
		{http.MethodPost, "/logout", anybody, a.logout, "logout", 0},
		{http.MethodGet, "/healthz", anybody, a.health, "", 0},
		{http.MethodGet, "/readyz", anybody, a.ready, "", 0},
		{http.MethodGet, "/version", anybody, a.version, "", 0},
		{http.MethodGet, "/api/v1/errors", anybody, a.listExplanations, "", 0},
		{http.MethodGet, "/api/v1/errors/{code}", anybody, a.showExplanation, "", 0},
		{http.MethodGet, "/metrics", broker.RoleAdmin, a.metrics(), "", 0},
		{http.MethodGet, "/debug/pprof/{profile}", broker.RoleAdmin, a.showProfile, "", 0},
		{http.MethodGet, "/api/v1/links", broker.RoleAdmin, a.listLinks, "", 0},
		{http.MethodGet, "/api/v1/links.csv", broker.RoleAdmin, a.exportLinks(formCSV), "link.export", 0},
		{http.MethodGet, "/api/v1/links.ndjson", broker.RoleAdmin, a.exportLinks(formNDJSON), "link.export", 0},
		{http.MethodPost, "/api/v1/links:import", broker.RoleAdmin, a.importLinks, "link.import", 0},
		{http.MethodGet, "/api/v1/links/{key}", broker.RoleAdmin, a.showLink, "", 0},
		{http.MethodDelete, "/api/v1/links/{key}", broker.RoleAdmin, a.deleteLink, "link.delete", 0},
		{http.MethodPost, "/api/v1/links/{key}:renew", broker.RoleAdmin, a.renewLink, "link.renew", 0},
		{http.MethodPost, "/api/v1/links/{key}:verify", broker.RoleAdmin, a.verifyLink, "link.verify", 0},
		{http.MethodPost, "/api/v1/links/{key}:pin", broker.RoleAdmin, a.pinLink, "link.pin", 0},
		{http.MethodDelete, "/api/v1/links/{key}:pin", broker.RoleAdmin, a.unpinLink, "link.unpin", 0},
		{http.MethodGet, "/api/v1/links/{key}/qr.svg", broker.RoleAdmin, a.linkCode(asSVG), "", 0},
		{http.MethodGet, "/api/v1/links/{key}/qr.png", broker.RoleAdmin, a.linkCode(asPNG), "", 0},
		{http.MethodGet, "/api/v1/aliases", broker.RoleAdmin, a.listAliases, "", 0},
		{http.MethodPost, "/api/v1/aliases", broker.RoleAdmin, a.createAlias, "alias.create", 0},
		{http.MethodGet, "/api/v1/aliases.csv", broker.RoleAdmin, a.exportAliases(formCSV), "alias.export", 0},
		{http.MethodGet, "/api/v1/aliases.ndjson", broker.RoleAdmin, a.exportAliases(formNDJSON), "alias.export", 0},
		{http.MethodPost, "/api/v1/aliases:import", broker.RoleAdmin, a.importAliases, "alias.import", 0},
		{http.MethodGet, "/api/v1/aliases/{slug}", broker.RoleAdmin, a.showAlias, "", 0},
		{http.MethodPut, "/api/v1/aliases/{slug}", broker.RoleAdmin, a.putAlias, "alias.put", 0},
		{http.MethodDelete, "/api/v1/aliases/{slug}", broker.RoleAdmin, a.deleteAlias, "alias.delete", 0},
		{http.MethodGet, "/api/v1/aliases/{slug}/visits", broker.RoleAdmin, a.listVisits, "", 0},
		{http.MethodGet, "/api/v1/aliases/{slug}/qr.svg", broker.RoleAdmin, a.aliasCode(asSVG), "", 0},
		{http.MethodGet, "/api/v1/aliases/{slug}/qr.png", broker.RoleAdmin, a.aliasCode(asPNG), "", 0},
		{http.MethodGet, "/api/v1/jobs", broker.RoleAdmin, a.listJobs, "", 0},
		{http.MethodPost, "/api/v1/jobs/{name}:run", broker.RoleAdmin, a.runJob, "job.run", 0},
		{http.MethodGet, "/api/v1/quota", broker.RoleAdmin, a.listQuota, "", 0},
		{http.MethodGet, "/api/v1/clients", broker.RoleAdmin, a.listClients, "", 0},
		{http.MethodPost, "/api/v1/clients", broker.RoleAdmin, a.createClient, "client.create", 0},
		{http.MethodGet, "/api/v1/clients/{name}", broker.RoleAdmin, a.showClient, "", 0},
		{http.MethodPatch, "/api/v1/clients/{name}", broker.RoleAdmin, a.updateClient, "client.update", 0},
		{http.MethodDelete, "/api/v1/clients/{name}", broker.RoleAdmin, a.deleteClient, "client.delete", 0},
		{http.MethodPost, "/api/v1/clients/{name}:rotate", broker.RoleAdmin, a.rotateClient, "client.rotate", 0},
		{http.MethodPost, "/api/v1/clients/{name}:disable", broker.RoleAdmin, a.disableClient, "client.disable", 0},
		{http.MethodPost, "/api/v1/clients/{name}:enable", broker.RoleAdmin, a.enableClient, "client.enable", 0},
		{http.MethodGet, "/api/v1/audit", broker.RoleAdmin, a.listAudit, "", 0},
		{http.MethodGet, "/api/v1/backup", broker.RoleAdmin, a.downloadBackup, "backup.download", 0},
		{http.MethodGet, "/api/v1/stats", broker.RoleAdmin, a.listStats, "", 0},
		{http.MethodGet, "/api/v1/census", broker.RoleAdmin, a.showCensus, "", 0},
	}...)
}

// engine makes gin serve the routes and nothing else of its own.
func (a *api) engine(routes []route) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // a redirected POST is an error to most SDKs, and none to look for
	e.RemoveExtraSlash = true       // a base URL that ends in a slash gives //wxa/…
	e.RemoteIPHeaders = []string{"X-Forwarded-For"}
	if err := e.SetTrustedProxies(proxies(a.TrustedProxies)); err != nil {
		panic(err) // not of a list of prefixes
	}
	e.Use(a.watch)
	e.NoRoute(func(c *gin.Context) { a.refuse(c, a.noRoute(c)) })
	e.NoMethod(func(c *gin.Context) {
		a.refuse(c, broker.Errorf(wrongMethod, "this address takes %s only", c.Writer.Header().Get("Allow")))
	})
	register(a, e, routes)
	a.preflights(e, routes)
	return e
}

// noRoute is the error of an address that nothing is at. Below /l/ it is a slug that nobody could have, which is told
// like one that nobody has.
func (a *api) noRoute(c *gin.Context) error {
	address := c.Request.URL.Path
	switch {
	case a.facade && isVisit(address):
		return a.nowhere(c)
	case a.facade && a.speaksWeChat(address) && !strings.HasPrefix(withoutPrefix(address), cloudPath):
		return errNotForwarded()
	}
	return broker.Errorf(noRoute, "there is nothing at this address")
}

// register puts the routes into gin's router. It has no routes that end in a parameter and a :verb, so those that
// differ in the verb alone share one, which cuts the verb off the parameter.
func register(a *api, e *gin.Engine, routes []route) {
	type place struct{ method, path string }
	byVerb := map[place]map[string]gin.HandlerFunc{}
	before := map[place][]gin.HandlerFunc{}
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
		if r.traits&forPages != 0 {
			before[at] = append(before[at], a.pagesMayRead(r))
		}
	}
	for at, handlers := range byVerb {
		e.Handle(at.method, at.path, append(before[at], a.dispatch(handlers))...)
	}
}

// ginPath turns {name} into gin's :name, and a colon that is one, as in links:batch, into its escape.
func ginPath(path string) string {
	return strings.NewReplacer(":", `\:`, "{", ":", "}", "").Replace(path)
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
			a.refuse(c, a.noRoute(c))
			return
		}
		last.Value = value
		handle(c)
	}
}

// serve is the way of every request: the client, its role, the handler, and at the end one place for what fails.
func (a *api) serve(r route) gin.HandlerFunc {
	handle := r.handle
	if r.audit != "" {
		handle = a.audited(r)
	}
	return func(c *gin.Context) {
		if r.traits&isPage != 0 {
			c.Set(isPageKey, true)
		}
		who, err := a.admit(c, r)
		if err == nil {
			err = handle(c, who)
		}
		if err != nil {
			a.refuse(c, a.throttled(c, err))
		}
	}
}

// admit lets a caller in whose role includes the route's, as often as he may ask.
func (a *api) admit(c *gin.Context, r route) (caller, error) {
	if r.role == anybody {
		return caller{}, nil
	}
	who, err := a.authenticate(c, r)
	if err == nil {
		err = a.limit(c, &who)
	}
	if err != nil {
		return who, err
	}
	if !who.Role.Includes(r.role) {
		return who, broker.Errorf(broker.Forbidden, "this needs a key of role %s", r.role)
	}
	return who, nil
}
