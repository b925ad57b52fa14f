package broker

import (
	"context"
	"errors"
	"time"
)

// Imported says what became of a row of an import.
type Imported string

// What becomes of rows.
const (
	Added     Imported = "added"
	Replaced  Imported = "replaced"  // what was stored under its key or slug
	Unchanged Imported = "unchanged" // what is stored is the same, or better
)

// ImportLink takes over a link that was exported here or generated elsewhere. It needs a target, an address and an end; a
// key that is given has to be the target's. It never takes the place of one that lives as long. A dry run looks only.
func (b *Broker) ImportLink(ctx context.Context, link Link, dry bool) (Imported, error) {
	link, err := b.checkImport(link)
	if err != nil {
		return "", err
	}
	leave, err := b.takeTurn(ctx, link.Key) // or one that is being generated would be lost
	if err != nil {
		return "", err
	}
	defer leave()
	outcome := Added
	switch stored, _, err := b.current(ctx, link.Key); {
	case err == nil && stored.Outlives(link.ExpiresAt.Add(-time.Second)):
		return Unchanged, nil
	case err == nil:
		outcome = Replaced
	case !errors.Is(err, NotFound):
		return "", err
	}
	if dry {
		return outcome, nil
	}
	if err := b.store.PutLink(ctx, link); err != nil {
		return "", err
	}
	b.unstored.forget(link.Key)
	return outcome, nil
}

// mostUses is beyond what can be counted, and far from where counting on would begin at 0 again.
const mostUses = 1 << 53

// checkImport gives the link as it would have been stored if it had been generated here.
func (b *Broker) checkImport(link Link) (Link, error) {
	now, given := b.clock(), link.Key
	app, ok := b.apps[link.Target.App]
	if !ok {
		return Link{}, Errorf(UnknownApp, "no mini program of this appid is configured")
	}
	var err error
	if link.Target, err = link.Target.Normalize(); err != nil {
		return Link{}, err
	}
	if link.Key = link.Target.Key(); given != (Key{}) && given != link.Key {
		return Link{}, Errorf(InvalidArgument, "the key is not that of the target: leave it out if the target was changed")
	}
	if link.GeneratedAt.IsZero() {
		link.GeneratedAt = now
	}
	switch {
	case link.Target.Kind.rules().compose != nil:
		return Link{}, Errorf(InvalidArgument, "links of kind %s are put together when they are asked for, and kept nowhere", link.Target.Kind)
	case !app.Accepts(link.Target.Kind, link.URL):
		return Link{}, Errorf(InvalidArgument, "the address is not one of kind %s: a URL Link is https on a host of link_hosts", link.Target.Kind)
	case link.GeneratedAt.After(now.Add(safetyMargin)):
		return Link{}, Errorf(InvalidArgument, "generated_at lies in the future")
	case link.UsedAt.After(now.Add(safetyMargin)), !link.UsedAt.IsZero() && link.UsedAt.Unix() < 0:
		return Link{}, Errorf(InvalidArgument, "used_at lies in the future, or before 1970")
	case link.Uses > mostUses, !link.Recent.sound(now):
		return Link{}, Errorf(InvalidArgument, "uses or recent are no counts, or are of the future")
	case link.ExpiresAt.IsZero():
		return Link{}, Errorf(InvalidArgument, "expires_at is missing: a link of unknown age cannot be trusted")
	}
	link.Extra = keptOf(link.Extra)
	link.GeneratedAt = link.GeneratedAt.UTC().Truncate(time.Millisecond)
	if most := link.Target.Expiry.effectiveEnd(link.Target.Expiry.end(link.GeneratedAt)); link.ExpiresAt.After(most) {
		link.ExpiresAt = most // WeChat has ended it then, whatever was written down
	}
	link.ExpiresAt, link.UsedAt = link.ExpiresAt.UTC().Truncate(time.Second), link.UsedAt.UTC().Truncate(time.Millisecond)
	if !link.Outlives(now) {
		return Link{}, Errorf(InvalidExpiry, "the link has ended")
	}
	return link, nil
}

// ImportAlias takes over an alias. Of one that is stored already the import wins.
func (b *Broker) ImportAlias(ctx context.Context, alias Alias, dry bool) (outcome Imported, err error) {
	if alias, err = b.CheckAlias(alias); err != nil {
		return "", err
	}
	now := b.clock().UTC().Truncate(time.Millisecond)
	err = b.changeAlias(ctx, alias.Slug, Precondition{}, func(old Alias, etag string) error {
		imported := alias.dated(old, now)
		switch {
		case etag == "":
			outcome = Added
		case imported.ETag() == etag:
			outcome = Unchanged
			return nil
		default:
			outcome = Replaced
		}
		if dry {
			return nil
		}
		return b.store.PutAlias(ctx, imported, etag)
	})
	if err != nil {
		return "", err
	}
	return outcome, nil
}

// dated gives an imported alias the moments that it does not bring.
func (a Alias) dated(old Alias, now time.Time) Alias {
	if a.CreatedAt.IsZero() {
		if a.CreatedAt = now; !old.CreatedAt.IsZero() {
			a.CreatedAt = old.CreatedAt
		}
	}
	if a.ChangedAt.IsZero() {
		if a.ChangedAt = now; !old.ChangedAt.IsZero() && a.sameAs(old) {
			a.ChangedAt = old.ChangedAt
		}
	}
	return a
}

func (a Alias) sameAs(old Alias) bool {
	a.CreatedAt, a.ChangedAt = old.CreatedAt, old.ChangedAt
	return a.ETag() == old.ETag()
}
