package handlers_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/wechat"
)

// TestTheTesterLooks goes through what can come of a request. Looking spends nothing.
func TestTheTesterLooks(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(),
		broker.App{ID: appA, Splice: true, PlainScheme: true, DailyQuota: 100}, broker.App{ID: appB, NeverShare: true})
	w.config.CallFor = wechat.Call
	w.listen()
	w.ask("POST", "/api/v1/links", `{"path":"pages/stored"}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"path":"pages/short","expire_interval":2}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"path":"pages/ended","expire_interval":1}`, as(shopKey))
	w.pass(28 * time.Hour)
	b := w.loggedIn()
	made := w.weChat.calls()
	b.shows("/tester", "Type a page")
	const a = "app=" + appA
	for query, want := range map[string]string{
		a + "&path=pages/stored":                                 "hit A link is stored that has 28 d 19 h left; 3 d or more is wanted. The rule book has nothing",
		a + "&path=pages/stored&query=id%3D1":                    "hit A link is stored",
		a + "&path=pages/new":                                    "miss No link is stored for this target: one is made. The rule book has nothing to say against it. Have it made Costs one generation; left today: 100",
		a + "&path=pages/ended&expire_interval=1":                "miss The stored link has ended",
		a + "&path=pages/short&expire_interval=2&least_life=30h": "miss The stored link has only 19 h 59 min left, and 1 d 6 h is wanted",
		a + "&path=p%3Fx":                                        "refused refused path contains a ? at position 2",
		a + "&path=p&query=%22":                                  "refused refused query has ",
		a + "&path=p&env_version=trial":                          "miss No link is stored for this target: one is made. warning env_version",
		a + "&path=p&expire_interval=x":                          "refused",
		a + "&path=p&expire_interval=0":                          "refused The expiry is refused",
		a + "&path=p&ends=2026-03-01T00:00":                      "refused The expiry is refused",
		a + "&path=p&ends=2026-03-10T08:00:00&splice=false":      "miss No link",
		a + "&path=q&ends=2026-03-10T08:00:00":                   "miss No link",
		a + "&path=p&ends=soon":                                  "refused",
		a + "&path=p&kind=plain_scheme":                          "composed It is put together here",
		"app=" + appB + "&path=p":                                "miss Links of this mini program are never shared",
		"path=p":                                                 "refused No such mini program",
		a + "&path=p&client=foreign":                             "refused Not allowed",
		a + "&path=p&client=read":                                "refused",
		a + "&path=p&client=nobody":                              "refused Not found",
		a + "&path=p&client=expired":                             "refused Not allowed",
		a + "&path=other&client=page":                            "refused",
		"path=p&client=shop":                                     "miss No link",
		a + "&path=p&scope=x":                                    "miss No link",
	} {
		b.shows("/tester?fragment=plan&"+query, "What would come of it "+want)
	}
	b.shows("/tester?fragment=plan&"+a+"&path=/pages/stored&query=z%3D1%26a%3D2",
		"Path pages/stored", "cq a=2&amp;z=1", "To the stored link", "Link https://wxaurl.cn/t1?cq=a%3D2%26z%3D1",
		"Nothing is sent now.", "POST /wxa/generate_urllink { &#34;path&#34;: &#34;/pages/stored&#34;,")
	b.shows("/tester?fragment=plan&"+a+"&path=p&ends=2026-03-10T08:00:00", "Asked to live Until 2026-03-10 08:00:00 &#43;08:00")
	if page := b.do("GET", "/tester?"+a+"&path=p&scope=x", "", "").text(); !strings.Contains(page, `<input name="scope" value="x">`) {
		t.Error("a field that few have is lost as soon as somebody types")
	}
	page := b.do("GET", "/tester?fragment=plan&"+a+"&path=p%3F&expire_interval=-1", "", "", speak("zh")...).text()
	if !strings.Contains(page, "有效期不被接受") {
		t.Errorf("what is refused is not told in Chinese: %s", page)
	}
	page = b.do("GET", "/tester?fragment=plan&"+a+"&path=p%3F", "", "", speak("zh")...).text()
	if !strings.Contains(page, "被拒绝") || !strings.Contains(page, "path 第 2") {
		t.Errorf("the rule book does not speak Chinese: %s", page)
	}
	if w.weChat.calls() != made {
		t.Errorf("looking had %d links made", w.weChat.calls()-made)
	}
	if out := b.do("GET", "/tester?nonsense=1", "", ""); out.Code != 400 {
		t.Errorf("%d", out.Code)
	}
}

func TestTheTesterDoesIt(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, Splice: true}, broker.App{ID: appB, NeverShare: true})
	b := w.loggedIn()
	here := "/tester?" + url.Values{"app": {appA}, "path": {"p"}, "query": {"id=1"}, "client": {"shop"}}.Encode()
	b.wantGone(b.submit("/tester", "app", appA, "path", "p", "query", "id=1", "client", "shop", "ends", ""), here)
	page := b.do("GET", here, "", "").text()
	if !strings.Contains(page, "The link is made.") || !strings.Contains(page, "https://wxaurl.cn/t1?cq=id%3D1") || !strings.Contains(page, `src="data:image/svg`) {
		t.Error(page)
	}
	b.wantGone(b.submit("/tester", "app", appA, "path", "p", "query", "id=1", "client", "shop"), here)
	b.shows(here, "answered without a generation")
	if link := w.list("").Items[0]; w.weChat.calls() != 1 || link.Path != "p" {
		t.Errorf("%d calls, %+v", w.weChat.calls(), link)
	}
	if log := w.audit(); len(log) != 2 || log[1].Action != "link.generate" || log[1].Detail != "as shop" || log[1].Actor != "admin" {
		t.Errorf("%+v", log)
	}
	b.wantGone(b.submit("/tester", "app", appA, "path", "q", "client", "read"), "/tester?"+url.Values{"app": {appA}, "path": {"q"}, "client": {"read"}}.Encode())
	b.shows("/tester", "Not done: ")
	b.submit("/tester", "app", appA, "path", "p?")
	b.shows("/tester", "Not done: ")
	if w.weChat.calls() != 1 {
		t.Error("a client who may only read had a link made")
	}
	out := b.submit("/tester", "app", appB, "path", "own")
	b.wantGone(out, "/links/"+w.list("?app=" + appB).Items[0].Key)
	if out := b.do("POST", "/tester", formType, "path=r&app="+appA, "Sec-Fetch-Site: cross-site"); out.Code != 403 || w.weChat.calls() != 2 {
		t.Errorf("another site: %d", out.Code)
	}
}
