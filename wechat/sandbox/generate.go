package sandbox

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	maxLife     = 30 * 24 * time.Hour // whatever is asked
	maxQuery    = 1024
	maxInterval = 30 // days
)

// queryAlphabet are the characters a query may have.
const queryAlphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&'()*+,/:;=?@-._~%"

// linkBody is the body of urllink.generate.
type linkBody struct {
	Path           string          `json:"path"`
	Query          string          `json:"query"`
	EnvVersion     string          `json:"env_version"`
	ExpireType     int             `json:"expire_type"`
	ExpireTime     int64           `json:"expire_time"`
	ExpireInterval int             `json:"expire_interval"`
	CloudBase      json.RawMessage `json:"cloud_base"`
}

// generate answers POST /wxa/generate_urllink. A refused call counts for the rate but not for the day's quota
// (assumed).
func (w *WeChat) generate(c *call) (fields, errcode) {
	var body linkBody
	return w.make(c, &body, "url_link", func(a *app) (*link, errcode) {
		made, code := a.newLink(body, c.now)
		if code == ok {
			code = checkCloudBase(body.CloudBase)
		}
		if code != ok {
			return nil, code
		}
		made.Kind, made.CloudBase = urlLink, body.CloudBase
		return made, a.spendLink()
	})
}

// make does what all calls have in common that make a link: reads the body, and remembers what work made of it.
func (w *WeChat) make(c *call, body any, field string, work func(a *app) (*link, errcode)) (fields, errcode) {
	a, code := w.caller(c)
	if code != ok {
		return nil, code
	}
	if a.tooFast(c.now) {
		return nil, tooFast
	}
	if code := c.decode(body); code != ok {
		return nil, code
	}
	a.turnDay(c.now)
	made, code := work(a)
	if code != ok {
		return nil, code
	}
	made.App, made.Created = a.ID, c.now.Unix()
	made.Day, made.Used, made.Short, made.Permanent = a.day, a.used, a.short, a.permanent
	w.links.add(made)
	c.made = made
	w.stats.Generated++
	w.stats.ByKind[made.Kind]++
	return fields{"errcode": 0, "errmsg": "ok", field: made.url()}, ok
}

// spendLink counts a URL Link or a scheme, which share one quota.
func (a *app) spendLink() errcode {
	if a.used >= a.DailyQuota {
		return quotaUsedUp
	}
	a.used++
	return ok
}

// newLink checks what is asked as WeChat does.
func (a *app) newLink(body linkBody, now time.Time) (*link, errcode) {
	path := strings.TrimLeft(body.Path, "/")
	if strings.Contains(path, "?") || !a.hasPage(path) {
		return nil, pathInvalid
	}
	if !validQuery(body.Query) {
		return nil, queryInvalid
	}
	switch body.EnvVersion {
	case "":
		body.EnvVersion = "release"
	case "release", "trial", "develop":
	default:
		return nil, envInvalid
	}
	expires, code := body.expires(now)
	if code != ok {
		return nil, code
	}
	return &link{
		Ticket: newTicket(), Path: path, Query: body.Query, Env: body.EnvVersion, Expires: expires.Unix(),
	}, ok
}

// expires is when the link ends. A time too far away, in milliseconds or "permanent" is no error: the link silently
// gets 30 days. An interval above 30 is one (assumed).
func (b linkBody) expires(now time.Time) (time.Time, errcode) {
	latest := now.Add(maxLife)
	at := time.Unix(b.ExpireTime, 0)
	switch {
	case b.ExpireType == 1 && b.ExpireInterval >= 1 && b.ExpireInterval <= maxInterval:
		return now.Add(time.Duration(b.ExpireInterval) * 24 * time.Hour), ok
	case b.ExpireType != 0:
		return time.Time{}, expiryInvalid
	case b.ExpireTime == 0 || at.After(latest):
		return latest, ok
	case !at.After(now.Add(time.Minute)):
		return time.Time{}, expiryInvalid
	default:
		return at, ok
	}
}

// checkCloudBase: which errcodes WeChat has for cloud_base is not documented (assumed).
func checkCloudBase(raw json.RawMessage) errcode {
	if len(raw) == 0 || string(raw) == "null" {
		return ok
	}
	var cloudBase struct {
		Env   string `json:"env"`
		Query string `json:"query"`
	}
	switch err := json.Unmarshal(raw, &cloudBase); {
	case err != nil || cloudBase.Env == "":
		return argumentInvalid
	case !validQuery(cloudBase.Query):
		return queryInvalid
	default:
		return ok
	}
}

func validQuery(query string) bool {
	return len(query) <= maxQuery && !strings.ContainsFunc(query, func(r rune) bool {
		return !strings.ContainsRune(queryAlphabet, r)
	})
}
