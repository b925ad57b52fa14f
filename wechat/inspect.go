package wechat

import (
	"context"
	"encoding/json"
	"time"

	"linkbroker/broker"
)

var _ broker.Inspector = (*Client)(nil)

// inquiry is how WeChat is asked about a kind of link.
type inquiry struct {
	path string
	ask  func(link string) any // the body
	info string                // the field of the answer that describes the link
}

var inquiries = map[broker.Kind]inquiry{
	broker.URLLink: {"/wxa/query_urllink", func(link string) any {
		return struct {
			URLLink   string `json:"url_link"`
			QueryType int    `json:"query_type"`
		}{link, queryLink}
	}, "url_link_info"},
	broker.Scheme: {"/wxa/queryscheme", func(link string) any {
		return struct {
			Scheme    string `json:"scheme"`
			QueryType int    `json:"query_type"`
		}{link, queryLink}
	}, "scheme_info"},
}

// Values of WeChat's query_type.
const (
	queryLink     = 0 // what a link is
	queryOpenings = 1 // how often the app's links may still be opened today
)

// inquiryRefusals are errcodes that mean something else where a link is asked about.
var inquiryRefusals = map[int]refusal{
	85403: {broker.NotFound, "WeChat knows no such link of this mini program", 0},
	40097: {broker.InvalidArgument, "WeChat does not take this for a link", 0},
}

// Inspect asks WeChat about a link. Its errors are *broker.Error, NotFound for a link that WeChat does not know.
func (c *Client) Inspect(ctx context.Context, appid string, kind broker.Kind, link string) (broker.Inspected, error) {
	how, ok := inquiries[kind]
	if !ok {
		return broker.Inspected{}, unspent(broker.Internal, "WeChat answers no questions about kind %q", kind)
	}
	got, err := c.inquire(ctx, appid, how.path, how.ask(link))
	if err != nil {
		return broker.Inspected{}, err
	}
	return got.inspected(how.info)
}

// inspected reads what an answer says of a link.
func (a answer) inspected(field string) (broker.Inspected, error) {
	var info struct {
		ExpireTime json.RawMessage `json:"expire_time"`
	}
	if err := json.Unmarshal(a.fields[field], &info); err != nil {
		return broker.Inspected{}, unavailable("WeChat's answer does not say what the link is")
	}
	ends, err := looseNumber(info.ExpireTime)
	if err != nil {
		return broker.Inspected{}, unavailable("WeChat's answer does not say when the link ends")
	}
	inspected := broker.Inspected{Answer: a.object()}
	if ends > 0 {
		inspected.ExpiresAt = time.Unix(ends, 0).UTC()
	}
	return inspected, nil
}

// Openings asks WeChat how often the app's links may still be opened today.
func (c *Client) Openings(ctx context.Context, appid string) (int64, error) {
	got, err := c.inquire(ctx, appid, "/wxa/query_urllink", struct {
		QueryType int `json:"query_type"`
	}{queryOpenings})
	if err != nil {
		return 0, err
	}
	return got.openings()
}

// openings reads how many are left.
func (a answer) openings() (int64, error) {
	var quota struct {
		Remain json.RawMessage `json:"remain_visit_quota"`
	}
	if err := json.Unmarshal(a.fields["quota_info"], &quota); err != nil || quota.Remain == nil {
		return 0, unavailable("WeChat's answer does not say how often links may still be opened")
	}
	left, err := looseNumber(quota.Remain)
	if err != nil {
		return 0, unavailable("WeChat's answer does not say how often links may still be opened")
	}
	return left, nil
}

// inquire makes a call that generates nothing.
func (c *Client) inquire(ctx context.Context, appid, path string, body any) (reply, error) {
	a, ok := c.apps[appid]
	if !ok {
		return reply{}, unspent(broker.UnknownApp, "no app of that appid is configured")
	}
	raw, err := encodeFields(body, nil)
	if err != nil {
		return reply{}, unspent(broker.Internal, "the question cannot be encoded: %w", err)
	}
	got, err := c.ask(ctx, a, path, raw)
	if err == nil && got.errCode != 0 {
		err = got.linkError(inquiryRefusals)
	}
	return got, err
}
