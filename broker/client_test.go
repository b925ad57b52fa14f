package broker_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

const (
	shopKey = "shop-key-0123456789"
	opsKey  = "ops-key-0123456789ab"
)

func shopAndOps(t *testing.T) *broker.Clients {
	t.Helper()
	clients, err := broker.NewClients([]broker.Client{
		{Name: "shop", Role: broker.RoleGenerate, Digest: broker.DigestKey(shopKey), Apps: []string{appid}},
		{Name: "ops", Role: broker.RoleAdmin, Digest: broker.DigestKey(opsKey), ExpiresAt: time.Unix(1000, 0)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

func TestClientsAreFoundByTheirKeyAlone(t *testing.T) {
	clients := shopAndOps(t)
	if shop, ok := clients.ByKey(shopKey); !ok || shop.Name != "shop" {
		t.Errorf("got %v, %v", shop.Name, ok)
	}
	for _, key := range []string{"", "shop", shopKey + "x", shopKey[:18], strings.ToUpper(shopKey)} {
		if _, ok := clients.ByKey(key); ok {
			t.Errorf("%q is taken for a key", key)
		}
	}
	if n := clients.Enabled(time.Unix(999, 0)); n != 2 {
		t.Errorf("%d enabled before one expires, want 2", n)
	}
	if n := clients.Enabled(time.Unix(1000, 0)); n != 1 {
		t.Errorf("%d enabled when one has expired, want 1", n)
	}
}

func TestTwoClientsOfOneNameOrKeyAreRefused(t *testing.T) {
	a := broker.Client{Name: "a", Digest: broker.DigestKey(shopKey)}
	for _, b := range []broker.Client{{Name: "a"}, {Name: "b", Digest: a.Digest}} {
		if _, err := broker.NewClients([]broker.Client{a, b}); err == nil {
			t.Errorf("%q is accepted beside %q", b.Name, a.Name)
		}
	}
}

func TestRolesIncludeThoseBelow(t *testing.T) {
	order := []broker.Role{broker.RoleRead, broker.RoleGenerate, broker.RoleAdmin}
	for i, role := range order {
		for j, needed := range order {
			if role.Includes(needed) != (i >= j) {
				t.Errorf("%s includes %s: %v", role, needed, role.Includes(needed))
			}
		}
	}
	if broker.Role("").Includes(broker.RoleRead) || broker.RoleAdmin.Includes("root") {
		t.Error("an unknown role includes something")
	}
}

func TestAPIKeysHaveAForm(t *testing.T) {
	for key, ok := range map[string]bool{
		"abcdefghij_-0189": true, strings.Repeat("k", 128): true,
		"tooshort": false, strings.Repeat("k", 129): false, "abcdefghij/lmnopq": false, "abcdefghijklmnöp": false, "": false,
	} {
		err := broker.CheckAPIKey(key)
		if (err == nil) != ok {
			t.Errorf("%q: %v", key, err)
		}
		if err != nil && key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func TestTokens(t *testing.T) {
	store := cache.NewMemory()
	clients := shopAndOps(t)
	tokens, err := broker.OpenTokens(t.Context(), store, clients)
	if err != nil {
		t.Fatal(err)
	}
	shop, _ := clients.ByKey(shopKey)
	now := time.Unix(2_000_000_000, 0)
	token := tokens.Sign(shop, appid, now)

	t.Run("a token names its client and app until it expires", func(t *testing.T) {
		client, app, err := tokens.Check(token, now.Add(7199*time.Second))
		if err != nil || client.Name != "shop" || app != appid {
			t.Errorf("got %s, %s, %v", client.Name, app, err)
		}
		if _, _, err := tokens.Check(token, now.Add(7200*time.Second)); !errors.Is(err, broker.ErrTokenExpired) {
			t.Errorf("after 7,200 s: %v", err)
		}
	})
	t.Run("a token outlives a restart", func(t *testing.T) {
		again, err := broker.OpenTokens(t.Context(), store, clients)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := again.Check(token, now); err != nil {
			t.Error(err)
		}
	})
	t.Run("a token dies with its client's key", func(t *testing.T) {
		rotated, err := broker.NewClients([]broker.Client{{Name: "shop", Digest: broker.DigestKey("another-key-0123456789")}})
		if err != nil {
			t.Fatal(err)
		}
		after, err := broker.OpenTokens(t.Context(), store, rotated)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := after.Check(token, now); !errors.Is(err, broker.ErrTokenInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a token with any bit changed is refused", func(t *testing.T) {
		for i := range token {
			for _, c := range []byte("AZ09-_") {
				forged := []byte(token)
				if forged[i] == c {
					continue
				}
				forged[i] = c
				if _, _, err := tokens.Check(string(forged), now); err == nil {
					t.Fatalf("accepted with character %d changed", i)
				}
			}
		}
	})
	t.Run("a token fits where WeChat's fits and shows neither key nor digest", func(t *testing.T) {
		if len(token) > 512 || !broker.IsToken(token) || broker.IsToken(shopKey) {
			t.Errorf("length %d", len(token))
		}
		if strings.Contains(token, shopKey) || bytes.Contains([]byte(token), shop.Digest[:]) {
			t.Error("it shows the key or its digest")
		}
	})
}

func FuzzTokenCheck(f *testing.F) {
	store := cache.NewMemory()
	clients, err := broker.NewClients([]broker.Client{{Name: "shop", Digest: broker.DigestKey(shopKey)}})
	if err != nil {
		f.Fatal(err)
	}
	tokens, err := broker.OpenTokens(f.Context(), store, clients)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("lb1.")
	f.Add("lb1." + strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := tokens.Check(token, time.Unix(0, 0)); err == nil {
			t.Errorf("%q is accepted", token)
		}
	})
}
