package handlers

import (
	"cmp"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// linkRequest is what the native interface takes, as a body or as parameters.
type linkRequest struct {
	expiryFields

	App       string         `json:"app"`
	AppID     string         `json:"-"` // the parameter appid, which names the app as well
	Kind      broker.Kind    `json:"kind"`
	Path      *string        `json:"path"`
	Query     string         `json:"query"`
	Env       broker.Env     `json:"env_version"`
	CloudBase cloudBase      `json:"cloud_base"`
	LeastLife lifetime       `json:"least_life"`
	Scope     string         `json:"scope"`
	Title     string         `json:"page_title"`
	Permanent truth          `json:"is_permanent"`
	Splice    *bool          `json:"splice"` // nil = as the app's configuration says
	Extra     jsontext.Value `json:"extra"`
	Unknown   jsontext.Value `json:",embed"`
}

// expiryFields are WeChat's fields for the end of a link.
type expiryFields struct {
	Type     number `json:"expire_type"`
	Interval number `json:"expire_interval"`
	At       number `json:"expire_time"`
}

// nativeIdioms are the two ways of asking on the native interface.
type nativeIdioms struct{ body, params *idiom }

func newNativeIdioms() nativeIdioms {
	return nativeIdioms{
		body: bodyOf[linkRequest](),
		params: newIdiom(func(words []byte) (broker.Request, error) {
			var in linkRequest
			if err := in.setParams(string(words), false); err != nil {
				return broker.Request{}, err
			}
			return in.request()
		}),
	}
}

// postLink answers POST /api/v1/links.
func (a *api) postLink(c *gin.Context, who caller) error {
	if c.Request.URL.RawQuery != "" {
		return a.postLinkAndParams(c, who)
	}
	var what *asked
	err := a.bodies.read(c.Request, func(data []byte) (err error) {
		what, err = a.memo.understand(a.native.body, data)
		return err
	})
	if err != nil {
		return err
	}
	return a.giveLink(c, who, what)
}

// postLinkAndParams answers a POST that has parameters besides: the app may stand there.
func (a *api) postLinkAndParams(c *gin.Context, who caller) error {
	var in linkRequest
	if err := a.readLink(c, &in); err != nil {
		return err
	}
	return a.giveLinkOf(c, who, &in)
}

// readLink reads what is asked for in a body.
func (a *api) readLink(c *gin.Context, in *linkRequest) error {
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
		switch {
		case isCredential(name):
			return nil
		case name == "appid":
			return in.setAppID(value)
		default:
			return broker.Errorf(malformed, "unknown parameter %q: the fields go into the body", name)
		}
	})
	if err != nil {
		return err
	}
	return a.bodies.read(c.Request, func(data []byte) error { return decode(data, in) })
}

// getLink answers GET /api/v1/link.
func (a *api) getLink(c *gin.Context, who caller) error {
	if who.signed { // each signature is another
		var in linkRequest
		if err := in.setParams(c.Request.URL.RawQuery, true); err != nil {
			return err
		}
		return a.giveLinkOf(c, who, &in)
	}
	query := c.Request.URL.RawQuery
	var space [memoLongest]byte
	what, again := a.memo.find(a.native.params, append(space[:0], query...))
	if what == nil {
		var err error
		if what, err = a.native.params.ask([]byte(query), again); err != nil {
			return err
		}
	}
	return a.giveLink(c, who, what)
}

// setParams reads what is asked for in the parameters of an address.
func (in *linkRequest) setParams(query string, signed bool) error {
	return eachParam(query, func(name, value string) error {
		if isCredential(name) || signed && isSignature(name) {
			return nil
		}
		set, ok := linkParams[name]
		if !ok {
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return set(in, value)
	})
}

// linkParams are the fields of linkRequest as parameters of an address. cloud_base and extra are JSON there, too.
//
//nolint:gochecknoglobals // a constant table
var linkParams = map[string]func(in *linkRequest, value string) error{
	"app":             func(in *linkRequest, v string) error { in.App = v; return nil },
	"appid":           (*linkRequest).setAppID,
	"kind":            func(in *linkRequest, v string) error { in.Kind = broker.Kind(v); return nil },
	"path":            func(in *linkRequest, v string) error { in.Path = &v; return nil },
	"query":           func(in *linkRequest, v string) error { in.Query = v; return nil },
	"env_version":     func(in *linkRequest, v string) error { in.Env = broker.Env(v); return nil },
	"scope":           func(in *linkRequest, v string) error { in.Scope = v; return nil },
	"page_title":      func(in *linkRequest, v string) error { in.Title = v; return nil },
	"is_permanent":    func(in *linkRequest, v string) error { return in.Permanent.param("is_permanent", v) },
	"splice":          (*linkRequest).setSplice,
	"least_life":      func(in *linkRequest, v string) error { return in.LeastLife.parse(v) },
	"expire_type":     func(in *linkRequest, v string) error { return in.Type.param("expire_type", v) },
	"expire_interval": func(in *linkRequest, v string) error { return in.Interval.param("expire_interval", v) },
	"expire_time":     func(in *linkRequest, v string) error { return in.At.param("expire_time", v) },
	"cloud_base":      func(in *linkRequest, v string) error { return decodeParam("cloud_base", v, &in.CloudBase) },
	"extra":           func(in *linkRequest, v string) error { return decodeParam("extra", v, &in.Extra) },
}

func isCredential(name string) bool {
	return name == "access_token" || name == "cloudbase_access_token" || name == keyParam
}

// giveLinkOf answers with a link for what is asked for this once.
func (a *api) giveLinkOf(c *gin.Context, who caller, in *linkRequest) error {
	req, err := in.request()
	if err != nil {
		return err
	}
	return a.giveLink(c, who, &asked{app: req.App, request: &req})
}

func (a *api) giveLink(c *gin.Context, who caller, what *asked) error {
	app, err := a.chooseApp(who, what.app)
	if err != nil {
		return err
	}
	answer, err := a.answerTo(c.Request.Context(), &who, app, what)
	if err != nil {
		return err
	}
	a.answer(c, &answer, who.inParam)
	return nil
}

// request gives what the domain works on.
func (in *linkRequest) request() (broker.Request, error) {
	if err := in.check(); err != nil {
		return broker.Request{}, err
	}
	expiry, err := broker.ParseExpiry(in.Type.pointer(), in.Interval.pointer(), in.At.pointer())
	if err != nil {
		return broker.Request{}, err
	}
	expiry.Never = bool(in.Permanent)
	target := broker.Target{
		App: cmp.Or(in.App, in.AppID), Kind: in.Kind, Path: *in.Path, Query: in.Query, Env: in.Env,
		CloudBase: in.CloudBase.target(), Expiry: expiry, Scope: in.Scope, Title: in.Title,
	}
	if in.Extra.Kind() != jsontext.KindNull {
		target.Extra = []byte(in.Extra)
	}
	return broker.Request{Target: target, LeastLife: time.Duration(in.LeastLife), Splice: in.Splice}, nil
}

// check refuses what is missing, unknown or said in two ways.
func (in *linkRequest) check() error {
	err := checkFields(in.Path, in.CloudBase, in.Unknown)
	switch {
	case err != nil:
		return err
	case in.App != "" && in.AppID != "" && in.App != in.AppID:
		return broker.Errorf(malformed, "app and appid name different mini programs")
	}
	return nil
}

// checkFields refuses a target without a path, or with fields that nobody here knows.
func checkFields(path *string, base cloudBase, unknown jsontext.Value) error {
	name := firstName(unknown)
	if name == "" && len(base.fields.Unknown) > 0 {
		name = "cloud_base." + firstName(base.fields.Unknown)
	}
	switch {
	case name != "":
		return broker.Errorf(malformed, "unknown field %q: one that only WeChat knows goes into extra", name)
	case path == nil:
		return broker.Errorf(malformed, "path is missing; an empty one is the home page")
	}
	return nil
}

func (in *linkRequest) setSplice(value string) error {
	if value != "true" && value != "false" {
		return broker.Errorf(malformed, "splice must be true or false")
	}
	in.Splice = new(value == "true")
	return nil
}

func (in *linkRequest) setAppID(value string) error {
	in.AppID = value
	return nil
}

// lifetime is a length of time as Go writes it: 36h, 90m. It is never negative.
type lifetime time.Duration

// UnmarshalJSONFrom reads one value.
func (l *lifetime) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	switch {
	case err != nil:
		return err
	case value.Kind() == jsontext.KindNull:
		return nil
	case value.Kind() != jsontext.KindString:
		return broker.Errorf(malformed, `least_life must be a text such as "36h"`)
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return err
	}
	return l.parse(string(text))
}

func (l *lifetime) parse(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return broker.Errorf(malformed, `least_life must be a length of time such as "36h" or "90m"`)
	}
	*l = lifetime(d)
	return nil
}
