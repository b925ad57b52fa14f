package broker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Alias is a permanent short address, /l/{slug}, that always leads to a living link. It holds a target and never a
// link, so what is printed once works for as long as the alias stands.
type Alias struct {
	Slug        string    // lower case: /l/Sale and /l/sale are one
	Target      Target    // normalised; a living link that everybody shares
	Splice      bool      // splice the target's query on, whatever its app says
	Title       string    // for people
	Tags        []string  // for people; sorted
	StartsAt    time.Time // it leads nowhere before; zero = from the beginning
	EndsAt      time.Time // nor from here on; zero = never ends
	FallbackURL string    // where it leads while it leads to no link; empty = nowhere
	VisitLimit  uint64    // it leads nowhere after so many visits; 0 = without end
	Disabled    bool      // it leads nowhere
	CreatedAt   time.Time
	ChangedAt   time.Time
}

// AliasStore keeps aliases by their slug.
type AliasStore interface {
	// Alias finds one alias.
	Alias(ctx context.Context, slug string) (Alias, error)

	// PutAlias stores an alias in place of the one whose ETag is given; empty means that there is none yet. If
	// somebody else was faster it is a Conflict.
	PutAlias(ctx context.Context, alias Alias, replaces string) error

	// DeleteAlias forgets the alias whose ETag is given: a Conflict if it has another by now, NotFound if it is gone.
	DeleteAlias(ctx context.Context, slug, etag string) error

	// ListAliases gives up to limit aliases in the order of their slugs, after the one given; empty is the beginning.
	// Fewer than limit means that the end is reached.
	ListAliases(ctx context.Context, after string, limit int) ([]Alias, error)
}

// ETag names this state of the alias, as HTTP's entity tags do, without the quotes.
func (a Alias) ETag() string {
	a.StartsAt, a.EndsAt, a.CreatedAt, a.ChangedAt = a.StartsAt.UTC(), a.EndsAt.UTC(), a.CreatedAt.UTC(), a.ChangedAt.UTC()
	return etagOf(a)
}

func etagOf(state any) string {
	text, _ := json.Marshal(state) // of nothing that cannot be told in JSON: whoever checked it has seen to the years
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Longest accepted fields of an alias, in bytes.
const (
	maxAliasTitle = 200
	maxTags       = 20
	maxTag        = 64
	maxFallback   = 2048
)

// slugForm keeps a slug short enough to print and free of what has to be escaped in an address.
var slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// reservedSlugs would be taken for something else, by people or by those who crawl the web.
var reservedSlugs = []string{
	"admin", "api", "assets", "docs", "favicon", "healthz", "index", "login", "logout", "metrics", "new", "null", "qr",
	"readyz", "robots", "sitemap", "static", "undefined", "version",
}

// slugLength is how many of rand.Text's characters a drawn slug has: 80 random bits, which nobody guesses.
const slugLength = 16

// NewSlug draws a slug that cannot be guessed.
func NewSlug() string { return strings.ToLower(rand.Text()[:slugLength]) }

// foldSlug gives the one form of a slug: what is typed from paper comes in capitals, too.
func foldSlug(slug string) string { return strings.ToLower(slug) }

// normalize gives the alias as it is stored, and refuses what could never lead anywhere.
func (a Alias) normalize(app App) (Alias, error) {
	a.Slug = foldSlug(a.Slug)
	switch {
	case !slugForm.MatchString(a.Slug):
		return Alias{}, Errorf(InvalidArgument, "a slug has 1 to 64 characters out of a-z 0-9 _ - and begins with a letter or digit")
	case slices.Contains(reservedSlugs, a.Slug):
		return Alias{}, Errorf(InvalidArgument, "the slug %q is reserved", a.Slug)
	case app.NeverShare:
		return Alias{}, Errorf(InvalidArgument, "links of this app are never shared, so an alias cannot lead many visitors to one")
	case !a.Target.Expiry.Living():
		return Alias{}, Errorf(InvalidExpiry, "an alias always leads to a living link: leave the expire fields out, and use ends_at")
	case a.Target.Scope != "":
		return Alias{}, Errorf(InvalidArgument, "an alias has no scope: its link is for everybody")
	}
	var err error
	if a.Target, err = a.Target.Normalize(); err != nil {
		return Alias{}, err
	}
	if !a.Target.Kind.Web() {
		return Alias{}, Errorf(InvalidArgument, "no browser can be sent to a link of kind %s", a.Target.Kind)
	}
	if a.FallbackURL != "" && !app.acceptsFallback(a.FallbackURL) {
		return Alias{}, Errorf(InvalidArgument, "fallback_url must be https, and its host in the app's fallback_hosts of the configuration")
	}
	return a.normalizeLabels()
}

// normalizeLabels looks at what is for people, and at the moments.
func (a Alias) normalizeLabels() (Alias, error) {
	a.Tags = slices.Clone(a.Tags)
	slices.Sort(a.Tags)
	a.Tags = slices.Compact(a.Tags)
	switch {
	case len(a.Title) > maxAliasTitle || !utf8.ValidString(a.Title):
		return Alias{}, Errorf(InvalidArgument, "title is longer than %d bytes or not valid UTF-8", maxAliasTitle)
	case len(a.Tags) > maxTags:
		return Alias{}, Errorf(InvalidArgument, "an alias has %d tags at most", maxTags)
	case slices.ContainsFunc(a.Tags, func(t string) bool { return t == "" || len(t) > maxTag || !utf8.ValidString(t) }):
		return Alias{}, Errorf(InvalidArgument, "a tag has 1 to %d bytes of valid UTF-8", maxTag)
	case !a.StartsAt.IsZero() && !a.EndsAt.IsZero() && !a.StartsAt.Before(a.EndsAt):
		return Alias{}, Errorf(InvalidArgument, "starts_at must lie before ends_at")
	}
	for _, t := range []*time.Time{&a.StartsAt, &a.EndsAt, &a.CreatedAt, &a.ChangedAt} {
		if *t = t.UTC().Truncate(time.Millisecond); t.Year() < 1 || t.Year() > 9999 {
			return Alias{}, Errorf(InvalidArgument, "a moment lies outside the years 1 to 9999, which alone JSON can tell")
		}
	}
	if len(a.Tags) == 0 {
		a.Tags = nil
	}
	return a, nil
}

// acceptsFallback reports whether visitors may be sent to an address that is no link. Without a list of hosts whoever
// may write aliases, or the file they are in, could send everybody anywhere.
func (a App) acceptsFallback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= maxFallback && u.Scheme == "https" && u.User == nil && printable(address) &&
		slices.Contains(a.FallbackHosts, u.Host)
}

// open reports whether the alias leads to a link at the moment, its visits aside.
func (a Alias) open(now time.Time) bool {
	return !a.Disabled && !now.Before(a.StartsAt) && (a.EndsAt.IsZero() || now.Before(a.EndsAt))
}

// Precondition is HTTP's: what must be true of an alias for a change of it to be made.
type Precondition struct {
	Match     string // If-Match: it has this ETag; * = it is there
	NoneMatch bool   // If-None-Match: *: it is not there
}

func (p Precondition) check(etag string) error {
	switch {
	case p.NoneMatch && etag != "":
		return Errorf(PreconditionFailed, "there is an alias of this slug already")
	case p.Match != "" && etag == "":
		return Errorf(PreconditionFailed, "there is no alias of this slug")
	case p.Match != "" && p.Match != "*" && p.Match != etag:
		return Errorf(PreconditionFailed, "the alias was changed meanwhile: read it again")
	}
	return nil
}

// CheckAlias gives an alias as PutAlias would store it, or the error with which it would be refused.
func (b *Broker) CheckAlias(alias Alias) (Alias, error) {
	app, ok := b.apps[alias.Target.App]
	if !ok {
		return Alias{}, Errorf(UnknownApp, "no mini program of this appid is configured")
	}
	return alias.normalize(app.App)
}

// PutAlias stores an alias, in place of one of the same slug, and gives it as stored.
func (b *Broker) PutAlias(ctx context.Context, alias Alias, when Precondition) (stored Alias, created bool, err error) {
	if alias, err = b.CheckAlias(alias); err != nil {
		return Alias{}, false, err
	}
	alias.ChangedAt = b.clock().UTC().Truncate(time.Millisecond)
	err = b.changeAlias(ctx, alias.Slug, when, func(old Alias, etag string) error {
		created, alias.CreatedAt = etag == "", alias.ChangedAt
		if !created {
			alias.CreatedAt = old.CreatedAt
		}
		return b.store.PutAlias(ctx, alias, etag)
	})
	return alias, created, err
}

// DeleteAlias forgets an alias and its visits.
func (b *Broker) DeleteAlias(ctx context.Context, slug string, when Precondition) error {
	slug = foldSlug(slug)
	err := b.changeAlias(ctx, slug, when, func(_ Alias, etag string) error {
		if etag == "" {
			return errNoAlias()
		}
		return b.store.DeleteAlias(ctx, slug, etag)
	})
	if err != nil {
		return err
	}
	return b.forgetVisits(ctx, slug)
}

// changeAttempts is how often a change without a precondition is tried again because somebody else was faster.
const changeAttempts = 5

// changeAlias reads an alias, sees to the precondition and changes it.
func (b *Broker) changeAlias(ctx context.Context, slug string, when Precondition, change func(old Alias, etag string) error) error {
	for attempt := 1; ; attempt++ {
		old, err := b.store.Alias(ctx, slug)
		etag := ""
		switch {
		case err == nil:
			etag = old.ETag()
		case !errors.Is(err, NotFound):
			return err
		}
		if err := when.check(etag); err != nil {
			return err
		}
		if err = change(old, etag); !errors.Is(err, Conflict) || attempt == changeAttempts {
			return err
		}
	}
}

// Alias gives one alias.
func (b *Broker) Alias(ctx context.Context, slug string) (Alias, error) {
	slug = foldSlug(slug)
	if !slugForm.MatchString(slug) {
		return Alias{}, errNoAlias()
	}
	alias, err := b.store.Alias(ctx, slug)
	if errors.Is(err, NotFound) {
		return Alias{}, errNoAlias()
	}
	return alias, err
}

// errNoAlias is the same for a slug that is unknown, malformed or closed: who guesses learns nothing.
func errNoAlias() error { return Errorf(NotFound, "there is no such alias") }
