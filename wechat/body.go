package wechat

import (
	"bytes"
	"encoding/json"
	"errors"

	"linkbroker/broker"
)

// livingDays is the life asked for a living link: the longest WeChat gives.
const livingDays = 30

// Values of WeChat's expire_type.
const (
	expireAt   = 0 // at expire_time, in Unix seconds
	expireDays = 1 // after expire_interval days
)

var errExtra = errors.New("the extra fields are not a JSON object with a field in it")

// linkBody is the body of urllink.generate. The order of its fields is the order on the wire.
type linkBody struct {
	Path           string          `json:"path,omitempty"`
	Query          string          `json:"query,omitempty"`
	EnvVersion     broker.Env      `json:"env_version"`
	ExpireType     int             `json:"expire_type"`
	ExpireTime     int64           `json:"expire_time,omitempty"`
	ExpireInterval int             `json:"expire_interval,omitempty"`
	CloudBase      json.RawMessage `json:"cloud_base,omitempty"`
}

type cloudBaseBody struct {
	Env           string `json:"env"`
	Domain        string `json:"domain,omitempty"`
	Path          string `json:"path"`
	Query         string `json:"query,omitempty"`
	ResourceAppID string `json:"resource_appid,omitempty"`
}

// encodeURLLink gives the body of urllink.generate.
func encodeURLLink(t broker.Target) ([]byte, error) {
	body := linkBody{Path: upstreamPath(t), Query: t.Query, EnvVersion: t.Env}
	body.ExpireType, body.ExpireTime, body.ExpireInterval = expireFields(t.Expiry)
	if c := t.CloudBase; c != nil {
		raw, err := encodeFields(cloudBaseBody{c.Env, c.Domain, c.Path, c.Query, c.ResourceAppID}, c.Extra)
		if err != nil {
			return nil, err
		}
		body.CloudBase = raw
	}
	return encodeFields(body, t.Extra)
}

// upstreamPath gives the page as WeChat gets it; the home page is empty.
func upstreamPath(t broker.Target) string {
	if t.Path == "" {
		return ""
	}
	return "/" + t.Path
}

// expireFields says in WeChat's words when a link shall end.
func expireFields(e broker.Expiry) (expireType int, expireTime int64, expireInterval int) {
	switch {
	case !e.At.IsZero():
		return expireAt, e.At.Unix(), 0
	case e.Days != 0:
		return expireDays, 0, e.Days
	default:
		return expireDays, 0, livingDays
	}
}

// encodeFields gives the object of the known fields with the extra ones behind them. Normalisation has seen to it
// that extra is an object and repeats no known field.
func encodeFields(known any, extra json.RawMessage) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // WeChat's own examples carry & and = as they are
	if err := enc.Encode(known); err != nil {
		return nil, err
	}
	object := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(extra) == 0 {
		return object, nil
	}
	object = append(object[:len(object)-1], ',')
	object = append(object, extra[1:]...)
	if !json.Valid(object) {
		return nil, errExtra
	}
	return object, nil
}
