package sandbox

import "strings"

// maxVisits is how often an app's links may be opened a day.
const maxVisits = 6_000_000

// What query_urllink is asked for.
const (
	queryInfo   = 0
	queryVisits = 1
)

// query answers POST /wxa/query_urllink.
func (w *WeChat) query(c *call) (fields, errcode) {
	a, code := w.caller(c)
	if code != ok {
		return nil, code
	}
	var body struct {
		URLLink   string `json:"url_link"`
		QueryType int    `json:"query_type"`
	}
	if code := c.decode(&body); code != ok {
		return nil, code
	}
	ticket, isLink := strings.CutPrefix(body.URLLink, linkPrefix)
	l, known := w.links.byTicket[ticket]
	switch {
	case body.URLLink == "" || body.QueryType != queryInfo && body.QueryType != queryVisits:
		return nil, argumentInvalid
	case !isLink || !known || l.App != a.ID:
		return nil, linkUnknown
	case body.QueryType == queryVisits:
		a.turnDay(c.now)
		return fields{"errcode": 0, "errmsg": "ok", "quota_info": fields{"remain_visit_quota": maxVisits - a.visits}}, ok
	default:
		return fields{"errcode": 0, "errmsg": "ok", "url_link_info": l.info()}, ok
	}
}

func (l *link) info() fields {
	info := fields{
		"appid": l.App, "path": l.Path, "query": l.Query, "env_version": l.Env,
		"create_time": l.Created, "expire_time": l.Expires,
	}
	if len(l.CloudBase) > 0 {
		info["cloud_base"] = l.CloudBase
	}
	return info
}
