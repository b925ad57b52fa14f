package handlers

import (
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// targetView is where a link leads, in the names of linkRequest.
type targetView struct {
	Kind           broker.Kind    `json:"kind"`
	App            string         `json:"app"`
	Path           string         `json:"path"`
	Query          string         `json:"query"`
	Env            broker.Env     `json:"env_version"`
	CloudBase      *cloudBaseView `json:"cloud_base,omitzero"`
	ExpireInterval int            `json:"expire_interval,omitzero"` // days; without it and the next the living link
	ExpireTime     int64          `json:"expire_time,omitzero"`     // Unix seconds
	Permanent      bool           `json:"is_permanent,omitzero"`
	Scope          string         `json:"scope,omitempty"`
	Title          string         `json:"page_title,omitempty"`
	Extra          jsontext.Value `json:"extra,omitempty"`
}

type cloudBaseView struct {
	Env           string         `json:"env"`
	Domain        string         `json:"domain,omitempty"`
	Path          string         `json:"path"`
	Query         string         `json:"query,omitempty"`
	ResourceAppID string         `json:"resource_appid,omitempty"`
	Extra         jsontext.Value `json:"extra,omitempty"`
}

func viewTarget(t broker.Target) targetView {
	v := targetView{
		Kind: t.Kind, App: t.App, Path: t.Path, Query: t.Query, Env: t.Env, CloudBase: viewCloudBase(t.CloudBase),
		ExpireInterval: t.Expiry.Days, Permanent: t.Expiry.Never, Scope: t.Scope, Title: t.Title, Extra: jsontext.Value(t.Extra),
	}
	if !t.Expiry.At.IsZero() {
		v.ExpireTime = t.Expiry.At.Unix()
	}
	return v
}

func viewCloudBase(b *broker.CloudBase) *cloudBaseView {
	if b == nil {
		return nil
	}
	return &cloudBaseView{b.Env, b.Domain, b.Path, b.Query, b.ResourceAppID, jsontext.Value(b.Extra)}
}
