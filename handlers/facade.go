package handlers

import (
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// urlLinkRequest is what WeChat's urllink.generate takes. Fields we do not know go upstream and into the key.
type urlLinkRequest struct {
	expiryFields

	Path      string         `json:"path"`
	Query     string         `json:"query"`
	Env       broker.Env     `json:"env_version"`
	CloudBase cloudBase      `json:"cloud_base"`
	IsExpire  whatever       `json:"is_expire"` // WeChat ignores it since 2022
	Unknown   jsontext.Value `json:",embed"`
}

// generateURLLink answers POST /wxa/generate_urllink.
func (a *api) generateURLLink(c *gin.Context, who caller) error {
	app, err := a.chooseApp(who, param(c.Request.URL.RawQuery, "appid"))
	if err != nil {
		return err
	}
	var in urlLinkRequest
	if err := a.bodies.read(c.Request, func(data []byte) error { return decode(data, &in) }); err != nil {
		return err
	}
	target, err := in.target(app)
	if err != nil {
		return err
	}
	answer, err := a.Broker.Get(c.Request.Context(), who.request(broker.Request{Target: target}))
	if err != nil {
		return err
	}
	writeCacheFacts(c.Writer.Header(), answer)
	asWeChat(c, "url_link", answer.URL())
	return nil
}

// target gives what the domain works on. Times and intervals that are not positive count as absent, because some
// SDKs send 0 for each field that its user left out.
func (in *urlLinkRequest) target(app string) (broker.Target, error) {
	expiry, err := broker.ParseExpiry(in.Type.pointer(), in.Interval.positive(), in.At.positive())
	return broker.Target{
		App:       app,
		Kind:      broker.URLLink,
		Path:      in.Path,
		Query:     in.Query,
		Env:       in.Env,
		CloudBase: in.CloudBase.target(),
		Expiry:    expiry,
		Extra:     withoutNulls(in.Unknown),
	}, err
}
