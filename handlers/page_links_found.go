package handlers

import (
	"errors"
	"strings"

	"linkbroker/broker"
)

// foundLink is a link that the text of a search names without being in it.
type foundLink struct {
	Slug string       // of the alias that was named; empty = it was the link's own key
	Link *broker.Link // nil: the alias has none yet
}

// Found is the link whose key is searched for, or the slug or permanent address of whose alias is; nil if there is none.
func (v linksView) Found() (*foundLink, error) {
	text := v.query.Text
	if text == "" || v.query.Cursor != "" {
		return nil, nil //nolint:nilnil // nothing is found
	}
	if key, err := broker.ParseKey(text); err == nil {
		switch link, err := v.a.Broker.Link(v.ctx, key); {
		case err == nil:
			return &foundLink{Link: &link}, nil
		case !errors.Is(err, broker.NotFound):
			return nil, err
		}
	}
	alias, err := v.a.Broker.Alias(v.ctx, text[strings.LastIndexByte(text, '/')+1:])
	switch {
	case errors.Is(err, broker.NotFound):
		return nil, nil //nolint:nilnil // nothing is found
	case err != nil:
		return nil, err
	}
	found := foundLink{Slug: alias.Slug}
	plan, err := v.a.Broker.Plan(v.ctx, alias.Request())
	if err == nil && plan.Link.URL != "" { // an alias that its app does not permit any more leads nowhere
		found.Link = &plan.Link
	}
	return &found, nil
}
