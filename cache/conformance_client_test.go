package cache_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

func TestStoresKeepClients(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			shop := broker.Client{
				Name: "shop", Role: broker.RoleGenerate, Publishable: true, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
				Keys: []broker.ClientKey{
					{Digest: broker.DigestKey("one"), Hint: "pk_ABCDE", CreatedAt: noon, ExpiresAt: noon, UsedAt: noon},
					{Digest: broker.DigestKey("two"), CreatedAt: noon},
				},
				Grant: broker.Grant{
					Apps: []string{"wx0123456789abcdef"}, Envs: []broker.Env{broker.Trial}, Origins: []string{"https://a.example"},
					Paths:       []broker.PathRule{{Path: "p/*", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]+", Longest: 9}}}},
					NoCloudBase: true, RequestsPerSecond: 1.5, GenerationsPerMinute: 2, GenerationsPerDay: 3,
				},
			}
			ops := broker.Client{Name: "ops", Role: broker.RoleAdmin, Keys: []broker.ClientKey{{Digest: broker.DigestKey("three")}}}
			list := func(want ...broker.Client) {
				t.Helper()
				got, err := s.ListClients(t.Context())
				noErr(t, err)
				if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			}
			list()
			noErr(t, s.PutClient(t.Context(), shop, ""))
			noErr(t, s.PutClient(t.Context(), ops, ""))
			list(ops, shop)
			before := shop.ETag()
			shop.Disabled = true
			noErr(t, s.PutClient(t.Context(), shop, before))
			list(ops, shop)
			noErr(t, s.DeleteClient(t.Context(), "ops"))
			wantErr(t, s.DeleteClient(t.Context(), "ops"), broker.NotFound)
			list(shop)
		})
	}
}

// clientPromises are the sentences of broker.ClientStore.
var clientPromises = map[string]func(t *testing.T, s broker.Store){
	"a client comes back under the same ETag": func(t *testing.T, s broker.Store) {
		for name, client := range map[string]broker.Client{
			"bare":               {},
			"with empty lists":   {Keys: []broker.ClientKey{}, Grant: broker.Grant{Apps: []string{}, Paths: []broker.PathRule{}}},
			"in another zone":    {ExpiresAt: noon.In(time.FixedZone("Asia/Shanghai", 8*60*60)), Keys: []broker.ClientKey{{CreatedAt: noon.Local()}}},
			"with a pattern":     {Grant: broker.Grant{Paths: []broker.PathRule{{Path: "<&>", Params: []broker.ParamRule{{Name: "a", Pattern: "[<&>é\u2028]+"}}}}}},
			"with odd fractions": {Grant: broker.Grant{RequestsPerSecond: 0.1 + 0.2}},
		} {
			client.Name = strings.ReplaceAll(name, " ", "-")
			noErr(t, s.PutClient(t.Context(), client, ""))
			clients, err := s.ListClients(t.Context())
			if err != nil || len(clients) != 1 || clients[0].ETag() != client.ETag() {
				t.Errorf("%s: got %+v, %v", name, clients, err)
			}
			noErr(t, s.DeleteClient(t.Context(), client.Name))
		}
	},
	"a client that would come back as another one is refused": func(t *testing.T, s broker.Store) {
		for _, client := range []broker.Client{{}, {Name: "shop", Grant: broker.Grant{Origins: []string{"a\xffb"}}}} {
			wantErr(t, s.PutClient(t.Context(), client, ""), broker.StoreFailed)
		}
		if clients, err := s.ListClients(t.Context()); err != nil || len(clients) != 0 {
			t.Errorf("got %+v, %v", clients, err)
		}
	},
	"a client replaces only the one that its caller has seen": func(t *testing.T, s broker.Store) {
		first := broker.Client{Name: "shop", Role: broker.RoleRead, Keys: []broker.ClientKey{{Digest: broker.DigestKey("one")}}}
		next, last := first, first
		next.Disabled, last.Role = true, broker.RoleAdmin
		wantErr(t, s.PutClient(t.Context(), first, next.ETag()), broker.Conflict)
		noErr(t, s.PutClient(t.Context(), first, ""))
		wantErr(t, s.PutClient(t.Context(), next, ""), broker.Conflict)
		noErr(t, s.PutClient(t.Context(), next, first.ETag()))
		wantErr(t, s.PutClient(t.Context(), last, first.ETag()), broker.Conflict)
		if clients, err := s.ListClients(t.Context()); err != nil || !reflect.DeepEqual(clients, []broker.Client{next}) {
			t.Errorf("got %+v, %v", clients, err)
		}
		noErr(t, s.DeleteClient(t.Context(), "shop"))
		wantErr(t, s.PutClient(t.Context(), last, next.ETag()), broker.Conflict)
	},
	"that a key was used makes no other client of its owner": func(t *testing.T, s broker.Store) {
		seen := broker.Client{Name: "shop", Keys: []broker.ClientKey{{Digest: broker.DigestKey("one")}}}
		used := seen
		used.Keys = []broker.ClientKey{{Digest: broker.DigestKey("one"), UsedAt: noon}}
		noErr(t, s.PutClient(t.Context(), seen, ""))
		noErr(t, s.PutClient(t.Context(), used, seen.ETag()))
		if clients, err := s.ListClients(t.Context()); err != nil || !reflect.DeepEqual(clients, []broker.Client{used}) {
			t.Errorf("got %+v, %v", clients, err)
		}
		noErr(t, s.PutClient(t.Context(), seen, seen.ETag()))
	},
	"of many that replace the same client exactly one does": func(t *testing.T, s broker.Store) {
		replaces := ""
		for round := range 10 {
			version := func(n int) broker.Client {
				return broker.Client{Name: "shop", Grant: broker.Grant{GenerationsPerDay: int64(100*round + n + 1)}}
			}
			won := contend(t, 16, func(n int) error { return s.PutClient(t.Context(), version(n), replaces) })
			if clients, err := s.ListClients(t.Context()); err != nil || !reflect.DeepEqual(clients, []broker.Client{version(won)}) {
				t.Errorf("got %+v, %v", clients, err)
			}
			replaces = version(won).ETag()
		}
	},
}

func TestStoresReplaceClients(t *testing.T) { keepPromises(t, clientPromises) }

func TestStoresKeepTheAudit(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			ids := func(before uint64, limit int) (ids []uint64) {
				t.Helper()
				entries, err := s.ListAudit(t.Context(), before, limit)
				noErr(t, err)
				for _, entry := range entries {
					if want := fmt.Sprint("object ", entry.ID); entry.Object != want || entry.Action != "client.create" {
						t.Errorf("entry %d is about %s", entry.ID, entry.Object)
					}
					ids = append(ids, entry.ID)
				}
				return ids
			}
			want := func(got []uint64, want ...uint64) {
				t.Helper()
				if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
			want(ids(0, 10))
			for i := range 10 {
				noErr(t, s.AppendAudit(t.Context(), broker.AuditEntry{
					At: noon.Add(time.Duration(i) * time.Hour), Actor: "ops", Action: "client.create", Object: fmt.Sprint("object ", i+1),
				}))
			}
			want(ids(0, 3), 10, 9, 8)
			want(ids(8, 3), 7, 6, 5)
			want(ids(3, 10), 2, 1)
			want(ids(1, 10))
			want(ids(99, 2), 10, 9)
			n, err := s.PurgeAudit(t.Context(), noon.Add(4*time.Hour))
			if n != 4 || err != nil {
				t.Errorf("%d purged, %v; want the 4 that are older", n, err)
			}
			want(ids(0, 20), 10, 9, 8, 7, 6, 5)
			noErr(t, s.AppendAudit(t.Context(), broker.AuditEntry{At: noon.Add(20 * time.Hour), Actor: "ops", Action: "client.create", Object: "object 11"}))
			want(ids(0, 1), 11)
		})
	}
}
