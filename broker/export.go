package broker

import (
	"context"
	"iter"
)

// AllLinks walks the stored links that the query selects, in the order of their keys, whatever its sort, limit and
// cursor. It reads page by page: links that are put meanwhile may be missed or seen. An error ends the walk.
func (b *Broker) AllLinks(ctx context.Context, q Query) iter.Seq2[Link, error] {
	return selected(b.allLinks(ctx, Key{}), func(l Link) bool { return q.matches(l, b.clock()) })
}

// AllAliases is the same for aliases, in the order of their slugs.
func (b *Broker) AllAliases(ctx context.Context, q AliasQuery) iter.Seq2[Alias, error] {
	return selected(b.allAliases(ctx, ""), q.matches)
}

func selected[T any](all iter.Seq2[T, error], matches func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item, err := range all {
			if err == nil && !matches(item) {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// ImportLinks takes over many links, side by side, and says in their order what became of each. An error among them
// stands for one that could not be read. They are read by another goroutine, which has ended when the walk has.
func (b *Broker) ImportLinks(ctx context.Context, links iter.Seq2[Link, error], dry bool) iter.Seq2[Imported, error] {
	return inOrder(ctx, links, func(ctx context.Context, link Link) (Imported, error) {
		return b.ImportLink(ctx, link, dry)
	})
}
