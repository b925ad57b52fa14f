package sandbox

import (
	"net/url"
	"strings"
)

// maxVisits is how often an app's links may be opened a day.
const maxVisits = 6_000_000

// What query_urllink and queryscheme are asked for.
const (
	queryInfo   = 0
	queryVisits = 1
)

// maxSpliced is the longest query that may be joined to a finished link.
const maxSpliced = 256

// queryURLLink answers POST /wxa/query_urllink.
func (w *WeChat) queryURLLink(c *call) (fields, errcode) {
	var body struct {
		URLLink   string `json:"url_link"`
		QueryType int    `json:"query_type"`
	}
	return w.query(c, &body, func() (kind, link string, queryType int, info string) {
		return urlLink, body.URLLink, body.QueryType, "url_link_info"
	})
}

// queryScheme answers POST /wxa/queryscheme.
func (w *WeChat) queryScheme(c *call) (fields, errcode) {
	var body struct {
		Scheme    string `json:"scheme"`
		QueryType int    `json:"query_type"`
	}
	return w.query(c, &body, func() (kind, link string, queryType int, info string) {
		return scheme, body.Scheme, body.QueryType, "scheme_info"
	})
}

// query reads the body and says what it asks for.
func (w *WeChat) query(c *call, body any, asked func() (kind, link string, queryType int, info string)) (fields, errcode) {
	a, code := w.caller(c)
	if code != ok {
		return nil, code
	}
	if code := c.decode(body); code != ok {
		return nil, code
	}
	kind, text, queryType, info := asked()
	switch {
	case queryType == queryVisits:
		a.turnDay(c.now)
		return fields{"errcode": 0, "errmsg": "ok", "quota_info": fields{"remain_visit_quota": max(maxVisits-a.visits, 0)}}, ok
	case text == "" || queryType != queryInfo:
		return nil, argumentInvalid
	}
	l, cq, known := w.links.find(kind, text)
	if !known || l.App != a.ID {
		return nil, linkUnknown
	}
	if len(cq) > maxSpliced || !validQuery(cq) {
		return nil, argumentInvalid
	}
	return fields{"errcode": 0, "errmsg": "ok", info: l.info(cq)}, ok
}

// find gives the link of a text, and the query joined to it.
func (ls *links) find(kind, text string) (l *link, cq string, known bool) {
	prefix, splice := linkPrefix, "?cq="
	if kind == scheme {
		prefix, splice = schemePrefix, "&cq="
	}
	rest, fits := strings.CutPrefix(text, prefix)
	ticket, joined, _ := strings.Cut(rest, splice)
	cq, err := url.QueryUnescape(joined)
	if l, known = ls.byTicket[ticket]; !fits || err != nil || !known || kind != l.kind() {
		return nil, "", false
	}
	return l, cq, true
}

func (l *link) kind() string {
	if l.Kind == "" {
		return urlLink
	}
	return l.Kind
}

// info describes a link. What the page reads of a link's own query and of one joined to it is not documented; here the
// joined one counts where the link has none (assumed).
func (l *link) info(cq string) fields {
	query := l.Query
	if query == "" {
		query = cq
	}
	info := fields{
		"appid": l.App, "path": l.Path, "query": query, "env_version": l.Env,
		"create_time": l.Created, "expire_time": l.Expires,
	}
	if len(l.CloudBase) > 0 {
		info["cloud_base"] = l.CloudBase
	}
	return info
}
