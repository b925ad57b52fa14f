package broker_test

import (
	"bytes"
	"context"
	"encoding/base64"
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

func configured(name, key string) broker.Client {
	return broker.Client{
		Name: name, Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(key)}},
	}
}

func openClients(t testing.TB, store broker.Store, clients ...broker.Client) *broker.Clients {
	t.Helper()
	c, err := broker.OpenClients(t.Context(), store, clients)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientsAreFoundByTheirKeyAlone(t *testing.T) {
	ops := configured("ops", opsKey)
	ops.ExpiresAt = time.Unix(1000, 0)
	off := configured("off", "off-key-0123456789ab")
	off.Disabled = true
	clients := openClients(t, cache.NewMemory(), configured("shop", shopKey), ops, off)
	now := time.Unix(999, 0)
	if shop, _, ok := clients.ByKey(shopKey, now); !ok || shop.Name != "shop" {
		t.Errorf("got %v, %v", shop.Name, ok)
	}
	for _, key := range []string{"", "shop", shopKey + "x", shopKey[:18], strings.ToUpper(shopKey), "off-key-0123456789ab"} {
		if _, _, ok := clients.ByKey(key, now); ok {
			t.Errorf("%q is taken for a key", key)
		}
	}
	if _, _, ok := clients.ByKey(opsKey, now); !ok {
		t.Error("a key is refused before it expires")
	}
	if _, _, ok := clients.ByKey(opsKey, now.Add(time.Second)); ok {
		t.Error("a key is taken when it has expired")
	}
	if before, after := clients.Enabled(now), clients.Enabled(now.Add(time.Second)); before != 2 || after != 1 {
		t.Errorf("%d enabled, then %d, want 2 and 1", before, after)
	}
}

func TestTwoClientsOfOneNameOrKeyAreRefused(t *testing.T) {
	for _, second := range []broker.Client{configured("a", opsKey), configured("b", shopKey)} {
		_, err := broker.OpenClients(t.Context(), cache.NewMemory(), []broker.Client{configured("a", shopKey), second})
		if !errors.Is(err, broker.Conflict) {
			t.Errorf("%q is accepted: %v", second.Name, err)
		}
	}
}

func TestTheLifeOfAStoredClient(t *testing.T) {
	store := cache.NewMemory()
	clients := openClients(t, store, configured("ops", opsKey))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ask := func(c *broker.Clients, key string, now time.Time) bool {
		_, _, ok := c.ByKey(key, now)
		return ok
	}
	first, err := clients.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleGenerate}, now)
	if err != nil {
		t.Fatal(err)
	}
	if !ask(clients, first, now) || !ask(openClients(t, store), first, now) {
		t.Error("the new key is refused, now or after a restart")
	}
	for _, taken := range []string{"shop", "ops"} {
		if _, err := clients.Create(t.Context(), broker.Client{Name: taken, Role: broker.RoleRead}, now); !errors.Is(err, broker.Conflict) {
			t.Errorf("a second %s is created: %v", taken, err)
		}
	}
	second, err := clients.Rotate(t.Context(), "shop", "", time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	if !ask(clients, first, now) || !ask(clients, second, now) {
		t.Error("while a key is rotated both are good")
	}
	if third, err := clients.Rotate(t.Context(), "shop", first[:8], 0, now); !errors.Is(err, broker.Conflict) || third != "" {
		t.Errorf("a form that was sent twice gives a key %q, %v", third, err)
	}
	if later := now.Add(time.Hour); ask(clients, first, later) || !ask(clients, second, later) {
		t.Error("after the overlap the old key is refused and the new one good")
	}
	disable := func(c *broker.Client) error { c.Disabled = true; return nil }
	if err := clients.Update(t.Context(), "shop", disable); err != nil {
		t.Fatal(err)
	}
	if ask(clients, second, now) {
		t.Error("a disabled client's key is good")
	}
	if err := clients.Delete(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{clients.Delete(t.Context(), "shop"), clients.Update(t.Context(), "shop", disable)} {
		if !errors.Is(err, broker.NotFound) {
			t.Errorf("got %v", err)
		}
	}
	for _, err := range []error{clients.Delete(t.Context(), "ops"), clients.Update(t.Context(), "ops", disable)} {
		if !errors.Is(err, broker.Conflict) {
			t.Errorf("a client of the configuration is changed: %v", err)
		}
	}
}

func TestAReloadTakesOverTheConfigurationOrKeepsTheOldOne(t *testing.T) {
	clients := openClients(t, cache.NewMemory(), configured("ops", opsKey))
	twice := []broker.Client{configured("shop", shopKey), configured("shop", opsKey)}
	if err := clients.Configure(t.Context(), twice); err == nil {
		t.Fatal("two clients of one name are taken over")
	}
	if _, ok := clients.ByName("ops"); !ok {
		t.Error("the old configuration is gone though the new one was refused")
	}
	if err := clients.Configure(t.Context(), twice[:1]); err != nil {
		t.Fatal(err)
	}
	_, opsThere := clients.ByName("ops")
	_, shopThere := clients.ByName("shop")
	if opsThere || !shopThere {
		t.Errorf("ops %v, shop %v after the reload", opsThere, shopThere)
	}
}

func TestAfterARestoreKeysOfTheStoreAreDisabled(t *testing.T) {
	clients := openClients(t, cache.NewMemory(), configured("ops", opsKey))
	now := time.Unix(1000, 0)
	key, err := clients.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleRead}, now)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := clients.DisableStored(t.Context()); n != 1 || err != nil {
		t.Errorf("%d disabled, %v", n, err)
	}
	if _, _, ok := clients.ByKey(key, now); ok {
		t.Error("a key of the store is good")
	}
	if _, _, ok := clients.ByKey(opsKey, now); !ok {
		t.Error("a key of the configuration is not")
	}
}

func TestWhenAKeyWasLastUsedIsKept(t *testing.T) {
	store := cache.NewMemory()
	clients := openClients(t, store)
	now := time.Date(2026, 1, 1, 12, 30, 20, 0, time.UTC)
	key, err := clients.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleRead}, now)
	if err != nil {
		t.Fatal(err)
	}
	clients.ByKey(key, now.Add(time.Hour))
	clients.ByKey(key, now)
	if err := clients.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	shop, _ := openClients(t, store).ByName("shop")
	if want := time.Date(2026, 1, 1, 13, 30, 0, 0, time.UTC); !shop.Keys[0].UsedAt.Equal(want) {
		t.Errorf("last used at %s, want %s", shop.Keys[0].UsedAt, want)
	}
}

func TestASignatureIsAUseOfItsKey(t *testing.T) {
	store := cache.NewMemory()
	clients := openClients(t, store)
	now := time.Date(2026, 1, 1, 12, 30, 15, 0, time.UTC)
	key, err := clients.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleGenerate}, now)
	if err != nil {
		t.Fatal(err)
	}
	until := now.Unix() + 60
	text := broker.SigningText(appid, "pages/a", "id=1", until)
	if _, err := clients.Signed("shop", text, broker.DigestKey(key).Sign(text), until, now); err != nil {
		t.Fatal(err)
	}
	if err := clients.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if shop, _ := clients.ByName("shop"); !shop.Keys[0].UsedAt.Equal(now.Truncate(time.Minute)) {
		t.Errorf("last used at %s", shop.Keys[0].UsedAt)
	}
}

func TestARevokedKeyIsRefusedThoughItsRevokerHungUp(t *testing.T) {
	store := &moody{Store: cache.NewMemory()}
	clients := openClients(t, store)
	now := time.Unix(1000, 0)
	key, err := clients.Create(t.Context(), broker.Client{Name: "leaked", Role: broker.RoleAdmin}, now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	store.afterClients = hangUp
	if err := clients.Delete(ctx, "leaked"); err != nil {
		t.Error(err)
	}
	if _, _, ok := clients.ByKey(key, now); ok {
		t.Error("the key still opens")
	}
}

func TestAChangeIsMadeToTheClientAsItIsInTheStoreByThen(t *testing.T) {
	store := cache.NewMemory()
	first := openClients(t, store)
	now := time.Unix(1000, 0)
	key, err := first.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleRead}, now)
	if err != nil {
		t.Fatal(err)
	}
	other := openClients(t, store)
	disable := func(c *broker.Client) error { c.Disabled = true; return nil }
	if err := first.Update(t.Context(), "shop", disable); err != nil {
		t.Fatal(err)
	}
	promote := func(c *broker.Client) error { c.Role = broker.RoleGenerate; return nil }
	if err := other.Update(t.Context(), "shop", promote); err != nil {
		t.Fatal(err)
	}
	if shop, _ := openClients(t, store).ByName("shop"); !shop.Disabled || shop.Role != broker.RoleGenerate {
		t.Errorf("disabled %v, role %s: one of two changes is lost", shop.Disabled, shop.Role)
	}
	if _, err := first.Rotate(t.Context(), "shop", "", 0, now); err != nil {
		t.Fatal(err)
	}
	if again, err := other.Rotate(t.Context(), "shop", key[:8], 0, now); !errors.Is(err, broker.Conflict) || again != "" {
		t.Errorf("the key was followed by one already, yet there is another: %v", err)
	}
	if err := first.Delete(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if err := other.Update(t.Context(), "shop", promote); !errors.Is(err, broker.NotFound) {
		t.Errorf("a client that was deleted is changed: %v", err)
	}
	if _, err := first.Create(t.Context(), broker.Client{Name: "web", Role: broker.RoleRead}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Create(t.Context(), broker.Client{Name: "web", Role: broker.RoleRead}, now); !errors.Is(err, broker.Conflict) {
		t.Errorf("a second client of the name is created: %v", err)
	}
}

func TestAKeyThatOneBrokerRevokesStopsWorkingAtTheOthers(t *testing.T) {
	now := time.Unix(6000, 0)
	disable := func(c *broker.Client) error { c.Disabled = true; return nil }
	for claim, revoke := range map[string]func(*broker.Clients) error{
		"by disabling its client": func(c *broker.Clients) error { return c.Update(t.Context(), "shop", disable) },
		"by deleting its client":  func(c *broker.Clients) error { return c.Delete(t.Context(), "shop") },
		"by giving another one": func(c *broker.Clients) error {
			_, err := c.Rotate(t.Context(), "shop", "", 0, now)
			return err
		},
	} {
		t.Run(claim, func(t *testing.T) {
			store := &moody{Store: cache.NewMemory()}
			here, there := openClients(t, store), openClients(t, store)
			key, err := here.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleRead}, now)
			if err != nil {
				t.Fatal(err)
			}
			works := func() bool {
				_, _, ok := there.ByKey(key, now)
				return ok
			}
			if works() {
				t.Error("a key works where nobody has heard of it")
			}
			if err := there.Refresh(t.Context()); err != nil || !works() {
				t.Fatalf("a new key does not work: %v", err)
			}
			if err := revoke(here); err != nil {
				t.Fatal(err)
			}
			store.readsFail.Store(true)
			if err := there.Refresh(t.Context()); !errors.Is(err, broker.StoreFailed) || !works() {
				t.Errorf("while the store cannot be read the directory is not as it was: %v", err)
			}
			store.readsFail.Store(false)
			if err := there.Flush(t.Context()); err != nil {
				t.Errorf("writing that the key was used: %v", err)
			}
			if err := errors.Join(here.Refresh(t.Context()), there.Refresh(t.Context())); err != nil || works() {
				t.Errorf("the key still works: %v", err)
			}
			if _, _, ok := here.ByKey(key, now); ok {
				t.Error("noting a use has brought the key back where it was revoked")
			}
		})
	}
}

func TestAClientThatTheConfigurationHasTooHidesNoOther(t *testing.T) {
	store, now := cache.NewMemory(), time.Unix(1000, 0)
	here, there := openClients(t, store), openClients(t, store, configured("ops", opsKey))
	key, err := here.Create(t.Context(), broker.Client{Name: "leaked", Role: broker.RoleAdmin}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Create(t.Context(), broker.Client{Name: "ops", Role: broker.RoleRead}, now); err != nil {
		t.Fatal(err)
	}
	if err := here.Delete(t.Context(), "leaked"); err != nil {
		t.Fatal(err)
	}
	if err := there.Refresh(t.Context()); !errors.Is(err, broker.Conflict) {
		t.Errorf("nothing is said of two clients of one name: %v", err)
	}
	if _, _, ok := there.ByKey(key, now); ok {
		t.Error("a revoked key works on")
	}
	if ops, _, ok := there.ByKey(opsKey, now); !ok || !ops.Configured() {
		t.Error("the configuration's own client is not known")
	}
	if _, err := there.Create(t.Context(), broker.Client{Name: "web", Role: broker.RoleRead}, now); err != nil {
		t.Errorf("another client cannot be made: %v", err)
	}
}

func TestUsesThatSeveralBrokersNoteOfAKeyGoForward(t *testing.T) {
	store, now := cache.NewMemory(), time.Unix(6000, 0)
	here := openClients(t, store)
	key, err := here.Create(t.Context(), broker.Client{Name: "shop", Role: broker.RoleRead}, now)
	if err != nil {
		t.Fatal(err)
	}
	there := openClients(t, store)
	here.ByKey(key, now.Add(time.Hour))
	there.ByKey(key, now)
	if err := errors.Join(here.Flush(t.Context()), there.Refresh(t.Context()), there.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if shop, _ := openClients(t, store).ByName("shop"); !shop.Keys[0].UsedAt.Equal(now.Add(time.Hour)) {
		t.Errorf("last used at %s", shop.Keys[0].UsedAt)
	}
}

func TestUsesOfKeysAreNotLostToAFailingStore(t *testing.T) {
	store := &moody{Store: cache.NewMemory()}
	clients := openClients(t, store)
	now := time.Unix(6000, 0)
	for _, name := range []string{"a", "b", "c", "d"} {
		key, err := clients.Create(t.Context(), broker.Client{Name: name, Role: broker.RoleRead}, now)
		if err != nil {
			t.Fatal(err)
		}
		clients.ByKey(key, now)
	}
	store.writesFail.Store(true)
	if err := clients.Flush(t.Context()); err == nil {
		t.Error("nothing is said of the failing store")
	}
	store.writesFail.Store(false)
	if err := clients.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	for _, client := range clients.List() {
		if client.Keys[0].UsedAt.IsZero() {
			t.Errorf("the use of %s's key is lost", client.Name)
		}
	}
}

func TestKeysMadeHere(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		secret, public := broker.NewAPIKey(false), broker.NewAPIKey(true)
		if !strings.HasPrefix(secret, "sk_") || !strings.HasPrefix(public, "pk_") {
			t.Fatalf("prefixes of %q and %q", secret[:3], public[:3])
		}
		for _, key := range []string{secret, public} {
			if seen[key] || broker.CheckAPIKey(key) != nil || broker.Mistyped(key) {
				t.Fatal("a key is drawn twice, malformed or mistyped")
			}
			seen[key] = true
			typo := []byte(key)
			typo[10] ^= 1
			if !broker.Mistyped(string(typo)) {
				t.Errorf("a typo is not seen")
			}
		}
	}
	if broker.Mistyped(shopKey) {
		t.Error("a key of another make counts as mistyped")
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
	clients := openClients(t, store, configured("shop", shopKey))
	tokens, err := broker.OpenTokens(t.Context(), store, clients)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(2_000_000_000, 0)
	shop, digest, _ := clients.ByKey(shopKey, now)
	token := tokens.Sign(*shop, digest, appid, now)

	t.Run("a token names its client and app until it expires", func(t *testing.T) {
		client, app, err := tokens.Check(token, now.Add(7199*time.Second))
		if err != nil || client.Name != "shop" || app != appid {
			t.Errorf("got %v, %s, %v", client, app, err)
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
	t.Run("a token dies with the key it was asked for with", func(t *testing.T) {
		after, err := broker.OpenTokens(t.Context(), store, openClients(t, cache.NewMemory(), configured("shop", "another-key-0123456789")))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := after.Check(token, now); !errors.Is(err, broker.ErrTokenInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a token with any character changed is refused", func(t *testing.T) {
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
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "lb1."))
		if err != nil || bytes.Contains(raw, []byte(shopKey)) || bytes.Contains(raw, digest[:]) {
			t.Error("it shows the key or its digest")
		}
	})
}

// virgin is a store in which nobody finds a value before he has added one: as when brokers begin together.
type virgin struct{ broker.Store }

func (virgin) Blob(context.Context, string) ([]byte, error) {
	return nil, broker.Errorf(broker.NotFound, "nothing there yet")
}

func TestBrokersThatStartTogetherSignWithOneKey(t *testing.T) {
	store := virgin{cache.NewMemory()}
	clients := openClients(t, store, configured("shop", shopKey))
	now := time.Unix(2_000_000_000, 0)
	shop, digest, _ := clients.ByKey(shopKey, now)
	var tokens [2]*broker.Tokens
	for i := range tokens {
		var err error
		if tokens[i], err = broker.OpenTokens(t.Context(), store, clients); err != nil {
			t.Fatal(err)
		}
	}
	for i := range tokens {
		if _, _, err := tokens[1-i].Check(tokens[i].Sign(*shop, digest, appid, now), now); err != nil {
			t.Error(err)
		}
	}
}

func FuzzTokenCheck(f *testing.F) {
	store := cache.NewMemory()
	tokens, err := broker.OpenTokens(f.Context(), store, openClients(f, store, configured("shop", shopKey)))
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

func TestSignedRequests(t *testing.T) {
	disabled := configured("gone", "gone-key-0123456789a")
	disabled.Disabled = true
	clients := openClients(t, cache.NewMemory(), configured("shop", shopKey), disabled)
	now := time.Unix(1_800_000_000, 0)
	good := now.Unix() + 300
	text := broker.SigningText(appid, "pages/a", "id=1", good)
	tests := []struct {
		claim  string
		signer string
		text   string
		key    string
		until  int64
		ok     bool
	}{
		{claim: "a good signature", signer: "shop", text: text, key: shopKey, until: good, ok: true},
		{claim: "of another query", signer: "shop", text: broker.SigningText(appid, "pages/a", "id=2", good), key: shopKey, until: good},
		{claim: "whose end was put off", signer: "shop", text: text, key: shopKey, until: good + 1},
		{claim: "with another key", signer: "shop", text: text, key: opsKey, until: good},
		{claim: "of nobody", signer: "nobody", text: text, key: shopKey, until: good},
		{claim: "of a disabled client", signer: "gone", text: text, key: "gone-key-0123456789a", until: good},
		{claim: "that has expired", signer: "shop", text: broker.SigningText(appid, "pages/a", "id=1", now.Unix()), key: shopKey, until: now.Unix()},
		{claim: "for two days", signer: "shop", text: broker.SigningText(appid, "pages/a", "id=1", now.Unix()+172800), key: shopKey, until: now.Unix() + 172800},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			signature := broker.DigestKey(test.key).Sign(test.text)
			asked := broker.SigningText(appid, "pages/a", "id=1", test.until)
			client, err := clients.Signed(test.signer, asked, signature, test.until, now)
			if test.ok != (err == nil) || err != nil && !errors.Is(err, broker.BadCredential) {
				t.Errorf("got %v, %v", client, err)
			}
		})
	}
}

func TestThePatternsOfAClientAreCompiledOnce(t *testing.T) {
	shop := configured("shop", shopKey)
	shop.Grant.Paths = []broker.PathRule{{Path: "pages/a", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]+"}}}}
	client, _, _ := openClients(t, cache.NewMemory(), shop).ByKey(shopKey, time.Unix(0, 0))
	target := broker.Target{App: appid, Path: "pages/a", Query: "id=7"}
	allocs := testing.AllocsPerRun(100, func() {
		if err := client.Grant.Permits(&target, false); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestNobodyHasNoKey holds what stands in for an unknown client against the key that it is checked with.
func TestNobodyHasNoKey(t *testing.T) {
	store := cache.NewMemory()
	clients := openClients(t, store, configured("shop", shopKey))
	now := time.Unix(1_800_000_000, 0)
	text := broker.SigningText(appid, "pages/a", "id=1", now.Unix()+300)
	if client, err := clients.Signed("nobody", text, broker.KeyDigest{}.Sign(text), now.Unix()+300, now); !errors.Is(err, broker.BadCredential) {
		t.Errorf("a signature under no key: %v, %v", client, err)
	}
	tokens, err := broker.OpenTokens(t.Context(), store, clients)
	if err != nil {
		t.Fatal(err)
	}
	token := tokens.Sign(broker.Client{Name: "nobody"}, broker.KeyDigest{}, appid, now)
	if client, _, err := tokens.Check(token, now); !errors.Is(err, broker.ErrTokenInvalid) {
		t.Errorf("a token under no key: %v, %v", client, err)
	}
}

func TestBrokersFollowTheFirstWhoseStoreHasLostItsKey(t *testing.T) {
	store := &moody{Store: cache.NewMemory()}
	clients := openClients(t, store, configured("shop", shopKey))
	shop, _ := clients.ByName("shop")
	now := time.Unix(1000, 0)
	one, err := broker.OpenTokens(t.Context(), store, clients)
	if err != nil {
		t.Fatal(err)
	}
	store.Store = cache.NewMemory() // as if it had come back without its file
	restarted, err := broker.OpenTokens(t.Context(), store, clients)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := restarted.Sign(shop, broker.DigestKey(shopKey), appid, now)
	if client, app, err := one.Check(token, now); err != nil || client.Name != "shop" || app != appid {
		t.Errorf("another broker's token is for %v, %q, %v", client, app, err)
	}
}
