package broker

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
)

// AliasQuery selects aliases for an administrator.
type AliasQuery struct {
	Text   string // found in slug, title, path or query, without regard to case
	App    string
	Tag    string
	Limit  int    // 1 to 500; 50
	Cursor string // AliasPage.NextCursor of the page before
}

// AliasPage is one page of aliases, in the order of their slugs.
type AliasPage struct {
	Aliases    []Alias
	NextCursor string // empty on the last page
}

// Aliases gives a page of the aliases.
func (b *Broker) Aliases(ctx context.Context, q AliasQuery) (AliasPage, error) {
	limit := min(cmp.Or(max(q.Limit, 0), defaultLimit), maxLimit)
	var page AliasPage
	for alias, err := range b.allAliases(ctx, q.Cursor) {
		switch {
		case err != nil:
			return AliasPage{}, err
		case !q.matches(alias):
			continue
		case len(page.Aliases) == limit:
			page.NextCursor = page.Aliases[limit-1].Slug
			return page, nil
		}
		page.Aliases = append(page.Aliases, alias)
	}
	return page, nil
}

func (q AliasQuery) matches(a Alias) bool {
	if q.App != "" && a.Target.App != q.App || q.Tag != "" && !slices.Contains(a.Tags, q.Tag) {
		return false
	}
	text := strings.ToLower(q.Text)
	return text == "" || slices.ContainsFunc([]string{a.Slug, a.Title, a.Target.Path, a.Target.Query}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), text)
	})
}

// allAliases walks all aliases in the order of their slugs, page by page.
func (b *Broker) allAliases(ctx context.Context, after string) iter.Seq2[Alias, error] {
	return func(yield func(Alias, error) bool) {
		for {
			page, err := b.store.ListAliases(ctx, after, scanPage)
			if err != nil {
				yield(Alias{}, err)
				return
			}
			for _, alias := range page {
				if !yield(alias, nil) {
					return
				}
			}
			if len(page) < scanPage {
				return
			}
			after = page[len(page)-1].Slug
		}
	}
}
