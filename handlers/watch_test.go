package handlers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

// exploding is a store with a defect in it.
type exploding struct{ broker.Store }

func (exploding) Link(context.Context, broker.Key) (broker.Link, error) { panic("oh dear") }

func TestAPanicIsAnAnswerWithoutParticulars(t *testing.T) {
	w := newWorldWith(t, exploding{cache.NewMemory()})
	out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	wantCode(t, out, "internal")
	if out.Code != http.StatusInternalServerError || strings.Contains(out.text(), "oh dear") || strings.Contains(out.text(), ".go:") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	wantErrCode(t, w.ask("POST", facade, `{"path":"p"}`), -1)
	if log := w.log.String(); !strings.Contains(log, "oh dear") || !strings.Contains(log, "watch_test.go") {
		t.Error("the log lacks the panic or its stack")
	}
	wantCode(t, w.administer("POST", "/api/v1/jobs/panics:run"), "internal")
}

func TestAccessIsLoggedAtDebugLevelByRoute(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/k/"+shopKey+"/wxa/generate_urllink", `{"path":"p"}`)
	if want := `msg=request method=POST route=/k/:apikey/wxa/generate_urllink status=200`; !strings.Contains(w.log.String(), want) {
		t.Errorf("want %s in\n%s", want, w.log)
	}
}

// TestNoSecretIsLoggedOrTold sends every kind of credential to every kind of failure and success, and then looks
// for them in the log, in the figures and in the answers.
func TestNoSecretIsLoggedOrTold(t *testing.T) {
	w := newWorld(t)
	token := w.token("generate", appA)
	canaries := []string{generateKey, shopKey, readKey, adminKey, expiredKey, wrongKey, token, "lb1.forged-token"}
	var told strings.Builder
	for _, canary := range canaries {
		for _, body := range []string{`{"path":"p"}`, `{"path":"p?"}`, `{`, `{"secret":"` + canary + `","secret":1}`, `{"grant_type":1,"secret":"` + canary + `"}`} {
			for _, path := range []string{
				"/wxa/generate_urllink", "/wxa/nosuch", "/cgi-bin/stable_token", "/cgi-bin/token", "/api/v1/links", "/api/v1/link", "/nosuch",
			} {
				for _, method := range []string{"GET", "POST"} {
					for _, address := range []string{
						path + "?appid=" + appA + "&access_token=" + canary, path + "?secret=" + canary + "&appid=" + appA + "&grant_type=x",
						"/k/" + canary + path, path + "?" + canary + "=1", path + "?path=" + canary + "%ff",
					} {
						out := w.ask(method, address, body)
						told.WriteString(out.text())
						for name, values := range out.Header() {
							told.WriteString(name + ": " + strings.Join(values, ", ") + "\n")
						}
						w.ask(method, path, body, as(canary))
					}
				}
			}
		}
		w.send(w.admin, "admin", "GET", "/api/v1/links?q="+canary, "", []string{as(canary)})
	}
	w.ask("GET", "/cgi-bin/token?grant_type=client_credential&appid="+appA+"&secret="+shopKey, "")
	told.WriteString(w.administer("GET", "/metrics").text())
	for _, canary := range canaries {
		if strings.Contains(w.log.String(), canary) {
			t.Errorf("%s is logged", canary)
		}
		// What is no credential where it stands, such as the name of an unknown parameter, may be repeated.
		rest := strings.ReplaceAll(told.String(), `unknown parameter \"`+canary, "")
		if at := strings.Index(rest, canary); at >= 0 {
			t.Errorf("%s is told: %s", canary, rest[max(at-200, 0):min(at+200, len(rest))])
		}
	}
	if !strings.Contains(w.log.String(), "msg=request") {
		t.Error("nothing was logged, so nothing was shown")
	}
}
