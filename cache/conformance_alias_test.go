package cache_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
)

// aliasOf gives a plain alias.
func aliasOf(slug string) broker.Alias {
	return broker.Alias{
		Slug:      slug,
		Target:    linkOf(broker.Target{App: "wx0123456789abcdef", Path: "pages/sale", Query: "from=" + slug}, "").Target,
		Title:     "Spring sale",
		CreatedAt: noon.Truncate(time.Millisecond), ChangedAt: noon.Add(time.Hour).Truncate(time.Millisecond),
	}
}

// nastyAliases are those that a careless record would bring back as others.
func nastyAliases() map[string]broker.Alias {
	nasty := map[string]func(*broker.Alias){
		"plain":                       func(*broker.Alias) {},
		"zero":                        func(a *broker.Alias) { *a = broker.Alias{Slug: a.Slug} },
		"with no tags":                func(a *broker.Alias) { a.Tags = []string{} },
		"with odd tags":               func(a *broker.Alias) { a.Tags = []string{"", "b", "a", "a", "\x00", "é"} },
		"with markup":                 func(a *broker.Alias) { a.Title = "<b>&\u2028\ufffd\"\\" },
		"with invalid UTF-8":          func(a *broker.Alias) { a.Title = "a\xffb" },
		"with all switches":           func(a *broker.Alias) { a.Splice, a.Disabled, a.VisitLimit = true, true, 1<<64-1 },
		"with a fallback":             func(a *broker.Alias) { a.FallbackURL = "https://example.com/?a=<b>&c=%20+" },
		"in another zone":             func(a *broker.Alias) { a.StartsAt = noon.In(time.FixedZone("Asia/Shanghai", 8*60*60)) },
		"of the first and last years": func(a *broker.Alias) { a.StartsAt, a.EndsAt = date(1), date(9999) },
		"of 1970":                     func(a *broker.Alias) { a.StartsAt, a.EndsAt = time.Unix(0, 0), time.Unix(-1, 1) },
		"of a nanosecond":             func(a *broker.Alias) { a.ChangedAt = noon },
		"to nowhere":                  func(a *broker.Alias) { a.Target = broker.Target{} },
		"to a full target":            func(a *broker.Alias) { a.Target = recordedLinks()["full"].Target },
		"to an empty cloud_base":      func(a *broker.Alias) { a.Target.CloudBase = &broker.CloudBase{} },
		"that ends with its link":     func(a *broker.Alias) { a.Target = recordedLinks()["at"].Target },
		"with extra markup":           func(a *broker.Alias) { a.Target.Extra = json.RawMessage(`{"a":"<b>&","n":1e2,"u":"\u003c"}`) },
		"of the longest fields": func(a *broker.Alias) {
			a.Title, a.FallbackURL = strings.Repeat("é", 100), "https://example.com/"+strings.Repeat("x", 2000)
			a.Target.Path, a.Target.Query = strings.Repeat("p", 1024), strings.Repeat("q", 1024)
		},
	}
	aliases := make(map[string]broker.Alias)
	for name, spoil := range nasty {
		alias := aliasOf(strings.ReplaceAll(strings.ToLower(name), " ", "-"))
		spoil(&alias)
		aliases[name] = alias
	}
	return aliases
}

func date(year int) time.Time { return time.Date(year, 12, 31, 23, 59, 59, 999_000_000, time.UTC) }

// inUTC gives the alias as a store gives it.
func inUTC(a broker.Alias) broker.Alias {
	a.StartsAt, a.EndsAt, a.CreatedAt, a.ChangedAt = a.StartsAt.UTC(), a.EndsAt.UTC(), a.CreatedAt.UTC(), a.ChangedAt.UTC()
	return a
}

func putAlias(t testing.TB, s broker.Store, aliases ...broker.Alias) {
	t.Helper()
	for _, alias := range aliases {
		noErr(t, s.PutAlias(t.Context(), alias, ""))
	}
}

func wantAlias(t testing.TB, s broker.Store, want broker.Alias) {
	t.Helper()
	got, err := s.Alias(t.Context(), want.Slug)
	if err != nil || !reflect.DeepEqual(got, inUTC(want)) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, inUTC(want))
	}
	if got.ETag() != want.ETag() {
		t.Errorf("the ETag is %s, was %s", got.ETag(), want.ETag())
	}
}

func slugs(aliases []broker.Alias) []string {
	names := make([]string, len(aliases))
	for i, alias := range aliases {
		names[i] = alias.Slug
	}
	return names
}

// aliasPromises are the sentences of broker.AliasStore.
var aliasPromises = map[string]func(t *testing.T, s broker.Store){
	"an alias is found as it was put, under the same ETag": func(t *testing.T, s broker.Store) {
		for name, alias := range nastyAliases() {
			t.Run(name, func(t *testing.T) {
				putAlias(t, s, alias)
				wantAlias(t, s, alias)
				page, err := s.ListAliases(t.Context(), alias.Slug[:len(alias.Slug)-1], 1)
				if err != nil || !reflect.DeepEqual(page, []broker.Alias{inUTC(alias)}) {
					t.Errorf("listed as %+v, %v", page, err)
				}
				noErr(t, s.DeleteAlias(t.Context(), alias.Slug, alias.ETag()))
			})
		}
	},
	"an alias that was never put is not found": func(t *testing.T, s broker.Store) {
		putAlias(t, s, aliasOf("sale"))
		for _, slug := range []string{"", "sal", "sale2", "Sale", strings.Repeat("s", 100_000)} {
			wantErr(t, second(s.Alias(t.Context(), slug)), broker.NotFound)
		}
	},
	"an alias that would come back as another one is refused": func(t *testing.T, s broker.Store) {
		for _, spoil := range []func(*broker.Alias){
			func(a *broker.Alias) { a.Slug = "" },
			func(a *broker.Alias) { a.Target.Extra = json.RawMessage{} },
			func(a *broker.Alias) { a.Target.Expiry.At = noon },
		} {
			alias := aliasOf("sale")
			spoil(&alias)
			wantErr(t, s.PutAlias(t.Context(), alias, ""), broker.StoreFailed)
			wantErr(t, second(s.Alias(t.Context(), alias.Slug)), broker.NotFound)
		}
	},
	"an alias replaces only the one that its caller has seen": func(t *testing.T, s broker.Store) {
		first := aliasOf("sale")
		next, last := first, first
		next.Title, last.Title = "next", "last"
		wantErr(t, s.PutAlias(t.Context(), first, next.ETag()), broker.Conflict)
		putAlias(t, s, first)
		wantErr(t, s.PutAlias(t.Context(), next, ""), broker.Conflict)
		wantErr(t, s.PutAlias(t.Context(), next, next.ETag()), broker.Conflict)
		wantAlias(t, s, first)
		noErr(t, s.PutAlias(t.Context(), next, first.ETag()))
		wantErr(t, s.PutAlias(t.Context(), last, first.ETag()), broker.Conflict)
		wantAlias(t, s, next)
	},
	"an alias is deleted only as its caller has seen it": func(t *testing.T, s broker.Store) {
		alias := aliasOf("sale")
		wantErr(t, s.DeleteAlias(t.Context(), "sale", alias.ETag()), broker.NotFound)
		wantErr(t, s.DeleteAlias(t.Context(), "sale", ""), broker.NotFound)
		putAlias(t, s, alias)
		wantErr(t, s.DeleteAlias(t.Context(), "sale", ""), broker.Conflict)
		wantErr(t, s.DeleteAlias(t.Context(), "sale", aliasOf("other").ETag()), broker.Conflict)
		wantAlias(t, s, alias)
		noErr(t, s.DeleteAlias(t.Context(), "sale", alias.ETag()))
		wantErr(t, second(s.Alias(t.Context(), "sale")), broker.NotFound)
		wantErr(t, s.DeleteAlias(t.Context(), "sale", alias.ETag()), broker.NotFound)
		putAlias(t, s, alias)
		wantAlias(t, s, alias)
	},
	"aliases are listed page by page in the order of their slugs": func(t *testing.T, s broker.Store) {
		var want []string
		for i := range 25 {
			want = append(want, fmt.Sprintf("a-%02d", i))
		}
		for i := range want {
			putAlias(t, s, aliasOf(want[i*7%len(want)]))
		}
		for _, limit := range []int{1, 5, 7, 25, 1000} {
			var got []string
			for after := ""; ; after = got[len(got)-1] {
				page, err := s.ListAliases(t.Context(), after, limit)
				noErr(t, err)
				got = append(got, slugs(page)...)
				if len(page) < limit {
					break
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("in pages of %d: %v", limit, got)
			}
		}
		page, err := s.ListAliases(t.Context(), "a-10x", 2) // the place need not be there
		if got := slugs(page); err != nil || !reflect.DeepEqual(got, []string{"a-11", "a-12"}) {
			t.Errorf("behind a-10x: %v, %v", got, err)
		}
		if page, err := s.ListAliases(t.Context(), "", 0); err != nil || len(page) != 0 {
			t.Errorf("of none: %v, %v", slugs(page), err)
		}
	},
	"of many that replace the same alias exactly one does": func(t *testing.T, s broker.Store) {
		replaces := ""
		for round := range 10 {
			won := contend(t, 16, func(n int) error {
				alias := aliasOf("sale")
				alias.Title = fmt.Sprint(round, " by ", n)
				return s.PutAlias(t.Context(), alias, replaces)
			})
			want := aliasOf("sale")
			want.Title = fmt.Sprint(round, " by ", won)
			wantAlias(t, s, want)
			replaces = want.ETag()
		}
	},
	"of a change and a deletion of the same alias exactly one takes place": func(t *testing.T, s broker.Store) {
		for range 10 {
			alias := aliasOf("sale")
			putAlias(t, s, alias)
			changed := alias
			changed.Title = "changed"
			won := contend(t, 8, func(n int) error {
				if n%2 == 0 {
					return s.DeleteAlias(t.Context(), "sale", alias.ETag())
				}
				return s.PutAlias(t.Context(), changed, alias.ETag())
			})
			if won%2 == 1 {
				wantAlias(t, s, changed)
				noErr(t, s.DeleteAlias(t.Context(), "sale", changed.ETag()))
			}
			wantErr(t, second(s.Alias(t.Context(), "sale")), broker.NotFound)
		}
	},
	"what is done with an alias harms none beside it": func(t *testing.T, s broker.Store) {
		var all sync.WaitGroup
		for n := range 40 {
			all.Go(func() {
				alias := aliasOf(fmt.Sprint("mine-", n))
				for round := range 5 { // each with neighbours that are refused
					_ = s.PutAlias(t.Context(), aliasOf("theirs"), "an etag that nothing has")
					mustDo(t, s.PutAlias(t.Context(), alias, ""))
					if round < 4 {
						mustDo(t, s.DeleteAlias(t.Context(), alias.Slug, alias.ETag()))
					}
				}
			})
		}
		all.Wait()
		if page, err := s.ListAliases(t.Context(), "", 100); err != nil || len(page) != 40 {
			t.Errorf("%v, %v", slugs(page), err)
		}
	},
}

// contend lets many try at once what only one may do, and says which of them has done it. To the others it is a
// Conflict, or NotFound if it was deleted.
func contend(t *testing.T, n int, try func(n int) error) (won int) {
	t.Helper()
	var all sync.WaitGroup
	var winner, winners atomic.Int64
	for n := range n {
		all.Go(func() {
			switch err := try(n); {
			case err == nil:
				winner.Store(int64(n))
				winners.Add(1)
			case !errors.Is(err, broker.Conflict) && !errors.Is(err, broker.NotFound):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if winners.Load() != 1 {
		t.Fatalf("%d of %d have done it, want one", winners.Load(), n)
	}
	return int(winner.Load())
}

func TestStoresKeepAliases(t *testing.T) { keepPromises(t, aliasPromises) }
