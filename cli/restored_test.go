package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// storeClient puts a client into the store of a folder while nobody serves it, and gives its key.
func storeClient(t *testing.T, dir string, client broker.Client) (key string) {
	t.Helper()
	store, err := cache.Open(t.Context(), "bolt://"+filepath.Join(dir, "data/links.db"), cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	clients, err := broker.OpenClients(t.Context(), store, nil)
	if err == nil {
		key, err = clients.Create(t.Context(), client, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAClientOfTheStoreIsEnough(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, strings.SplitAfter(w.configuration(), "clients:")[0])
	key := storeClient(t, dir, broker.Client{Name: "stored", Role: broker.RoleGenerate})
	p := serve(t, dir, secrets)
	if got := p.answers(key); got != http.StatusOK {
		t.Errorf("it gets %d", got)
	}
	p.terminate()
	if used := storedClient(t, dir, "stored").Keys[0].UsedAt; time.Since(used) > 10*time.Minute {
		t.Errorf("its last use is %v", used)
	}
}

func storedClient(t *testing.T, dir, name string) broker.Client {
	t.Helper()
	store, err := cache.Open(t.Context(), "bolt://"+filepath.Join(dir, "data/links.db"), cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	clients, err := store.ListClients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range clients {
		if client.Name == name {
			return client
		}
	}
	t.Fatalf("no client is named %s", name)
	return broker.Client{}
}

func TestKeysOfARestoredStoreAreDisabled(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	key := storeClient(t, dir, broker.Client{Name: "stored", Role: broker.RoleGenerate})
	for _, args := range [][]string{{"backup", "b.db"}, {"restore", "b.db"}} {
		if _, stderr, code := run(t, dir, secrets, args...); code != 0 {
			t.Fatalf("%s exits with %d: %s", args, code, stderr)
		}
	}
	p := serve(t, dir, secrets)
	if got := p.answers(key); got != http.StatusUnauthorized {
		t.Errorf("a key of the store gets %d", got)
	}
	if got := p.answers(shopKey); got != http.StatusOK {
		t.Errorf("a key of the configuration gets %d", got)
	}
	for _, logged := range []string{`"level":"ERROR"`, `"clients":["stored"]`, "linkbroker keys enable NAME"} {
		if !strings.Contains(p.stderr.String(), logged) {
			t.Errorf("%s is not logged", logged)
		}
	}
	if quota := call(t, http.MethodGet, p.admin+"/api/v1/quota", "", bearer(opsKey)).body; !strings.Contains(quota, `"used":250001`) {
		t.Errorf("of the quota is spent %s", quota)
	}
	audit, _, _ := run(t, dir, p.asAdmin(), "audit", "list")
	if !regexp.MustCompile(`(?m)linkbroker +- +store\.restore +- +.*disabled: stored$`).MatchString(audit) {
		t.Errorf("the audit is\n%s", audit)
	}
	p.keys("enable", "stored")
	if got := p.answers(key); got != http.StatusOK {
		t.Errorf("a key that was enabled again gets %d", got)
	}
	p.terminate()
	p = serve(t, dir, secrets)
	if got := p.answers(key); got != http.StatusOK {
		t.Errorf("a key that was enabled again gets %d after a restart", got)
	}
}

// TestSIGTERMWhileTheStoreIsOpened stops a start that waits for the file, which this test holds.
func TestSIGTERMWhileTheStoreIsOpened(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := cache.Open(t.Context(), "bolt://"+filepath.Join(dir, "data/links.db"), cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	p := start(t, dir, secrets, "serve")
	p.stderr.find(t, p.exited, "opening the store")
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 || strings.Contains(p.stderr.String(), "cancel") {
		t.Errorf("it exits with %d", code)
	}
}
