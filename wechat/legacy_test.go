package wechat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// blobs keep values as the store does.
type blobs struct {
	mu    sync.Mutex
	kept  map[string][]byte
	fails error
}

func (b *blobs) Blob(_ context.Context, name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if value, ok := b.kept[name]; ok {
		return value, nil
	}
	return nil, broker.Errorf(broker.NotFound, "no such blob")
}

func (b *blobs) PutBlob(_ context.Context, name string, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return b.fails
	}
	if b.kept == nil {
		b.kept = make(map[string][]byte)
	}
	b.kept[name] = bytes.Clone(value)
	return nil
}

func (b *blobs) AddBlob(ctx context.Context, name string, value []byte) ([]byte, error) {
	if kept, err := b.Blob(ctx, name); err == nil {
		return kept, nil
	}
	return value, b.PutBlob(ctx, name, value)
}

const legacyRoute = "/cgi-bin/token"

// restarted makes a client as the next process would.
func restarted(t *testing.T, url, secret string, clock *clock, store broker.BlobStore) *wechat.Client {
	t.Helper()
	return newClientOf(t, wechat.App{Secret: wechat.Secret(secret), BaseURL: url, Token: wechat.TokenLegacy, Blobs: store}, clock.Now)
}

func TestALegacyTokenIsNeverFetchedWhileOneLives(t *testing.T) {
	clock, store := newClock(), &blobs{}
	w, url := serveSandbox(t, clock.Now)
	asked := target(t, broker.Target{})
	for at := time.Duration(0); at < 4*time.Hour; at += 5 * time.Minute {
		client := restarted(t, url, secret, clock, store)
		for range 3 {
			if _, err := client.Generate(t.Context(), asked); err != nil {
				t.Fatalf("after %v: %v", at, err)
			}
		}
		client.Close()
		if calls, want := w.Stats().Calls[legacyRoute], 1+int(at/(2*time.Hour)); calls != want {
			t.Fatalf("%d token calls after %v and as many restarts, want %d", calls, at, want)
		}
		clock.pass(5 * time.Minute)
	}
}

func TestAKeptTokenThatIsDeadIsReplaced(t *testing.T) {
	clock, store := newClock(), &blobs{}
	w, url := serveSandbox(t, clock.Now)
	if err := restarted(t, url, secret, clock, store).Probe(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	w.Steal(shop, false)
	for range 2 { // the second takes what the first has kept
		if _, err := restarted(t, url, secret, clock, store).Generate(t.Context(), target(t, broker.Target{})); err != nil {
			t.Fatal(err)
		}
	}
	if calls := w.Stats().Calls[legacyRoute]; calls != 2 {
		t.Errorf("%d token calls, want 2", calls)
	}
}

func TestAKeptTokenIsSealed(t *testing.T) {
	clock, store := newClock(), &blobs{}
	url := rawServer(t, func(string) string {
		return answered(`{"access_token":"` + canaryToken + `","expires_in":7200}`)
	})
	if err := restarted(t, url, secret, clock, store).Probe(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	if len(store.kept) != 1 {
		t.Fatalf("%d values are kept", len(store.kept))
	}
	for name, value := range store.kept {
		if told := name + string(value); bytes.Contains([]byte(told), []byte("canary")) || bytes.Contains(value, []byte("token")) {
			t.Errorf("what is kept tells the token or the secret: %q", told)
		}
	}
}

func TestWhatCannotBeReadIsNoKeptToken(t *testing.T) {
	clock := newClock()
	for claim, spoil := range map[string]func(store *blobs, name string) (secret string){
		"a value that was changed":      func(s *blobs, name string) string { s.kept[name][20] ^= 1; return secret },
		"a value that was cut":          func(s *blobs, name string) string { s.kept[name] = s.kept[name][:9]; return secret },
		"a token of another AppSecret":  func(*blobs, string) string { return "another" },
		"a value that was put in place": func(s *blobs, name string) string { s.kept[name] = []byte("garbage"); return secret },
	} {
		store, calls := &blobs{}, 0
		url := rawServer(t, func(string) string {
			calls++
			return answered(fmt.Sprintf(`{"access_token":"T%d","expires_in":7200}`, calls))
		})
		if err := restarted(t, url, secret, clock, store).Probe(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		later := spoil(store, "wechat-token-"+shop)
		if err := restarted(t, url, later, clock, store).Probe(t.Context(), shop); err != nil || calls != 2 {
			t.Errorf("%s: %v after %d token calls, want 2", claim, err, calls)
		}
	}
}

func TestATokenThatCannotBeKeptIsUsedAllTheSame(t *testing.T) {
	clock, full := newClock(), errors.New("disk full")
	_, url := serveSandbox(t, clock.Now)
	var seen []wechat.TokenFetch
	client, err := wechat.New([]wechat.App{{
		ID: shop, Secret: secret, BaseURL: url, Token: wechat.TokenLegacy, Blobs: &blobs{fails: full},
	}}, clock.Now, func(f wechat.TokenFetch) { seen = append(seen, f) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := client.Generate(t.Context(), target(t, broker.Target{})); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || !errors.Is(seen[0].KeepErr, full) || seen[0].Err != nil {
		t.Errorf("the operator was told %+v", seen)
	}
}

func TestTwoServersWithLegacyTokensDoNotStorm(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	client := newClient(t, url, clock.Now, wechat.TokenLegacy)
	asked := target(t, broker.Target{})
	for range 600 { // ten minutes in which another server robs us every second
		_, err := client.Generate(t.Context(), asked)
		if err != nil {
			if e := fails(t, err); e.Code != broker.Unavailable || !e.Unspent {
				t.Fatalf("got %s (unspent %v): %v", e.Code, e.Unspent, e)
			}
		}
		w.Steal(shop, false)
		clock.pass(time.Second)
	}
	if calls := w.Stats().Calls[legacyRoute]; calls > 62 {
		t.Errorf("%d token calls in ten minutes, want one in ten seconds", calls)
	}
}

var _ sandbox.State = (*blobs)(nil)
