package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// shownClient is a client as the admin listener shows it.
type shownClient struct {
	Name, Role, Key     string
	Publishable         bool
	Configured, Enabled bool
	Apps, Origins       []string
	GenerationsPerDay   int64 `json:"generations_per_day"`
	GenerationsToday    int64 `json:"generations_today"`
	Paths               []broker.PathRule
	Keys                []struct {
		Hint      string
		ExpiresAt string `json:"expires_at"`
		UsedAt    string `json:"used_at"`
	}
}

func shown(t testing.TB, out reply) (client shownClient) {
	t.Helper()
	if err := json.Unmarshal(out.Body.Bytes(), &client); err != nil || out.Code >= 300 {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	return client
}

func (w *world) post(address, body string) reply {
	return w.send(w.admin, "admin", "POST", address, body, []string{as(adminKey)})
}

func (w *world) patch(address, body string) reply {
	return w.send(w.admin, "admin", "PATCH", address, body, []string{as(adminKey)})
}

func (w *world) create(body string) shownClient {
	w.t.Helper()
	return shown(w.t, w.post("/api/v1/clients", body))
}

const shopWeb = `{"name":"shop-web","publishable":true,"role":"generate","apps":["` + appA + `"],"origins":["https://a.example"],` +
	`"paths":[{"path":"p","params":[{"name":"id","pattern":"[0-9]+","max_length":5}]}],"generations_per_day":2}`

// TestAClientFromItsBeginningToItsEnd follows a client of the store.
func TestAClientFromItsBeginningToItsEnd(t *testing.T) {
	w := newWorld(t)
	const address = "/api/v1/clients/shop-web"
	out := w.post("/api/v1/clients", shopWeb)
	made := shown(t, out)
	if out.Code != 201 || out.Header().Get("Location") != address || !strings.HasPrefix(made.Key, "pk_") || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %+v", out.Code, out.Header(), made)
	}
	ask := func(key, query string) reply { return w.ask("GET", "/api/v1/link?path=p&key="+key+"&query="+query, "") }
	wantCode(t, ask(made.Key, "id%3D1"), "")
	wantCode(t, ask(made.Key, "id%3D2"), "")
	wantCode(t, ask(made.Key, "id%3D3"), "budget_exhausted")

	if got := w.administer("GET", address); strings.Contains(got.text(), made.Key) || shown(t, got).GenerationsToday != 2 || shown(t, got).Keys[0].Hint != made.Key[:8] {
		t.Errorf("shown as %s", got.text())
	}
	got := shown(t, w.patch(address, `{"generations_per_day":3,"apps":null}`))
	if got.GenerationsPerDay != 3 || got.Apps != nil || len(got.Origins) != 1 || len(got.Paths) != 1 || len(got.Paths[0].Params) != 1 {
		t.Errorf("changed to %+v", got)
	}
	wantCode(t, ask(made.Key, "id%3D3&appid="+appA), "")

	rotated := shown(t, w.post(address+":rotate", `{"overlap":"1h"}`))
	if len(rotated.Keys) != 2 || rotated.Keys[0].ExpiresAt != "2026-03-01T05:00:00Z" || rotated.Key == made.Key {
		t.Errorf("rotated: %+v", rotated)
	}
	wantCode(t, ask(made.Key, "id%3D1&appid="+appA), "")
	wantCode(t, ask(rotated.Key, "id%3D1&appid="+appA), "")
	w.pass(time.Hour)
	wantCode(t, ask(made.Key, "id%3D1&appid="+appA), "bad_credential")

	wantCode(t, w.administer("POST", address+":disable"), "")
	wantCode(t, ask(rotated.Key, "id%3D1&appid="+appA), "bad_credential")
	wantCode(t, w.administer("POST", address+":enable"), "")
	wantCode(t, ask(rotated.Key, "id%3D1&appid="+appA), "")
	if out := w.administer("DELETE", address); out.Code != 204 {
		t.Errorf("%d %s", out.Code, out.text())
	}
	wantCode(t, ask(rotated.Key, "id%3D1&appid="+appA), "bad_credential")
	wantCode(t, w.administer("GET", address), "not_found")
}

func TestClientsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.create(`{"name":"taken","role":"read"}`)
	for name, test := range map[string]struct{ body, code string }{
		"a name that is taken":              {`{"name":"taken","role":"read"}`, "conflict"},
		"a name in the configuration":       {`{"name":"shop","role":"read"}`, "conflict"},
		"a name that is none":               {`{"name":"a b","role":"read"}`, "invalid_argument"},
		"no name":                           {`{"role":"read"}`, "invalid_argument"},
		"no role":                           {`{"name":"x"}`, "invalid_argument"},
		"a role that is none":               {`{"name":"x","role":"root"}`, "invalid_argument"},
		"a publishable key without a guard": {`{"name":"x","role":"generate","publishable":true}`, "invalid_argument"},
		"a publishable administrator":       {strings.Replace(shopWeb, `"generate"`, `"admin"`, 1), "invalid_argument"},
		"an origin with a path":             {`{"name":"x","role":"read","origins":["https://a.example/"]}`, "invalid_argument"},
		"the origin null":                   {`{"name":"x","role":"read","origins":["null"]}`, "invalid_argument"},
		"a pattern that is none":            {`{"name":"x","role":"read","paths":[{"path":"p","params":[{"name":"id","pattern":"("}]}]}`, "invalid_argument"},
		"a limit below nothing":             {`{"name":"x","role":"read","requests_per_second":-1}`, "invalid_argument"},
		"a key of one's own":                {`{"name":"x","role":"read","key":"sk_mine"}`, "malformed"},
		"a digest of one's own":             {`{"name":"x","role":"read","keys":[]}`, "malformed"},
		"an unknown field of a rule":        {`{"name":"x","role":"read","paths":[{"path":"p","query":"a"}]}`, "malformed"},
		"a field in capitals":               {`{"name":"x","Role":"read"}`, "malformed"},
		"an end that is none":               {`{"name":"x","role":"read","expires_at":"tomorrow"}`, "malformed"},
		"nothing":                           {``, "empty_body"},
		"a list":                            {`[]`, "malformed"},
		"too much":                          {`{"name":"` + strings.Repeat("x", 20<<10) + `"}`, "too_large"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, w.post("/api/v1/clients", test.body), test.code) })
	}
	for name, test := range map[string]struct{ method, address, body, code string }{
		"changing one of the configuration":  {"PATCH", "/shop", `{"role":"admin"}`, "conflict"},
		"deleting one of the configuration":  {"DELETE", "/shop", "", "conflict"},
		"rotating one of the configuration":  {"POST", "/shop:rotate", "", "conflict"},
		"disabling one of the configuration": {"POST", "/shop:disable", "", "conflict"},
		"changing nobody":                    {"PATCH", "/nobody", `{"role":"read"}`, "not_found"},
		"deleting nobody":                    {"DELETE", "/nobody", "", "not_found"},
		"showing nobody":                     {"GET", "/nobody", "", "not_found"},
		"renaming":                           {"PATCH", "/taken", `{"name":"other"}`, "malformed"},
		"making publishable":                 {"PATCH", "/taken", `{"publishable":true}`, "malformed"},
		"taking the role away":               {"PATCH", "/taken", `{"role":null}`, "invalid_argument"},
		"an overlap that is none":            {"POST", "/taken:rotate", `{"overlap":"a day"}`, "malformed"},
		"an overlap before now":              {"POST", "/taken:rotate", `{"overlap":"-1h"}`, "invalid_argument"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, w.send(w.admin, "admin", test.method, "/api/v1/clients"+test.address, test.body, []string{as(adminKey)}), test.code)
		})
	}
}

// TestAChangeDoesNotReachIntoRequests changes a client while requests read it; the race detector watches.
func TestAChangeDoesNotReachIntoRequests(t *testing.T) {
	w := newFastWorld(t)
	key := w.create(strings.Replace(shopWeb, `"generations_per_day":2`, `"generations_per_day":100000`, 1)).Key
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			w.ask("GET", "/api/v1/link?path=p&query=id%3D1&key="+key, "", "Origin: https://a.example")
		}
	}()
	for i := range 100 {
		out := w.patch("/api/v1/clients/shop-web", fmt.Sprintf(`{"origins":["https://a.example","https://b%d.example"],"paths":[{"path":"p","params":[{"name":"id"}]}]}`, i))
		if out.Code != 200 {
			t.Error(out.text())
		}
	}
	<-done
	if got := shown(t, w.administer("GET", "/api/v1/clients/shop-web")); len(got.Origins) != 2 || got.Paths[0].Params[0].Pattern != "" {
		t.Errorf("%+v", got)
	}
}

func TestListingClientsShowsNoDigest(t *testing.T) {
	w := newWorld(t)
	key := w.create(`{"name":"x","role":"read"}`).Key
	out := w.administer("GET", "/api/v1/clients")
	var list struct{ Items []shownClient }
	if err := json.Unmarshal(out.Body.Bytes(), &list); err != nil || len(list.Items) != 8 {
		t.Fatalf("%v %s", err, out.text())
	}
	for _, secret := range []string{key, shopKey, pageKey, "digest", string(must(broker.DigestKey(key).MarshalText())), string(must(broker.DigestKey(shopKey).MarshalText()))} {
		if strings.Contains(out.text(), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
	if shop := list.Items[6]; shop.Name != "shop" || !shop.Configured || !shop.Enabled || list.Items[2].Name != "foreign" {
		t.Errorf("%+v", list.Items)
	}
	if strings.Contains(w.log.String(), key) {
		t.Error("the key is in the log")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
