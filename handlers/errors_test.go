package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// TestEveryCodeHasAStatus reads the domain's source, so that a new code without a status is seen here.
func TestEveryCodeHasAStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../broker/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no literal", spec.Names[0])
		}
		code, err := strconv.Unquote(value.Value)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, known := handlers.StatusOf(broker.Code(code)); !known {
			t.Errorf("code %q has no status", code)
		}
		found++
		return true
	})
	if found < 15 {
		t.Errorf("found only %d codes", found)
	}
}

// upstream makes an error as WeChat's adapter does.
func upstream(code broker.Code, errcode int, message string) *broker.Error {
	err := broker.Errorf(code, "%s", message)
	err.ErrCode, err.RID, err.Unspent = errcode, "6789-abcd", true
	return err
}

// TestErrorsOfTheUpstream goes through what the generator may fail with: status and code on the native interface,
// errcode on the facade.
func TestErrorsOfTheUpstream(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		status  int
		code    string
		errcode int
	}{
		"path":             {upstream(broker.InvalidPath, 40165, "invalid weapp pagepath"), 422, "invalid_path", 40165},
		"query":            {upstream(broker.InvalidQuery, 40212, "invalid query"), 422, "invalid_query", 40212},
		"expire_time":      {upstream(broker.InvalidExpiry, 85401, "invalid expire_time"), 422, "invalid_expiry", 85401},
		"env_version":      {upstream(broker.InvalidEnv, 85402, "invalid env_version"), 422, "invalid_env", 85402},
		"argument":         {upstream(broker.InvalidArgument, 40097, "invalid args"), 422, "invalid_argument", 40097},
		"not released":     {upstream(broker.AppNotReleased, 85079, "no released version"), 502, "app_not_released", 85079},
		"banned":           {upstream(broker.AppForbidden, 40002, "banned"), 502, "app_forbidden", 40002},
		"not granted":      {upstream(broker.AppForbidden, 48001, "api unauthorized"), 502, "app_forbidden", 48001},
		"bad secret":       {upstream(broker.TokenRefused, 40125, "invalid appsecret"), 502, "token_refused", -1},
		"whitelist":        {upstream(broker.TokenRefused, 40164, "invalid ip 1.2.3.4"), 502, "token_refused", -1},
		"token, unmapped":  {upstream(broker.Upstream, 40001, "invalid credential"), 502, "upstream", -1},
		"token, expired":   {upstream(broker.Upstream, 42001, "access_token expired"), 502, "upstream", -1},
		"token, as away":   {upstream(broker.Unavailable, 40014, "invalid access_token"), 503, "unavailable", -1},
		"cloud_base's own": {upstream(broker.Upstream, 85096, "scancode_time is system reserved"), 502, "upstream", 85096},
		"too fast":         {upstream(broker.Busy, 44990, "reach max api minute frequency limit"), 503, "busy", 45011},
		"quota":            {upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"), 503, "quota_exhausted", 45009},
		"busy":             {upstream(broker.Unavailable, -1, "system error"), 503, "unavailable", -1},
		"away":             {broker.Errorf(broker.Unavailable, "WeChat cannot be reached"), 503, "unavailable", -1},
		"a stranger":       {errors.New("tcp 10.0.0.1: boom"), 500, "internal", -1},
	} {
		bubble(t, name, func(t *testing.T) {
			w := newLiveWorld(t)
			w.weChat.fail(test.err)
			out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
			wantCode(t, out, test.code)
			if out.Code != test.status {
				t.Errorf("status %d, want %d", out.Code, test.status)
			}
			retry := out.Header().Get("Retry-After")
			if (test.status == 503) != (retry != "") {
				t.Errorf("status %d with Retry-After %q", out.Code, retry)
			}
			for _, secret := range []string{"40001", "40014", "42001", "10.0.0.1"} {
				if strings.Contains(out.text(), secret) {
					t.Errorf("%s is told: %s", secret, out.text())
				}
			}
			other := w.ask("POST", facade, `{"path":"other"}`)
			wantErrCode(t, other, test.errcode)
			if other.Header().Get("Retry-After") == "" && test.status == 503 {
				t.Error("the facade has no Retry-After")
			}
		})
	}
}

// bubble runs a subtest in which waiting takes no time.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestAProblemHasAllItsParts(t *testing.T) {
	w := newWorld(t)
	w.weChat.fail(upstream(broker.InvalidPath, 40165, "invalid weapp pagepath"))
	out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	var problem map[string]any
	if err := json.Unmarshal(out.Body.Bytes(), &problem); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"type": "https://go.example.com/docs#invalid_path", "status": 422.0, "code": "invalid_path",
		"errcode": 40165.0, "rid": "6789-abcd", "title": "The path is refused",
	} {
		if problem[name] != want {
			t.Errorf("%s is %v, want %v", name, problem[name], want)
		}
	}
	if problem["hint"] == "" || problem["detail"] != "invalid weapp pagepath" {
		t.Errorf("%v", problem)
	}
	if got := w.ask("POST", facade, `{"path":"p"}`).text(); !strings.HasSuffix(got, `rid: 6789-abcd"}`) {
		t.Errorf("the facade keeps the rid to itself: %s", got)
	}
}

func TestRetryAfterIsWhenTheQuotaDayEnds(t *testing.T) {
	w := newWorld(t) // at 12:00 in Shanghai
	w.weChat.fail(upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"))
	w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	if got := out.Header().Get("Retry-After"); got != "43200" {
		t.Errorf("Retry-After %q", got)
	}
}

func TestACallerWhoHangsUpIsNoFailureOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		release := make(chan struct{})
		w.weChat.before = func() { <-release }
		for _, address := range []string{"/api/v1/links", "/wxa/generate_urllink"} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			r := httptest.NewRequestWithContext(ctx, "POST", address, strings.NewReader(`{"path":"p"}`))
			out := w.serve(w.public, r, as(shopKey))
			if strings.HasPrefix(address, "/wxa/") {
				wantErrCode(t, reply{out}, -1)
			} else if out.Code != 499 {
				t.Errorf("%s: %d %s", address, out.Code, out.Body)
			}
		}
		close(release)
		synctest.Wait()
		if got := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))); got.Outcome != "hit" || w.weChat.calls() != 1 {
			t.Errorf("what was begun did not go on: %+v", got)
		}
		wantFigures(t, w.figures(), `linkbroker_http_requests_total{class="5xx",listener="public"} 0`)
	})
}

func TestAStoreThatCannotBeReadIsToldWithoutParticulars(t *testing.T) {
	w := newWorldWith(t, failing{cache.NewMemory()})
	out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	wantCode(t, out, "store_failed")
	if out.Code != 503 || strings.Contains(out.text(), "/var/lib") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	wantErrCode(t, w.ask("POST", facade, `{"path":"p"}`), -1)
}

func TestWrongMethodsAndAddressesOfTheAdminListener(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		method, address, code string
	}{
		"no such address":                 {"GET", "/nosuch", "no_route"},
		"WeChat's addresses are not here": {"POST", "/wxa/generate_urllink", "no_route"},
		"a verb that is none":             {"POST", "/api/v1/links/00000000000000000000000000000000:eat", "no_route"},
		"a verb of another method":        {"POST", "/api/v1/jobs/purge", "no_route"},
		"a method that is not there":      {"PUT", "/api/v1/links", "wrong_method"},
		"a key that is none":              {"GET", "/api/v1/links/xyz", "not_found"},
		"a key that is nobody's":          {"GET", "/api/v1/links/" + strings.Repeat("0", 32), "not_found"},
		"deleting what is not there":      {"DELETE", "/api/v1/links/" + strings.Repeat("0", 32), "not_found"},
		"renewing what is not there":      {"POST", "/api/v1/links/" + strings.Repeat("0", 32) + ":renew", "not_found"},
		"pinning what is not there":       {"POST", "/api/v1/links/" + strings.Repeat("0", 32) + ":pin", "not_found"},
		"a job that is none":              {"POST", "/api/v1/jobs/nosuch:run", "not_found"},
		"a job that is running":           {"POST", "/api/v1/jobs/backup:run", "conflict"},
		"an unknown parameter":            {"GET", "/api/v1/links?page=2", "malformed"},
		"a limit of nothing":              {"GET", "/api/v1/links?limit=0", "malformed"},
		"a limit beyond 500":              {"GET", "/api/v1/links?limit=501", "malformed"},
		"a state that there is not":       {"GET", "/api/v1/links.csv?state=lost", "malformed"},
		"a length of time that is none":   {"GET", "/api/v1/links?expiring_within=3d", "malformed"},
		"an order that is none":           {"GET", "/api/v1/links?sort=colour", "invalid_argument"},
		"a cursor that nobody gave":       {"GET", "/api/v1/links?cursor=abc", "invalid_argument"},
		"a parameter given twice":         {"GET", "/api/v1/links?q=a&q=b", "malformed"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, w.administer(test.method, test.address), test.code) })
	}
}
