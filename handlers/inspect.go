package handlers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// Values of WeChat's query_type.
const (
	queryLink   = 0 // what a link is
	queryVisits = 1 // how often the app's links may still be opened today
)

// queryRequest is what WeChat's urllink.query and urlscheme.query take.
type queryRequest struct {
	URLLink string   `json:"url_link"`
	Scheme  string   `json:"scheme"`
	Type    number   `json:"query_type"`
	Unknown whatever `json:",embed"`
}

// queryURLLink answers POST /wxa/query_urllink.
func (a *api) queryURLLink(data []byte) (reply, error) {
	var in queryRequest
	if err := decode(data, &in); err != nil {
		return nil, err
	}
	return a.inquiry(in.Type.value, broker.Question{Kind: broker.URLLink, URL: in.URLLink}, "url_link_info"), nil
}

// queryScheme answers POST /wxa/queryscheme.
func (a *api) queryScheme(data []byte) (reply, error) {
	var in queryRequest
	if err := decode(data, &in); err != nil {
		return nil, err
	}
	return a.inquiry(in.Type.value, broker.Question{Kind: broker.Scheme, URL: in.Scheme}, "scheme_info"), nil
}

// inquiry answers a question about a link, or about the visits that are left.
func (a *api) inquiry(queryType int64, q broker.Question, field string) reply {
	return func(c *gin.Context, who caller, app string) ([]byte, error) {
		if queryType == queryVisits {
			return a.openings(c, who, app)
		}
		if queryType != queryLink {
			return nil, broker.Errorf(broker.InvalidArgument, "query_type is neither 0 (what a link is) nor 1 (how many visits are left)")
		}
		found, err := a.inspect(c, who, app, q)
		if err != nil {
			return nil, err
		}
		if found.Inspected != nil {
			return found.Inspected, nil
		}
		return encode(map[string]any{"errcode": 0, "errmsg": "ok", field: infoOf(found)}), nil
	}
}

// inspect says what a link is. Links that are not stored cost a call, which whoever may only read cannot make.
func (a *api) inspect(c *gin.Context, who caller, app string, q broker.Question) (broker.Found, error) {
	if who.exposed() {
		return broker.Found{}, broker.Errorf(broker.Forbidden, "a key that stands in web pages cannot ask about links")
	}
	q.App, q.OnlyIfStored = app, !who.Role.Includes(broker.RoleGenerate)
	found, err := a.Broker.Inspect(c.Request.Context(), q)
	if err != nil {
		return broker.Found{}, err
	}
	status := "linkbroker; fwd=miss"
	if found.Inspected == nil {
		status = "linkbroker; hit; ttl=" + seconds(found.Link.ExpiresAt.Sub(a.Clock()))
	}
	c.Writer.Header().Set("Cache-Status", status)
	return found, nil
}

func (a *api) openings(c *gin.Context, who caller, app string) ([]byte, error) {
	if who.exposed() {
		return nil, broker.Errorf(broker.Forbidden, "a key that stands in web pages cannot ask about openings")
	}
	openings, err := a.Broker.Openings(c.Request.Context(), app)
	if err != nil {
		return nil, err
	}
	return encode(map[string]any{"errcode": 0, "errmsg": "ok", "quota_info": map[string]int64{"remain_visit_quota": openings.Left}}), nil
}

// linkInfo is a link as WeChat describes it.
type linkInfo struct {
	AppID      string         `json:"appid"`
	Path       string         `json:"path"`
	Query      string         `json:"query"`
	CreateTime int64          `json:"create_time"` // Unix seconds
	ExpireTime int64          `json:"expire_time"`
	Env        broker.Env     `json:"env_version"`
	CloudBase  *cloudBaseView `json:"cloud_base,omitzero"`
}

// infoOf describes a stored link. What was joined to it is what its page reads, for it has no query of its own then.
func infoOf(found broker.Found) linkInfo {
	t := found.Link.Target
	info := linkInfo{
		AppID: t.App, Path: t.Path, Query: t.Query, Env: t.Env,
		CreateTime: found.Link.GeneratedAt.Unix(), ExpireTime: found.EndsAt().Unix(), CloudBase: viewCloudBase(t.CloudBase),
	}
	if info.Query == "" {
		info.Query = found.Spliced
	}
	return info
}

// inspection is the answer of the native interface about a link.
type inspection struct {
	URL       string         `json:"url"`
	Kind      broker.Kind    `json:"kind"`
	App       string         `json:"app"`
	Stored    bool           `json:"stored"`
	Key       string         `json:"key,omitempty"` // these are of a stored link
	Path      *string        `json:"path,omitzero"`
	Query     *string        `json:"query,omitzero"`
	Env       broker.Env     `json:"env_version,omitempty"`
	Generated time.Time      `json:"generated_at,omitzero"`
	Expires   time.Time      `json:"expires_at,omitzero"`
	WeChat    jsontext.Value `json:"wechat,omitempty"` // what WeChat says of one that is not
}

// inspectLink answers GET /api/v1/inspect.
func (a *api) inspectLink(c *gin.Context, who caller) error {
	var url, asked string
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
		switch {
		case isCredential(name):
		case name == "url":
			url = value
		case name == "app":
			asked = value
		default:
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	app, err := a.chooseApp(who, asked)
	if err != nil {
		return err
	}
	q := broker.Question{Kind: broker.KindOf(url), URL: url}
	found, err := a.inspect(c, who, app, q)
	if err != nil {
		return err
	}
	c.Writer.Header().Set("Cache-Control", "no-store")
	out := inspection{URL: url, Kind: q.Kind, App: app, Stored: found.Inspected == nil, WeChat: jsontext.Value(found.Inspected)}
	if out.Stored {
		info := infoOf(found)
		out.Key, out.Path, out.Query, out.Env = found.Link.Key.String(), &info.Path, &info.Query, info.Env
		out.Generated, out.Expires = utc(found.Link.GeneratedAt), utc(found.Link.ExpiresAt)
	}
	writeJSON(c, http.StatusOK, out)
	return nil
}
