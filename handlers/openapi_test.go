package handlers_test

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"linkbroker/handlers"
)

func TestOpenAPIIsValid(t *testing.T) {
	w := newWorld(t)
	if !w.spec.doc.IsOpenAPI31OrLater() {
		t.Error("not OpenAPI 3.1")
	}
	if err := w.spec.doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if out := newWorld(t).ask("GET", "/openapi.yaml", ""); out.text() != string(want) {
		t.Error("what is served is not the file")
	}
}

// TestOpenAPIHasEveryRouteAndNoOther compares openapi.yaml with the tables from which gin's routes are made.
func TestOpenAPIHasEveryRouteAndNoOther(t *testing.T) {
	w := newWorld(t)
	described, prefixed := map[string]bool{}, map[string]bool{} // operation on listener → needs a credential
	for path, item := range w.spec.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, listener := range listeners(op) {
				described[listener+" "+method+" "+path] = op.Security != nil
			}
			for _, server := range item.Servers {
				if strings.HasSuffix(server.URL, "/k/{key}") {
					prefixed[method+" "+path] = true
				}
			}
			if wrong := op.Servers != nil && !strings.Contains((*op.Servers)[0].URL, ":8081"); wrong {
				t.Errorf("%s %s names a server that is not the admin listener's", method, path)
			}
		}
	}
	served, servedPrefixed := map[string]bool{}, map[string]bool{}
	for _, listener := range []string{"public", "admin"} {
		for _, r := range handlers.RoutesOf(listener) {
			if path, ok := strings.CutPrefix(r.Path, "/k/{apikey}"); ok {
				servedPrefixed[r.Method+" "+path] = true
				continue
			}
			if !r.Page { // which is for people
				served[listener+" "+r.Method+" "+r.Path] = r.Role != "anybody"
			}
		}
	}
	if !maps.Equal(described, served) {
		t.Errorf("described:\n%s\nserved:\n%s", listed(described), listed(served))
	}
	if !maps.Equal(prefixed, servedPrefixed) {
		t.Errorf("described under the prefix:\n%s\nserved:\n%s", listed(prefixed), listed(servedPrefixed))
	}
}

func listed(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), "\n")
}

// TestEveryRouteIsServed asks the real routers, which know paths with a :verb only by way of dispatch.
func TestEveryRouteIsServed(t *testing.T) {
	w := newWorld(t)
	fill := strings.NewReplacer("{apikey}", generateKey, "{key}", strings.Repeat("0", 32), "{name}", "purge")
	for listener, h := range map[string]http.Handler{"public": w.public, "admin": w.admin} {
		for _, r := range handlers.RoutesOf(listener) {
			out := w.send(h, listener, r.Method, fill.Replace(r.Path), "{}", []string{as(adminKey)})
			lost := out.Code == 404 && strings.Contains(out.text(), `"code":"no_route"`) || strings.Contains(out.text(), "not passed on")
			if lost || out.Code == http.StatusMethodNotAllowed {
				t.Errorf("%s %s %s is not served", listener, r.Method, r.Path)
			}
		}
	}
}
