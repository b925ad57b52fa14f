package cache_test

import (
	"fmt"
	"reflect"
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
			noErr(t, s.PutClient(t.Context(), shop))
			noErr(t, s.PutClient(t.Context(), ops))
			list(ops, shop)
			shop.Disabled = true
			noErr(t, s.PutClient(t.Context(), shop))
			list(ops, shop)
			noErr(t, s.DeleteClient(t.Context(), "ops"))
			wantErr(t, s.DeleteClient(t.Context(), "ops"), broker.NotFound)
			list(shop)
		})
	}
}

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
