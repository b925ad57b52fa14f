package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

// sdks are those that can be installed here, and how. docs/sdk.md shows the lines with which each is pointed at the
// broker; TestTheDocumentedLinesAreRun sees that they stand in these programs.
func sdks() map[string]func(*testing.T, string) []string {
	return map[string]func(*testing.T, string) []string{
		"silenceper":      goProgram,
		"powerwechat":     goProgram,
		"node-easywechat": nodeProgram,
		"nest-wechat":     nodeProgram,
	}
}

// TestSDKs goes through what a team sees whose SDK asks the broker in WeChat's place, in both ways to point it there.
func TestSDKs(t *testing.T) {
	t.Parallel()
	for name, install := range sdks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := install(t, name)
			t.Run("pointed by address, with a secret that opens nothing", func(t *testing.T) {
				askThroughSDK(t, command, func(p *program) []string {
					return []string{"LINKBROKER_URL=" + p.public + "/k/" + shopKey, "WECHAT_APPID=" + appID, "WECHAT_SECRET=" + appSecret}
				})
			})
			t.Run("pointed by secret, with WeChat's stable token call", func(t *testing.T) {
				askThroughSDK(t, command, func(p *program) []string {
					return []string{"LINKBROKER_URL=" + p.public, "WECHAT_APPID=" + appID, "WECHAT_SECRET=" + shopKey, "STABLE=yes"}
				})
			})
		})
	}
}

// askThroughSDK starts a WeChat, a broker and the SDK, and asks for links.
func askThroughSDK(t *testing.T, command []string, environ func(*program) []string) {
	t.Helper()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	s := startSDK(t, command, environ(p))

	miss := s.link(t, "pages/item", "id=42")
	if got := p.outcomes(t); got != (outcomes{miss: 1}) || w.Stats().Generated != 1 || !strings.HasPrefix(miss.URL, "https://wxaurl.cn/") {
		t.Fatalf("the first answer is %+v, after it the broker counts %+v and WeChat %d", miss, got, w.Stats().Generated)
	}
	hit := s.link(t, "/pages/item", "id=42&")
	if got := p.outcomes(t); got != (outcomes{miss: 1, hit: 1}) || w.Stats().Generated != 1 || hit.URL != miss.URL {
		t.Errorf("the second answer is %+v, after it the broker counts %+v and WeChat %d", hit, got, w.Stats().Generated)
	}
	if token := s.token; token == "" || strings.Contains(strings.Join(w.tokens, " "), token) {
		t.Errorf("the SDK has the token %q, and WeChat's are %q", token, w.tokens)
	}

	s.sharesEveryKind(t, p)
	s.knowsItsLink(t, w, hit.URL)
	s.refused(t, "a query in the path", 40165, "pages/item?id=42", "")
	w.faultOverHTTP(t, `{"fault":"errcode","errcode":40165,"times":1}`)
	s.refused(t, "a page that WeChat does not know", 40165, "pages/gone", "")
	s.refused(t, "a letter outside WeChat's alphabet", 40212, "pages/item", "name=茶")
	w.faultOverHTTP(t, `{"fault":"quota"}`)
	s.refused(t, "the day's quota", 45009, "pages/item", "id=43")
	if got := s.link(t, "pages/item", "id=42"); got.URL != miss.URL {
		t.Errorf("with the quota used up the stored link is %+v, want %s", got, miss.URL)
	}
}

// sharesEveryKind asks twice for a link of each other kind.
func (s *sdk) sharesEveryKind(t *testing.T, p *program) {
	t.Helper()
	for kind, begins := range map[string]string{"scheme": "weixin://dl/business/?t=", "short_link": "#小程序://"} {
		before := p.outcomes(t)
		first := s.askFor(t, kind, "pages/item", "id=42")[0]
		second := s.askFor(t, kind, "pages/item", "id=42")[0]
		if first.Error != "" || !strings.HasPrefix(first.URL, begins) || second.URL != first.URL {
			t.Errorf("%s: the SDK has %+v, then %+v", kind, first, second)
		}
		if got := p.outcomes(t); got != (outcomes{miss: before.miss + 1, hit: before.hit + 1}) {
			t.Errorf("%s: the broker counts %+v, then %+v", kind, before, got)
		}
	}
}

// knowsItsLink asks about a link of ours, which the broker answers even where WeChat does not know it. One of the SDKs
// has no such call.
func (s *sdk) knowsItsLink(t *testing.T, w *weChat, url string) {
	t.Helper()
	w.faultOverHTTP(t, `{"fault":"errcode","errcode":85403,"route":"/wxa/query_urllink"}`)
	defer call(t, http.MethodDelete, w.server.URL+"/sandbox/faults", "")
	if got := s.askFor(t, "query", url, "")[0]; got.URL != "pages/item?id=42" && got.Error != noSuchCall {
		t.Errorf("asked about %s the SDK has %+v", url, got)
	}
	if got := s.askFor(t, "query", "https://wxaurl.cn/foreign", "")[0]; got.ErrCode != 85403 && got.Error != noSuchCall {
		t.Errorf("asked about a foreign link the SDK has %+v, want errcode 85403", got)
	}
}

// refused asks for what is refused, and expects it to be told as the SDK tells WeChat's errors.
func (s *sdk) refused(t *testing.T, claim string, errcode int, path, query string) {
	t.Helper()
	if got := s.ask(t, path, query)[0]; got.ErrCode != errcode || got.URL != "" || got.Error == "" {
		t.Errorf("%s: the SDK has %+v, want errcode %d", claim, got, errcode)
	}
}

// TestAnSDKGoesOnMakingItsOtherCalls has an SDK whose whole base URL was moved draw a mini program code.
func TestAnSDKGoesOnMakingItsOtherCalls(t *testing.T) {
	t.Parallel()
	command := goProgram(t, "silenceper")
	w := newWeChat(t)
	config := strings.Replace(w.configuration(), "base_url:", "pass_through: [/wxa/getwxacodeunlimit]\n    base_url:", 1)
	config = strings.Replace(config, "name: shop,", "name: shop, pass_through: true,", 1)
	p := serve(t, configured(t, config), secrets)
	for key, want := range map[string]sdkLink{shopKey: {URL: "image/jpeg"}, opsKey: {Error: "errcode=48001"}} {
		s := startSDK(t, command, []string{
			"LINKBROKER_URL=" + p.public + "/k/" + key, "WECHAT_APPID=" + appID, "WECHAT_SECRET=unused", "TRANSPORT=yes",
		})
		s.link(t, "pages/item", "id=42")
		if got := s.askFor(t, "code", "pages/item", "id=42")[0]; got.URL != want.URL || !strings.Contains(got.Error, want.Error) {
			t.Errorf("the SDK has %+v, want %+v", got, want)
		}
	}
}

// TestStealingTheTokenUnderAThousandRequests has WeChat's token die while a thousand requests of an SDK are under way,
// none of them answered.
func TestStealingTheTokenUnderAThousandRequests(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"silenceper", "powerwechat"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := goProgram(t, name)
			w := newThievedWeChat(t)
			fast := strings.Replace(w.configuration(), "base_url:", "rate: 1000\n    base_url:", 1) + "deadline: 30s\n"
			p := serve(t, configured(t, fast), secrets)
			s := startSDK(t, command, []string{
				"LINKBROKER_URL=" + p.public + "/k/" + shopKey, "WECHAT_APPID=" + appID, "WECHAT_SECRET=unused",
			})
			s.link(t, "pages/item", "id=0")
			before := w.tokenCalls()

			queries := make([]string, 1000)
			for i := range queries {
				queries[i] = fmt.Sprintf("id=%d", i+1)
			}
			for i, got := range s.ask(t, "pages/item", queries...) {
				if got.URL == "" || got.ErrCode != 0 {
					t.Errorf("the theft reaches request %d: %+v", i, got)
				}
			}
			seen, spent := w.Stats(), w.tokenCalls()-before
			if spent < 1 || spent > 2 || seen.Errcodes[40001] < deadCalls || seen.Generated != 1001 {
				t.Errorf("the theft met %d calls and cost %d token calls, want at least %d and at most two; %d links were made, want 1001",
					seen.Errcodes[40001], spent, deadCalls, seen.Generated)
			}
			t.Logf("%d calls met the dead token; the theft cost %d token calls", seen.Errcodes[40001], spent)
		})
	}
}

// So many calls about links are under way when the token is stolen, and so many more meet the dead one before any of
// them is told.
const goodCalls, deadCalls = 100, 100

// thievedWeChat is a fake WeChat with no limit of its own on the rate, whose token is stolen in the midst of calls. It
// answers none of them until enough have met the dead token.
type thievedWeChat struct {
	*weChat

	calls, dead atomic.Int32
	enough      chan struct{} // closed when answers may go out
}

func newThievedWeChat(t *testing.T) *thievedWeChat {
	t.Helper()
	w := &thievedWeChat{enough: make(chan struct{}), weChat: &weChat{WeChat: sandbox.New(t.Context(), sandbox.Config{
		Apps: []sandbox.App{{ID: appID, Secret: appSecret, Rate: 1e6}}, Clock: time.Now,
	})}}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

func (w *thievedWeChat) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/wxa/generate_urllink" {
		w.weChat.ServeHTTP(rw, r)
		return
	}
	calls := w.calls.Add(1)
	if calls == 1+goodCalls {
		theft := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/sandbox/steal", nil)
		w.weChat.ServeHTTP(httptest.NewRecorder(), theft)
	}
	answer := httptest.NewRecorder()
	w.weChat.ServeHTTP(answer, r)
	if strings.Contains(answer.Body.String(), "40001") && w.dead.Add(1) == deadCalls {
		close(w.enough)
	}
	if calls > 1 {
		select {
		case <-w.enough:
		case <-r.Context().Done():
		}
	}
	rw.WriteHeader(answer.Code)
	_, _ = answer.Body.WriteTo(rw)
}

// faultOverHTTP switches a fault on as anybody can who runs the sandbox.
func (w *weChat) faultOverHTTP(t *testing.T, fault string) {
	t.Helper()
	if got := call(t, http.MethodPost, w.server.URL+"/sandbox/faults", fault); got.status != http.StatusOK {
		t.Fatalf("fault %s: %d %s", fault, got.status, got.body)
	}
}

// tokenCalls counts the calls for a token that WeChat has seen.
func (w *weChat) tokenCalls() int {
	seen := w.Stats().Calls
	return seen["/cgi-bin/stable_token"] + seen["/cgi-bin/token"]
}

// outcomes is what /metrics counts of the links answered.
type outcomes struct{ hit, miss, stale int }

func (p *program) outcomes(t *testing.T) (o outcomes) {
	t.Helper()
	metrics := call(t, http.MethodGet, p.admin+"/metrics", "", bearer(opsKey)).body
	for outcome, total := range map[string]*int{"hit": &o.hit, "miss": &o.miss, "stale": &o.stale} {
		lines := regexp.MustCompile(`(?m)^linkbroker_answers_total\{.*outcome="` + outcome + `".*\} (\d+)$`)
		for _, found := range lines.FindAllStringSubmatch(metrics, -1) {
			count, err := strconv.Atoi(found[1])
			if err != nil {
				t.Fatal(err)
			}
			*total += count
		}
	}
	return o
}
