package wechat

import (
	"encoding/json"
	"fmt"
	"time"

	"linkbroker/broker"
)

// recipe is how WeChat is asked for a kind of link.
type recipe struct {
	path     string
	encode   func(broker.Target) ([]byte, error) // the body: one for one target, byte for byte
	field    string                              // of the answer that holds the link
	refusals map[int]refusal                     // errcodes that mean something else here than in linkRefusals
}

var recipes = map[broker.Kind]recipe{
	broker.URLLink: {path: "/wxa/generate_urllink", encode: encodeURLLink, field: "url_link"},
	broker.Scheme:  {path: "/wxa/generatescheme", encode: encodeScheme, field: "openlink"},
	broker.ShortLink: {path: "/wxa/genwxashortlink", encode: encodeShortLink, field: "link", refusals: map[int]refusal{
		40066: {broker.InvalidPath, "WeChat does not accept the page: it has to be one of the released version", 0},
		40225: {broker.InvalidArgument, "WeChat does not accept page_title", 0},
		43104: {broker.AppForbidden, "WeChat does not let this mini program make short links: they are for shops alone", time.Minute},
		85400: {broker.QuotaExhausted, "WeChat makes no more permanent short links for this mini program", time.Hour},
	}},
}

// Call gives the call with which WeChat is asked for a normalised target: its path, and its body as JSON.
func Call(target broker.Target) (path string, body []byte, err error) {
	made, ok := recipes[target.Kind]
	if !ok {
		return "", nil, fmt.Errorf("there is no recipe for kind %q", target.Kind)
	}
	if body, err = made.encode(target); err != nil {
		return "", nil, fmt.Errorf("the target is not normalised: %w", err)
	}
	return made.path, body, nil
}

// schemeBody is the body of urlscheme.generate. The order of its fields is the order on the wire.
type schemeBody struct {
	JumpWxa        json.RawMessage `json:"jump_wxa"`
	ExpireType     int             `json:"expire_type"`
	ExpireTime     int64           `json:"expire_time,omitempty"`
	ExpireInterval int             `json:"expire_interval,omitempty"`
}

// jumpBody is where a scheme leads. WeChat's older documents want path and query there even if they are empty.
type jumpBody struct {
	Path       string     `json:"path"`
	Query      string     `json:"query"`
	EnvVersion broker.Env `json:"env_version"`
}

func encodeScheme(t broker.Target) ([]byte, error) {
	within, beside, err := splitExtra(t.Extra, "jump_wxa")
	if err != nil {
		return nil, err
	}
	jump, err := encodeFields(jumpBody{Path: upstreamPath(t), Query: t.Query, EnvVersion: t.Env}, within)
	if err != nil {
		return nil, err
	}
	body := schemeBody{JumpWxa: jump}
	body.ExpireType, body.ExpireTime, body.ExpireInterval = expireFields(t.Expiry)
	return encodeFields(body, beside)
}

// splitExtra gives the extra fields that belong into an object of the body, and the others.
func splitExtra(extra json.RawMessage, object string) (within, beside json.RawMessage, err error) {
	if len(extra) == 0 {
		return nil, nil, nil
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(extra, &members); err != nil {
		return nil, nil, errExtra
	}
	if within = members[object]; within == nil {
		return nil, extra, nil
	}
	if delete(members, object); len(members) == 0 {
		return within, nil, nil
	}
	beside, err = encodeFields(members, nil)
	return within, beside, err
}

// shortLinkBody is the body of shortlink.generate.
type shortLinkBody struct {
	PageURL     string `json:"page_url"`
	PageTitle   string `json:"page_title,omitempty"`
	IsPermanent bool   `json:"is_permanent"`
}

func encodeShortLink(t broker.Target) ([]byte, error) {
	return encodeFields(shortLinkBody{PageURL: t.PageURL(), PageTitle: t.Title, IsPermanent: t.Expiry.Never}, t.Extra)
}
