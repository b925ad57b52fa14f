package handlers

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// linkRow is a link as it is exported and imported: all that there is, moments to the millisecond.
type linkRow struct {
	Key            string         `json:"key,omitempty"`
	App            string         `json:"app,omitempty"`
	Kind           broker.Kind    `json:"kind,omitempty"`
	Path           *string        `json:"path"`
	Query          string         `json:"query,omitempty"`
	Env            broker.Env     `json:"env_version,omitempty"`
	CloudBase      *cloudBaseView `json:"cloud_base,omitzero"`
	ExpireInterval int64          `json:"expire_interval,omitzero"` // days; without it and the next the living link
	ExpireTime     int64          `json:"expire_time,omitzero"`     // Unix seconds
	Permanent      bool           `json:"is_permanent,omitzero"`
	Scope          string         `json:"scope,omitempty"`
	Title          string         `json:"page_title,omitempty"`
	Extra          jsontext.Value `json:"extra,omitempty"`
	AnswerExtra    jsontext.Value `json:"answer_extra,omitempty"` // fields of WeChat's answer that only WeChat knows
	URL            string         `json:"url"`
	GeneratedAt    time.Time      `json:"generated_at,omitzero"`
	ExpiresAt      time.Time      `json:"expires_at,omitzero"`
	UsedAt         time.Time      `json:"used_at,omitzero"`
	Uses           uint64         `json:"uses,omitzero"`
	Recent         []byte         `json:"recent,omitempty"` // uses of each day, as broker.DailyUses has them
	Pinned         bool           `json:"pinned,omitzero"`
	Rotations      uint64         `json:"rotations,omitzero"`
	AskedBy        string         `json:"asked_by,omitempty"`
}

// linkColumns are the same as a table.
//
//nolint:gochecknoglobals // a constant table
var linkColumns = []column[linkRow]{
	textColumn("key", func(r *linkRow) *string { return &r.Key }),
	textColumn("app", func(r *linkRow) *string { return &r.App }),
	textColumn("kind", func(r *linkRow) *broker.Kind { return &r.Kind }),
	textColumn("path", func(r *linkRow) *string { return given(&r.Path) }),
	textColumn("query", func(r *linkRow) *string { return &r.Query }),
	textColumn("env_version", func(r *linkRow) *broker.Env { return &r.Env }),
	jsonColumn("cloud_base", func(r *linkRow) **cloudBaseView { return &r.CloudBase }),
	numberColumn("expire_interval", func(r *linkRow) *int64 { return &r.ExpireInterval }),
	numberColumn("expire_time", func(r *linkRow) *int64 { return &r.ExpireTime }),
	truthColumn("is_permanent", func(r *linkRow) *bool { return &r.Permanent }),
	textColumn("scope", func(r *linkRow) *string { return &r.Scope }),
	textColumn("page_title", func(r *linkRow) *string { return &r.Title }),
	jsonColumn("extra", func(r *linkRow) *jsontext.Value { return &r.Extra }),
	jsonColumn("answer_extra", func(r *linkRow) *jsontext.Value { return &r.AnswerExtra }),
	textColumn("url", func(r *linkRow) *string { return &r.URL }),
	momentColumn("generated_at", func(r *linkRow) *time.Time { return &r.GeneratedAt }),
	momentColumn("expires_at", func(r *linkRow) *time.Time { return &r.ExpiresAt }),
	momentColumn("used_at", func(r *linkRow) *time.Time { return &r.UsedAt }),
	numberColumn("uses", func(r *linkRow) *uint64 { return &r.Uses }),
	jsonColumn("recent", func(r *linkRow) *[]byte { return &r.Recent }),
	truthColumn("pinned", func(r *linkRow) *bool { return &r.Pinned }),
	numberColumn("rotations", func(r *linkRow) *uint64 { return &r.Rotations }),
	textColumn("asked_by", func(r *linkRow) *string { return &r.AskedBy }),
}

// given gives a text that is there from now on.
func given(text **string) *string {
	if *text == nil {
		*text = new(string)
	}
	return *text
}

func linkRowOf(l broker.Link) linkRow {
	t := l.Target
	r := linkRow{
		Key: l.Key.String(), App: t.App, Kind: t.Kind, Path: &t.Path, Query: t.Query, Env: t.Env, CloudBase: viewCloudBase(t.CloudBase),
		ExpireInterval: int64(t.Expiry.Days), Permanent: t.Expiry.Never, Scope: t.Scope, Title: t.Title,
		Extra: jsontext.Value(t.Extra), AnswerExtra: jsontext.Value(l.Extra), URL: l.URL,
		GeneratedAt: toMillisecond(l.GeneratedAt), ExpiresAt: toMillisecond(l.ExpiresAt), UsedAt: toMillisecond(l.UsedAt),
		Uses: l.Uses, Recent: []byte(l.Recent), Pinned: l.Pinned, Rotations: l.Rotations, AskedBy: l.AskedBy,
	}
	if !t.Expiry.At.IsZero() {
		r.ExpireTime = t.Expiry.At.Unix()
	}
	return r
}

func toMillisecond(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Longest accepted fields of a link that nobody else looks at, in bytes.
const (
	maxRecent  = 512
	maxAskedBy = 128
)

// link gives what the domain works on.
func (r *linkRow) link() (broker.Link, error) {
	var key broker.Key
	var err error
	if r.Key != "" {
		if key, err = broker.ParseKey(r.Key); err != nil {
			return broker.Link{}, broker.Errorf(malformed, "%w", err)
		}
	}
	switch {
	case r.Path == nil:
		return broker.Link{}, errNoPath()
	case r.ExpireInterval != 0 && r.ExpireTime != 0, r.Permanent && (r.ExpireInterval != 0 || r.ExpireTime != 0):
		return broker.Link{}, broker.Errorf(malformed, "expire_interval, expire_time and is_permanent exclude each other")
	case len(r.Recent) > maxRecent || len(r.AskedBy) > maxAskedBy || !utf8.ValidString(r.AskedBy):
		return broker.Link{}, broker.Errorf(malformed, "recent or asked_by is too long")
	}
	expiry, err := broker.ParseExpiry(nil, unlessZero(r.ExpireInterval), unlessZero(r.ExpireTime))
	expiry.Never = r.Permanent
	return broker.Link{
		Key: key,
		Target: broker.Target{
			App: r.App, Kind: r.Kind, Path: *r.Path, Query: r.Query, Env: r.Env, CloudBase: r.CloudBase.domain(), Expiry: expiry,
			Scope: r.Scope, Title: r.Title, Extra: withoutNull(r.Extra),
		},
		URL: r.URL, Extra: withoutNull(r.AnswerExtra), GeneratedAt: r.GeneratedAt, ExpiresAt: r.ExpiresAt, UsedAt: r.UsedAt,
		Uses: r.Uses, Recent: broker.DailyUses(r.Recent), Pinned: r.Pinned, Rotations: r.Rotations, AskedBy: r.AskedBy,
	}, err
}

func errNoPath() error {
	return broker.Errorf(malformed, "path is missing; an empty one is the home page")
}

// withoutNull takes null for nothing.
func withoutNull(v jsontext.Value) []byte {
	if v.Kind() == jsontext.KindNull {
		return nil
	}
	return v
}

func unlessZero(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// domain gives what the domain works on.
func (v *cloudBaseView) domain() *broker.CloudBase {
	if v == nil {
		return nil
	}
	return &broker.CloudBase{
		Env: v.Env, Domain: v.Domain, Path: v.Path, Query: v.Query, ResourceAppID: v.ResourceAppID, Extra: withoutNull(v.Extra),
	}
}

// aliasRow is an alias as it is exported and imported.
type aliasRow struct {
	Slug        string         `json:"slug"`
	App         string         `json:"app,omitempty"`
	Kind        broker.Kind    `json:"kind,omitempty"`
	Path        *string        `json:"path"`
	Query       string         `json:"query,omitempty"`
	Env         broker.Env     `json:"env_version,omitempty"`
	CloudBase   *cloudBaseView `json:"cloud_base,omitzero"`
	Extra       jsontext.Value `json:"extra,omitempty"`
	Splice      bool           `json:"splice,omitzero"`
	Title       string         `json:"title,omitempty"`
	Tags        []string       `json:"tags,omitempty"`
	StartsAt    time.Time      `json:"starts_at,omitzero"`
	EndsAt      time.Time      `json:"ends_at,omitzero"`
	FallbackURL string         `json:"fallback_url,omitempty"`
	VisitLimit  uint64         `json:"visit_limit,omitzero"`
	Disabled    bool           `json:"disabled,omitzero"`
	CreatedAt   time.Time      `json:"created_at,omitzero"`
	ChangedAt   time.Time      `json:"changed_at,omitzero"`
}

// aliasColumns are the same as a table.
//
//nolint:gochecknoglobals // a constant table
var aliasColumns = []column[aliasRow]{
	textColumn("slug", func(r *aliasRow) *string { return &r.Slug }),
	textColumn("app", func(r *aliasRow) *string { return &r.App }),
	textColumn("kind", func(r *aliasRow) *broker.Kind { return &r.Kind }),
	textColumn("path", func(r *aliasRow) *string { return given(&r.Path) }),
	textColumn("query", func(r *aliasRow) *string { return &r.Query }),
	textColumn("env_version", func(r *aliasRow) *broker.Env { return &r.Env }),
	jsonColumn("cloud_base", func(r *aliasRow) **cloudBaseView { return &r.CloudBase }),
	jsonColumn("extra", func(r *aliasRow) *jsontext.Value { return &r.Extra }),
	truthColumn("splice", func(r *aliasRow) *bool { return &r.Splice }),
	textColumn("title", func(r *aliasRow) *string { return &r.Title }),
	tagsColumn(),
	momentColumn("starts_at", func(r *aliasRow) *time.Time { return &r.StartsAt }),
	momentColumn("ends_at", func(r *aliasRow) *time.Time { return &r.EndsAt }),
	textColumn("fallback_url", func(r *aliasRow) *string { return &r.FallbackURL }),
	numberColumn("visit_limit", func(r *aliasRow) *uint64 { return &r.VisitLimit }),
	truthColumn("disabled", func(r *aliasRow) *bool { return &r.Disabled }),
	momentColumn("created_at", func(r *aliasRow) *time.Time { return &r.CreatedAt }),
	momentColumn("changed_at", func(r *aliasRow) *time.Time { return &r.ChangedAt }),
}

// tagsColumn has a JSON array, and takes what people write as well: tags with commas between them.
func tagsColumn() column[aliasRow] {
	column := jsonColumn("tags", func(r *aliasRow) *[]string { return &r.Tags })
	readJSON := column.read
	column.read = func(r *aliasRow, cell string) error {
		if strings.HasPrefix(cell, "[") {
			return readJSON(r, cell)
		}
		for tag := range strings.SplitSeq(cell, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				r.Tags = append(r.Tags, tag)
			}
		}
		return nil
	}
	return column
}

func aliasRowOf(a broker.Alias) aliasRow {
	t := a.Target
	return aliasRow{
		Slug: a.Slug, App: t.App, Kind: t.Kind, Path: &t.Path, Query: t.Query, Env: t.Env, CloudBase: viewCloudBase(t.CloudBase),
		Extra: jsontext.Value(t.Extra), Splice: a.Splice, Title: a.Title, Tags: a.Tags, StartsAt: a.StartsAt, EndsAt: a.EndsAt,
		FallbackURL: a.FallbackURL, VisitLimit: a.VisitLimit, Disabled: a.Disabled, CreatedAt: a.CreatedAt, ChangedAt: a.ChangedAt,
	}
}

// alias gives what the domain works on.
func (r *aliasRow) alias() (broker.Alias, error) {
	if r.Path == nil {
		return broker.Alias{}, errNoPath()
	}
	for _, t := range []time.Time{r.StartsAt, r.EndsAt, r.CreatedAt, r.ChangedAt} {
		if outOfReach(t) {
			return broker.Alias{}, broker.Errorf(malformed, "a moment lies outside of the years 1 to 9999")
		}
	}
	return broker.Alias{
		Slug: r.Slug,
		Target: broker.Target{
			App: r.App, Kind: r.Kind, Path: *r.Path, Query: r.Query, Env: r.Env, CloudBase: r.CloudBase.domain(), Extra: withoutNull(r.Extra),
		},
		Splice: r.Splice, Title: r.Title, Tags: r.Tags, StartsAt: r.StartsAt, EndsAt: r.EndsAt,
		FallbackURL: r.FallbackURL, VisitLimit: r.VisitLimit, Disabled: r.Disabled, CreatedAt: r.CreatedAt, ChangedAt: r.ChangedAt,
	}, nil
}
