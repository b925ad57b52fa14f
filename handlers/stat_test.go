package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// User agents as they come.
const (
	weChatOnIPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.56(0x1800383b) NetType/WIFI Language/zh_CN"
	weChatOnAndroid = "Mozilla/5.0 (Linux; Android 15; 23127PN0CC Build/AQ3A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.6723.103 Mobile Safari/537.36 XWEB/1300333 MMWEBSDK/20241202 MicroMessenger/8.0.56.2800(0x28003855) WeChat/arm64 Weixin NetType/5G Language/zh_CN ABI/arm64"
	weChatOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c11) XWEB/11581 Flue"
	safariOnIPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1"
	safariOnIPad    = "Mozilla/5.0 (iPad; CPU OS 15_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 Safari/604.1"
	chromeOnAndroid = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Mobile Safari/537.36"
	firefoxOnLinux  = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"
)

func (w *world) flush() {
	w.t.Helper()
	if _, err := w.broker.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// visits tells the visits to an alias in few words.
func (w *world) visits(slug, query string) string {
	w.t.Helper()
	out := w.administer("GET", "/api/v1/aliases/"+slug+"/visits"+query)
	var list struct {
		Items []struct {
			Time                                  string
			WeChat, IOS, Android, Other, Fallback int
		}
	}
	if err := json.Unmarshal(out.Body.Bytes(), &list); err != nil || out.Code != 200 {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	var told []string
	for _, v := range list.Items {
		var parts []string
		for _, part := range []struct {
			n    int
			name string
		}{{v.WeChat, "in WeChat"}, {v.IOS, "on iOS"}, {v.Android, "on Android"}, {v.Other, "of nobody known"}, {v.Fallback, "to the fallback"}} {
			if part.n > 0 {
				parts = append(parts, fmt.Sprint(part.n, " ", part.name))
			}
		}
		told = append(told, strings.TrimSpace(v.Time+" "+strings.Join(parts, ", ")))
	}
	return strings.Join(told, "; ")
}

func TestVisitsAreCountedByWhatPeopleComeWith(t *testing.T) {
	w := newVisitedWorld(t)
	for agent, times := range map[string]int{
		weChatOnIPhone: 1, weChatOnAndroid: 2, weChatOnWindows: 3, safariOnIPhone: 4, safariOnIPad: 5, "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_0)": 1,
		chromeOnAndroid: 6, firefoxOnLinux: 7, "curl/8.12.1": 1, "": 1,
	} {
		for range times {
			w.visit("sale", "User-Agent: "+agent)
		}
	}
	w.flush()
	if got := w.visits("sale", "?per=total"); got != "6 in WeChat, 10 on iOS, 6 on Android, 9 of nobody known" {
		t.Errorf("visits: %s", got)
	}
	wantFigures(t, w.figures(),
		`linkbroker_visits_total{visitor="wechat"} 6`, `linkbroker_visits_total{visitor="ios"} 10`,
		`linkbroker_visits_total{visitor="android"} 6`, `linkbroker_visits_total{visitor="other"} 9`, `linkbroker_visits_total{visitor="fallback"} 0`)
}

// TestVisitsByHourDayAndAllTime: the clock stands at 12:00 in Shanghai.
func TestVisitsByHourDayAndAllTime(t *testing.T) {
	w := newVisitedWorld(t)
	w.visit("sale")
	w.pass(time.Hour)
	w.visit("sale", "User-Agent: "+safariOnIPhone)
	w.visit("sale")
	w.pass(24 * time.Hour)
	w.visit("sale", "User-Agent: "+weChatOnIPhone)
	w.flush()
	w.pass(time.Minute)
	for query, want := range map[string]string{
		"":                                    "2026-02-28T16:00:00Z 1 on iOS, 2 of nobody known; 2026-03-01T16:00:00Z 1 in WeChat",
		"?per=day":                            "2026-02-28T16:00:00Z 1 on iOS, 2 of nobody known; 2026-03-01T16:00:00Z 1 in WeChat",
		"?per=hour":                           "2026-03-01T04:00:00Z 1 of nobody known; 2026-03-01T05:00:00Z 1 on iOS, 1 of nobody known; 2026-03-02T05:00:00Z 1 in WeChat",
		"?per=hour&from=2026-03-02T00:00:00Z": "2026-03-02T05:00:00Z 1 in WeChat",
		"?per=hour&to=2026-03-01T05:00:00Z":   "2026-03-01T04:00:00Z 1 of nobody known",
		"?per=hour&from=2026-03-01T13:00:00%2B08:00&to=2026-03-02T05:00:00Z": "2026-03-01T05:00:00Z 1 on iOS, 1 of nobody known",
		"?per=total": "1 in WeChat, 1 on iOS, 2 of nobody known",
	} {
		if got := w.visits("sale", query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	w.pass(48 * time.Hour)
	if got := w.visits("sale", "?per=hour"); got != "" {
		t.Errorf("of the last 48 hours: %s", got)
	}
	w.pass(90 * 24 * time.Hour)
	if got := w.visits("sale", ""); got != "" {
		t.Errorf("of the last 90 days: %s", got)
	}
	for query, code := range map[string]string{
		"?per=week": "invalid_argument", "?per=": "invalid_argument", "?from=yesterday": "malformed", "?to=2026-03-01": "malformed", "?by=hour": "malformed",
		"?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z": "malformed", "?from=2027-01-01T00:00:00Z": "malformed", "?from=0000-01-01T00:00:00%2B08:00": "malformed",
	} {
		wantCode(t, w.administer("GET", "/api/v1/aliases/sale/visits"+query), code)
	}
	wantCode(t, w.administer("GET", "/api/v1/aliases/absent/visits"), "not_found")
}
