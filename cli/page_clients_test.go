package cli_test

import (
	"net/http"
	"strings"
	"testing"
)

// testClients makes a client, uses its key, rotates it and disables the client.
func testClients(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	x.expect("status of 4")
	x.logIn(s.key)
	x.press("Clients")
	x.press("New client")
	x.write("input[name=name]", "shop")
	x.click("input[name=role][value=generate]")
	x.write("input[name=generations_per_day]", "1")
	x.press("Create and show the key")
	x.sees("Its new key")
	first := eval[string](x, `document.querySelector("#key").innerText`)
	ask := func(key, query string) int {
		t.Helper()
		return call(t, http.MethodPost, s.public+"/api/v1/links", `{"path":"pages/item","query":"`+query+`"}`, bearer(key)).status
	}
	if got := ask(first, "id=1"); got != http.StatusOK {
		t.Fatalf("the new key gets %d", got)
	}
	if got := ask(first, "id=2"); got != http.StatusTooManyRequests {
		t.Errorf("beyond its budget of one link it gets %d", got)
	}

	x.visit("/clients/shop")
	x.sees("1 of 1")
	if html := eval[string](x, "document.documentElement.outerHTML"); len(first) < 16 || strings.Contains(html, first) {
		t.Error("the key is shown a second time")
	}
	x.press("Make a new key")
	x.press("Go ahead")
	x.sees("Its new key")
	second := eval[string](x, `document.querySelector("#key").innerText`)
	if second == first || ask(second, "id=1") != http.StatusOK || ask(first, "id=1") != http.StatusOK {
		t.Errorf("after the rotation the keys get %d and %d", ask(first, "id=1"), ask(second, "id=1"))
	}
	x.visit("/clients/shop")
	x.press("Disable")
	x.press("Go ahead")
	x.sees("shop may ask for nothing until it is enabled again.")
	if got := ask(second, "id=1"); got != http.StatusUnauthorized {
		t.Errorf("disabled it gets %d", got)
	}
	x.press("Enable")
	x.sees("shop may ask again.")
	if got := ask(second, "id=1"); got != http.StatusOK {
		t.Errorf("enabled again it gets %d", got)
	}

	x.press("Audit")
	for _, what := range []string{"login", "client.create", "client.rotate", "client.disable", "client.enable", "shop", "sandbox", "127.0.0.1"} {
		x.sees(what)
	}
	x.write("input[name=q]", "client.rotate")
	x.has(1, "tbody tr")

	x.press("Settings")
	x.sees("set, not shown")
	for _, secret := range []string{s.key, first, second} {
		if html := eval[string](x, "document.documentElement.outerHTML"); strings.Contains(html, secret) {
			t.Error("the settings show a key")
		}
	}
	if data := x.download("Download a fresh backup"); len(data) < 1<<12 {
		t.Errorf("the backup has %d bytes", len(data))
	}
}
