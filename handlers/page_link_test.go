package handlers_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

func TestThePageOfALink(t *testing.T) {
	w := newWorld(t)
	w.config.CallFor = wechat.Call
	w.listen()
	w.ask("POST", "/api/v1/links", `{"path":"pages/item","query":"id=1","expire_interval":7,"scope":"vip","cloud_base":{"env":"e-1"}}`, as(shopKey))
	key := w.list("").Items[0].Key
	w.flush()
	w.pass(24 * time.Hour)
	for range 2 {
		w.ask("POST", "/api/v1/links", `{"path":"pages/item","query":"id=1","expire_interval":7,"scope":"vip","cloud_base":{"env":"e-1"}}`, as(shopKey))
	}
	w.flush()
	b := w.loggedIn()
	b.shows("/links/"+key,
		"/pages/item?id=1 alive", "Link https://wxaurl.cn/t1 Copy Open", "Uses 3", "Rotations 0", "Asked first by shop",
		"3 uses", "2026-03-01 00:00 1", "2026-03-02 00:00 2",
		"Made 2026-03-01 12:00", "Handed out until 2026-03-08 11:59", "for it is in demand: from 2026-03-06 03:59",
		"Asked to live 7 days", "cloud_base {&#34;env&#34;:&#34;e-1&#34;,&#34;path&#34;:&#34;/&#34;}", "scope vip", "Key "+key,
		"POST /wxa/generate_urllink { &#34;path&#34;: &#34;/pages/item&#34;, &#34;query&#34;: &#34;id=1&#34;,", "&#34;expire_interval&#34;: 7,",
		"curl -s https://go.example.com/api/v1/links -H &#39;Authorization: Bearer KEY&#39; -d &#39;{&#34;kind&#34;:&#34;url_link&#34;,&#34;app&#34;:&#34;"+appA,
		"await fetch(&#34;https://go.example.com/api/v1/link?app="+appA+"&amp;cloud_base=",
		"https://go.example.com/k/KEY")
	page := b.do("GET", "/links/"+key, "", "").text()
	for _, address := range regexp.MustCompile(`src(?:set)?="([^"]+\.svg[^"]*)"`).FindAllStringSubmatch(page, -1) {
		if out := b.do("GET", strings.ReplaceAll(address[1], "&amp;", "&"), "", ""); out.Code != 200 || !strings.Contains(out.text(), "<svg") {
			t.Errorf("%s: %d %s", address[1], out.Code, out.text())
		}
	}
	tester := regexp.MustCompile(`href="(/tester\?[^"]+)"`).FindStringSubmatch(page)
	b.shows(strings.ReplaceAll(tester[1], "&amp;", "&"), "What would come of it hit", key)
	w.pass(30 * 24 * time.Hour)
	b = w.loggedIn()
	b.shows("/links/"+key, "/pages/item?id=1 dead", "renew it for a code")
}

// TestTheLinesOfALinkWork runs what the page gives to be pasted, as far as it is a request.
func TestTheLinesOfALinkWork(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	for name, body := range map[string]string{
		"a plain link": `{"path":"pages/item","query":"id=1"}`,
		"a scheme":     `{"path":"p","kind":"scheme","env_version":"develop","expire_interval":3}`,
		"with an end":  `{"path":"p","expire_time":1773001234,"extra":{"x":[1,"'"]}}`,
		"all of it":    `{"path":"it's","query":"q='%27","scope":"s","cloud_base":{"env":"e","query":"a=b"}}`,
		"permanent":    `{"path":"p","kind":"short_link","is_permanent":true,"page_title":"题"}`,
	} {
		t.Run(name, func(t *testing.T) {
			out := w.ask("POST", "/api/v1/links", body, as(shopKey))
			key := regexp.MustCompile(`"key":"([0-9a-f]+)"`).FindStringSubmatch(out.text())[1]
			page := plain(b.do("GET", "/links/"+key, "", ""))
			sent := regexp.MustCompile(`-d '(.*?)' From a web page`).FindStringSubmatch(page)
			if out := w.ask("POST", "/api/v1/links", strings.ReplaceAll(sent[1], `'\''`, "'"), as(shopKey)); !strings.Contains(out.text(), `"key":"`+key+`"`) {
				t.Errorf("%s: %s", sent[1], out.text())
			}
			address := regexp.MustCompile(`fetch\("https://go.example.com(.*?)&key=PUBLISHABLE_KEY"\)`).FindStringSubmatch(page)
			if out := w.ask("GET", address[1], "", as(shopKey)); !strings.Contains(out.text(), `"key":"`+key+`"`) {
				t.Errorf("%s: %s", address[1], out.text())
			}
			if w.list("").NextCursor != "" {
				t.Error("there is a second page")
			}
		})
	}
	if n := w.weChat.calls(); n != 5 {
		t.Errorf("%d links were made for 5 targets", n)
	}
}

func TestTheFormsOfALink(t *testing.T) {
	w := newWorld(t)
	key := w.stored("p")[0]
	w.pass(time.Hour)
	b, here := w.loggedIn(), "/links/"+key
	b.wantGone(b.submit(here+":pin"), here)
	b.shows(here, "The link is pinned", "pinned", "Unpin")
	b.wantGone(b.submit(here+":unpin"), here)
	b.shows(here, "pinned no longer")
	b.wantGone(b.submit(here+":renew"), here)
	b.shows(here, "The link is renewed.", "Rotations 1", "https://wxaurl.cn/t2")
	b.wantGone(b.submit(here+":verify"), here)
	b.shows(here, "another time than we thought")
	w.weChat.answer = func(string) (broker.Inspected, error) {
		return broker.Inspected{}, broker.Errorf(broker.NotFound, "gone")
	}
	b.wantGone(b.submit(here+":verify"), here)
	b.shows(here, "does not know the link any more", "dead")
	w.weChat.fail(upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"))
	b.wantGone(b.submit(here+":renew"), here)
	b.shows(here, "Not done: The day&#39;s quota is used up.")
	if out := b.submit(here+":delete", "x", "y"); out.Code != 303 || out.Header().Get("Location") != "/links" {
		t.Errorf("%d", out.Code)
	}
	b.shows("/links", "1 link is deleted.")
	for _, form := range []string{":pin", ":renew", ":delete", ":verify", ":unpin"} {
		if out := b.submit(here + form); out.Code != http.StatusNotFound || !strings.Contains(out.text(), "<h1>") {
			t.Errorf("%s of what is gone: %d", form, out.Code)
		}
		if out := b.submit("/links/nokey" + form); out.Code != http.StatusNotFound && out.Code != http.StatusBadRequest {
			t.Errorf("%s of no key: %d", form, out.Code)
		}
	}
	var actions []string
	for _, entry := range w.audit() {
		if entry.Object == key {
			actions = append(actions, entry.Action)
		}
	}
	if got := strings.Join(actions, " "); got != "link.pin link.unpin link.renew link.verify link.verify link.delete" {
		t.Errorf("the audit says %s", got)
	}
}

func TestAChartOfUsesNeedsALink(t *testing.T) {
	b := newWorld(t).loggedIn()
	for path, status := range map[string]int{
		"/charts/uses.svg?size=wide&scheme=dark":                                404,
		"/charts/uses.svg?size=wide&scheme=dark&key=" + strings.Repeat("0", 32): 404,
		"/charts/uses.svg?size=huge&scheme=dark&key=" + strings.Repeat("0", 32): 400,
		"/links/" + strings.Repeat("0", 32):                                     404,
		"/links/" + strings.Repeat("0", 31) + "x":                               404,
		"/links/" + strings.Repeat("0", 32) + "?fragment=rows":                  404,
	} {
		if out := b.do("GET", path, "", ""); out.Code != status {
			t.Errorf("%s: %d", path, out.Code)
		}
	}
}
