package broker_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func alias(slug string, change func(*broker.Alias)) broker.Alias {
	a := broker.Alias{Slug: slug, Target: broker.Target{App: appid, Path: "pages/sale"}}
	if change != nil {
		change(&a)
	}
	return a
}

func (r *rig) put(t *testing.T, a broker.Alias) broker.Alias {
	t.Helper()
	stored, _, err := r.PutAlias(t.Context(), a, broker.Precondition{})
	if err != nil {
		t.Fatalf("alias %s is refused: %v", a.Slug, err)
	}
	return stored
}

func TestAliasesThatAreRefused(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	tests := []struct {
		claim string
		alias broker.Alias
		code  broker.Code
	}{
		{"an empty slug", alias("", nil), broker.InvalidArgument},
		{"a slug with a slash", alias("a/b", nil), broker.InvalidArgument},
		{"a slug with a dot", alias("..", nil), broker.InvalidArgument},
		{"a slug beyond ASCII", alias("促销", nil), broker.InvalidArgument},
		{"a slug that begins with a hyphen", alias("-sale", nil), broker.InvalidArgument},
		{"a slug of 65 characters", alias(strings.Repeat("a", 65), nil), broker.InvalidArgument},
		{"a reserved slug, in capitals", alias("API", nil), broker.InvalidArgument},
		{"an unknown app", alias("sale", func(a *broker.Alias) { a.Target.App = "wx9" }), broker.UnknownApp},
		{"a path with a query", alias("sale", func(a *broker.Alias) { a.Target.Path = "a?b=1" }), broker.InvalidPath},
		{"a life of days", alias("sale", func(a *broker.Alias) { a.Target.Expiry.Days = 7 }), broker.InvalidExpiry},
		{"a scope", alias("sale", func(a *broker.Alias) { a.Target.Scope = "x" }), broker.InvalidArgument},
		{"a fallback on a host that is not listed", alias("sale", func(a *broker.Alias) { a.FallbackURL = "https://evil.example/" }), broker.InvalidArgument},
		{"a fallback without TLS", alias("sale", func(a *broker.Alias) { a.FallbackURL = "http://shop.example.com/" }), broker.InvalidArgument},
		{"a fallback with a user", alias("sale", func(a *broker.Alias) { a.FallbackURL = "https://shop.example.com@evil.example/" }), broker.InvalidArgument},
		{"a fallback that is no address", alias("sale", func(a *broker.Alias) { a.FallbackURL = "https://shop.example.com/\r\nX: y" }), broker.InvalidArgument},
		{"an end before the start", alias("sale", func(a *broker.Alias) { a.StartsAt, a.EndsAt = time.Unix(2, 0), time.Unix(1, 0) }), broker.InvalidArgument},
		{"a year that no JSON can tell", alias("sale", func(a *broker.Alias) { a.EndsAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), broker.InvalidArgument},
		{"a year before the first", alias("sale", func(a *broker.Alias) { a.StartsAt = time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)) }), broker.InvalidArgument},
		{"a title that is not UTF-8", alias("sale", func(a *broker.Alias) { a.Title = "\xff" }), broker.InvalidArgument},
		{"an empty tag", alias("sale", func(a *broker.Alias) { a.Tags = []string{""} }), broker.InvalidArgument},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			if _, _, err := r.PutAlias(t.Context(), test.alias, broker.Precondition{}); !errors.Is(err, test.code) {
				t.Errorf("got %v, want %s", err, test.code)
			}
		})
	}
	t.Run("an app whose links are never shared", func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.NeverShare = true })
		if _, _, err := r.PutAlias(t.Context(), alias("sale", nil), broker.Precondition{}); !errors.Is(err, broker.InvalidArgument) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnAliasIsChangedUnderItsPrecondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		change := func(title string, when broker.Precondition) (broker.Alias, bool, error) {
			time.Sleep(time.Second)
			return r.PutAlias(t.Context(), alias("Sale", func(a *broker.Alias) { a.Title = title }), when)
		}
		if _, _, err := change("none", broker.Precondition{Match: "*"}); !errors.Is(err, broker.PreconditionFailed) {
			t.Fatalf("If-Match: * of no alias gives %v", err)
		}
		first, created, err := change("first", broker.Precondition{NoneMatch: true})
		if err != nil || !created || first.Slug != "sale" {
			t.Fatalf("got %+v, %t, %v", first, created, err)
		}
		if _, _, err := change("again", broker.Precondition{NoneMatch: true}); !errors.Is(err, broker.PreconditionFailed) {
			t.Fatalf("If-None-Match: * of an alias gives %v", err)
		}
		second, created, err := change("second", broker.Precondition{Match: first.ETag()})
		if err != nil || created || !second.CreatedAt.Equal(first.CreatedAt) || !second.ChangedAt.After(first.ChangedAt) {
			t.Fatalf("got %+v, %t, %v", second, created, err)
		}
		if _, _, err := change("third", broker.Precondition{Match: first.ETag()}); !errors.Is(err, broker.PreconditionFailed) {
			t.Fatalf("an ETag of the past gives %v", err)
		}
		if err := r.DeleteAlias(t.Context(), "SALE", broker.Precondition{Match: first.ETag()}); !errors.Is(err, broker.PreconditionFailed) {
			t.Fatalf("deleting with an ETag of the past gives %v", err)
		}
		if err := r.DeleteAlias(t.Context(), "SALE", broker.Precondition{Match: second.ETag()}); err != nil {
			t.Fatal(err)
		}
		if err := r.DeleteAlias(t.Context(), "sale", broker.Precondition{}); !errors.Is(err, broker.NotFound) {
			t.Fatalf("deleting what is gone gives %v", err)
		}
	})
}

func TestOneOfManyWhoChangeTheSameStateWins(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	stored := r.put(t, alias("sale", nil))
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			a := alias("sale", func(a *broker.Alias) { a.Title = strings.Repeat("x", i+1) })
			_, _, err := r.PutAlias(t.Context(), a, broker.Precondition{Match: stored.ETag()})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, broker.PreconditionFailed):
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
}

func TestAliasesAreListedByPageAndFilter(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	for _, slug := range []string{"c", "a", "b", "d", "e"} {
		r.put(t, alias(slug, func(a *broker.Alias) {
			a.Title = "Title " + slug
			if slug != "c" {
				a.Tags = []string{"spring", "print", "spring"}
			}
		}))
	}
	slugs := func(q broker.AliasQuery) (got string, next string) {
		page, err := r.Aliases(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Aliases {
			got += a.Slug
		}
		return got, page.NextCursor
	}
	if got, next := slugs(broker.AliasQuery{Limit: 2}); got != "ab" || next != "b" {
		t.Errorf("the first page is %s, and the next begins after %s", got, next)
	}
	if got, next := slugs(broker.AliasQuery{Limit: 2, Cursor: "b", Tag: "spring"}); got != "de" || next != "" {
		t.Errorf("the last page of a tag is %s, and the next begins after %q", got, next)
	}
	if got, _ := slugs(broker.AliasQuery{Text: "TITLE C"}); got != "c" {
		t.Errorf("found by its title: %s", got)
	}
	if got, _ := slugs(broker.AliasQuery{App: "wx9"}); got != "" {
		t.Errorf("of another app: %s", got)
	}
}
