package handlers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// spec is openapi.yaml, against which every answer of every test is held.
type spec struct {
	doc   *openapi3.T
	paths []specPath
}

type specPath struct {
	path    string
	matches *regexp.Regexp
}

var loadSpec = sync.OnceValues(func() (*spec, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	s := &spec{doc: doc}
	for path := range doc.Paths.Map() {
		pattern := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `([^/:]+)`)
		s.paths = append(s.paths, specPath{path, regexp.MustCompile("^" + pattern + "$")})
	}
	return s, nil
})

func readSpec(t testing.TB) *spec {
	t.Helper()
	s, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listeners says where an operation is served.
func listeners(op *openapi3.Operation) []string {
	switch {
	case slices.Contains(op.Tags, "Health"), slices.Contains(op.Tags, "Errors"):
		return []string{"admin", "public"}
	case slices.Contains(op.Tags, "Admin"):
		return []string{"admin"}
	default:
		return []string{"public"}
	}
}

// find gives the operation of a request: nil if openapi.yaml has none on the listener.
func (s *spec) find(listener string, r *http.Request) (*routers.Route, map[string]string) {
	path, prefixed := r.URL.Path, false
	if rest, ok := strings.CutPrefix(path, "/k/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		path, prefixed = "/"+rest, true
	}
	for _, p := range s.paths {
		values := p.matches.FindStringSubmatch(path)
		item := s.doc.Paths.Value(p.path)
		if values == nil || item.GetOperation(r.Method) == nil {
			continue
		}
		op := item.GetOperation(r.Method)
		if !slices.Contains(listeners(op), listener) || prefixed && !slices.Contains(op.Tags, "Facade") {
			continue
		}
		params := map[string]string{}
		for i, name := range regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(p.path, -1) {
			params[name[1]] = values[i+1]
		}
		return &routers.Route{Spec: s.doc, Path: p.path, PathItem: item, Method: r.Method, Operation: op}, params
	}
	return nil, nil
}

// check holds an answer against openapi.yaml, and a request that was granted as well.
func (s *spec) check(t testing.TB, listener string, r *http.Request, body string, out *httptest.ResponseRecorder) {
	t.Helper()
	route, params := s.find(listener, r)
	if route == nil {
		return
	}
	request := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	granted := out.Code < 300 && (!strings.Contains(out.Body.String(), "errcode") || strings.Contains(out.Body.String(), `"errcode":0`))
	if granted && (body == "" || r.Header.Get("Content-Type") == "application/json") {
		if err := openapi3filter.ValidateRequest(t.Context(), request); err != nil {
			t.Errorf("%s %s takes what openapi.yaml does not: %v", r.Method, route.Path, err)
		}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request,
		Status:                 out.Code,
		Header:                 out.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	input.SetBodyBytes(out.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s %s answers what openapi.yaml has not: %v", r.Method, route.Path, err)
	}
}
