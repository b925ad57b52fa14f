package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"linkbroker/handlers"
)

// explained is an explanation as it is answered.
type explained struct {
	ErrCode    int
	Code       string
	HTTPStatus int `json:"http_status"`
	Class      string
	Meaning    string
	Remedy     string
}

func TestErrorsAreExplainedInTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		code, accept, language string
		want                   explained // its texts are beginnings
	}{
		"an errcode of WeChat's": {"40164", "", "en", explained{40164, "token_refused", 502, "operator", "WeChat takes no calls from this machine", "WeChat's message"}},
		"in Chinese":             {"40164", "zh-CN,zh;q=0.9,en;q=0.8", "zh", explained{40164, "token_refused", 502, "operator", "微信不接受来自这台机器的调用", "linkbroker 的日志"}},
		"a negative one":         {"-1", "", "en", explained{-1, "unavailable", 503, "nobody", "WeChat's system is busy", "Ask again"}},
		"a code of the domain":   {"quota_exhausted", "de", "en", explained{45009, "quota_exhausted", 503, "nobody", "The day's quota is used up", "Links that are stored"}},
		"one with an errcode":    {"invalid_path", "en;q=0.1,zh;q=0.9", "zh", explained{40165, "invalid_path", 422, "caller", "页面路径", "path 只写"}},
		"a code of HTTP's floor": {"malformed", "zh", "zh", explained{47001, "malformed", 400, "caller", "请求格式错误", "请查看"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ask := range []func() reply{
				func() reply { return w.ask("GET", "/api/v1/errors/"+test.code, "", "Accept-Language: "+test.accept) },
				func() reply {
					return w.send(w.admin, "admin", "GET", "/api/v1/errors/"+test.code, "", []string{"Accept-Language: " + test.accept})
				},
			} {
				out := ask()
				var got explained
				if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil || out.Code != http.StatusOK {
					t.Fatalf("%d %s", out.Code, out.text())
				}
				wantPrefix(t, got.Meaning, test.want.Meaning)
				wantPrefix(t, got.Remedy, test.want.Remedy)
				got.Meaning, got.Remedy = test.want.Meaning, test.want.Remedy
				if got != test.want {
					t.Errorf("got %+v", got)
				}
				h := out.Header()
				if h.Get("Content-Language") != test.language || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Accept-Language") {
					t.Errorf("%v", h)
				}
			}
		})
	}
	for _, code := range []string{"99999", "0", "nonsense", "40165x", "INVALID_PATH"} {
		wantCode(t, w.ask("GET", "/api/v1/errors/"+code, ""), "not_found")
	}
}

// TestEveryCodeOfAProblemIsExplained sees that a problem's title and hint are there, and the explanation with them.
func TestEveryCodeOfAProblemIsExplained(t *testing.T) {
	w := newWorld(t)
	var page struct{ Items []explained }
	if err := json.Unmarshal(w.ask("GET", "/api/v1/errors", "").Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	known := map[string]explained{}
	for _, e := range page.Items {
		if e.ErrCode == 0 || known[e.Code].Code == "" {
			known[e.Code] = e
		}
	}
	for _, code := range handlers.Codes() {
		e := known[string(code)]
		if e.Meaning == "" || e.Remedy == "" || e.Class == "" || e.HTTPStatus == 0 {
			t.Errorf("%s: %+v", code, e)
		}
	}
}
