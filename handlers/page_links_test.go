package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"linkbroker/broker"
	"linkbroker/cache"
)

// hostilePath and hostileQuery are as bad as text of the right alphabet can be, and long.
const (
	hostilePath  = `p"><script>alert(1)</script><img/src=x/onerror=alert(1)>'-{{.}}`
	hostileQuery = `a='onmouseover=alert(1)//&b=$(alert)+*/alert(1)/*&c=%22%3E%3Cscript%3E`
)

// stored has links made for some paths, and gives their keys.
func (w *world) stored(paths ...string) (keys []string) {
	w.t.Helper()
	for _, path := range paths {
		body := `{"path":` + strconv.Quote(path) + `}`
		if out := w.ask("POST", "/api/v1/links", body, as(shopKey)); out.Code != http.StatusOK {
			w.t.Fatalf("%d %s", out.Code, out.text())
		}
		keys = append(keys, w.list("?q=" + url.QueryEscape(path)).Items[0].Key)
	}
	w.flush()
	return keys
}

// rows are the paths that a list shows, in its order.
func rows(page string) (paths []string) {
	for _, match := range regexp.MustCompile(`<a class="path cut" [^>]*>([^<]*)</a>`).FindAllStringSubmatch(page, -1) {
		paths = append(paths, match[1])
	}
	return paths
}

func TestTheListOfLinks(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	b.shows("/links", "Ask for a first link", "curl -s https://go.example.com/api/v1/links")
	w.ask("POST", "/api/v1/links", `{"path":"pages/a","query":"id=1","expire_interval":3}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"path":"pages/b","kind":"scheme","env_version":"trial"}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"app":"`+appB+`","path":"pages/c","kind":"short_link"}`, as(generateKey))
	w.ask("POST", "/api/v1/links", `{"app":"`+appB+`","path":"pages/c","kind":"short_link"}`, as(generateKey))
	w.flush()
	w.takeCensus()
	wantCode(t, w.administer("POST", "/api/v1/links/"+w.list("?q=pages/b").Items[0].Key+":pin"), "")
	b.shows("/links", "3 links are stored · Counted just now",
		"/pages/a?id=1 URL Link · "+appA+" https://wxaurl.cn/t1 Copy 2 d 23 h 1 just now shop",
		"/pages/b URL Scheme · Trial · "+appA+" pinned weixin://dl/business/?t=t2 Copy 29 d 23 h",
		"/pages/c Short link · "+appB+" #小程序://x/t3 Copy 29 d 23 h 2 just now generate")
	for query, want := range map[string]string{
		"":                     "/pages/a?id=1 /pages/b /pages/c", // what ends first
		"sort=-uses":           "/pages/c",
		"q=ID%3D1":             "/pages/a?id=1",
		"q=+wxaurl.cn/t1+":     "/pages/a?id=1",
		"app=" + appB:          "/pages/c",
		"kind=scheme":          "/pages/b",
		"env=trial":            "/pages/b",
		"state=pinned":         "/pages/b",
		"state=dead":           "",
		"expiring_within=72h":  "/pages/a?id=1",
		"asked_by=generate":    "/pages/c",
		"q=&app=&state=&sort=": "/pages/a?id=1",
		"q=nothing":            "",
	} {
		page := b.do("GET", "/links?fragment=rows&"+query, "", "").text()
		if got := strings.Join(rows(page), " "); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s shows %q", query, got)
		}
		if strings.Contains(page, "<html") {
			t.Errorf("%s brings the whole page", query)
		}
	}
	b.shows("/links?q=nothing", "No link matches.")
	b.shows("/links?expiring_within=90m", "1 h 30 min")
	for query, status := range map[string]int{
		"sort=upside": 422, "cursor=x": 422, "state=lost": 400, "limit=501": 400, "expiring_within=3d": 400, "nonsense=1": 400, "q=a&q=b": 400,
	} {
		if out := b.do("GET", "/links?"+query, "", ""); out.Code != status || !strings.Contains(out.text(), "<h1>") {
			t.Errorf("%s: %d", query, out.Code)
		}
	}
}

func TestTheListGoesOnPageByPage(t *testing.T) {
	w := newWorld(t)
	w.stored("p1", "p2", "p3", "p4", "p5")
	b := w.loggedIn()
	address, seen := "/links?q=p&limit=2", []string{}
	for i := range 3 {
		page := b.do("GET", address, "", "").text()
		seen = append(seen, rows(page)...)
		if strings.Contains(page, `href="/links?limit=2&amp;q=p"`) != (i > 0) {
			t.Errorf("the way back to the first page, on page %d: %s", i+1, page)
		}
		if !strings.Contains(page, `href="/api/v1/links.csv?q=p"`) {
			t.Error("there is no way to export what matches")
		}
		next := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(page)
		if (next == nil) != (i == 2) {
			t.Fatalf("page %d: %v", i+1, next)
		}
		if next != nil {
			address = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	slices.Sort(seen)
	if strings.Join(seen, " ") != "/p1 /p2 /p3 /p4 /p5" {
		t.Errorf("%v", seen)
	}
}

func TestALinkIsFoundByItsKeyAndItsAlias(t *testing.T) {
	w := newWorld(t)
	keys := w.stored("pages/sale")
	w.put("sale", `{"app":"`+appA+`","path":"pages/sale"}`)
	w.put("fresh", `{"app":"`+appA+`","path":"pages/new"}`)
	b := w.loggedIn()
	for text, want := range map[string]string{
		keys[0]:                         "The link of this key → /pages/sale",
		"sale":                          "The alias sale → /pages/sale",
		"https://go.example.com/l/sale": "The alias sale → /pages/sale",
		"FRESH":                         "The alias fresh → no link is stored for it",
	} {
		b.shows("/links?fragment=rows&q="+url.QueryEscape(text), want)
	}
	page := b.do("GET", "/links?q="+strings.Repeat("0", 32), "", "").text()
	if strings.Contains(page, "of this key") {
		t.Error("a key that nothing has finds something")
	}
	if w.weChat.calls() != 1 {
		t.Error("looking has a link made")
	}
}

// active gives what of a page a browser would run or fetch that is not our own.
func active(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	own := regexp.MustCompile(`^(/static/|/charts/|/api/v1/links/|data:image/svg\+xml;base64,)`)
	for node := range root.Descendants() {
		for _, attribute := range node.Attr {
			switch key, value := attribute.Key, attribute.Val; {
			case strings.HasPrefix(key, "on"), key == "style",
				key == "src" && !own.MatchString(value),
				(key == "href" || key == "action" || key == "formaction") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "https://wxaurl.cn/"):
				return node.Data + " with " + key + "=" + value
			}
		}
		if node.Data == "script" && node.FirstChild != nil {
			return "a " + node.Data
		}
	}
	return ""
}

// TestHostileTargetsAreText looks at them on each page that shows them.
func TestHostileTargetsAreText(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	body := fmt.Sprintf(`{"path":%q,"query":%q,"scope":"\u202e<b>","extra":{"x":"</code><script>alert(1)</script>"}}`, hostilePath, hostileQuery)
	wantCode(t, w.ask("POST", "/api/v1/links", body, as(shopKey)), "")
	key := w.list("").Items[0].Key
	w.put("bad", fmt.Sprintf(`{"app":%q,"path":%q,"query":%q}`, appA, hostilePath, hostileQuery))
	test := url.Values{"app": {appA}, "path": {hostilePath}, "query": {hostileQuery + `é"><script>`}, "scope": {`"><script>`}}
	good := url.Values{"app": {appA}, "path": {hostilePath}, "query": {hostileQuery}}
	for _, address := range []string{
		"/links", "/links?q=" + url.QueryEscape(hostilePath), "/links?q=bad", "/links/" + key, "/tester?" + test.Encode(), "/tester?" + good.Encode(),
		"/links?asked_by=" + url.QueryEscape(`"><script>alert(1)</script>`) + "&app=" + url.QueryEscape(`"onfocus="alert(1)`),
	} {
		out := b.do("GET", address, "", "")
		if found := active(t, out.text()); out.Code != http.StatusOK || found != "" {
			t.Errorf("%s: %d, and there is %s", address, out.Code, found)
		}
	}
	page := b.do("GET", "/links/"+key, "", "").text()
	if !strings.Contains(page, `p&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img/src=x/onerror=alert(1)&gt;&#39;-{{.}}`) {
		t.Error("the path is not shown as it is")
	}
	if !strings.Contains(page, `onmouseover=alert(1)//&amp;b=$(alert)`) || !strings.Contains(page, `&#39;\&#39;&#39;`) {
		t.Errorf("what is to be pasted into a shell is not quoted: %s", page)
	}
}

func TestSelectedLinks(t *testing.T) {
	w := newWorld(t)
	keys := w.stored("p1", "p2", "p3")
	b := w.loggedIn()
	some := []string{"next", "/links?q=p", "key", keys[0], "key", keys[1], "key", keys[1]}

	b.wantGone(b.submit("/links:pin", some...), "/links?q=p")
	b.shows("/links?q=p", "2 links are pinned.")
	if n := len(w.list("?state=pinned").Items); n != 2 {
		t.Errorf("%d are pinned", n)
	}
	b.wantGone(b.submit("/links:unpin", some[:4]...), "/links?q=p")
	b.shows("/links", "1 link is unpinned.")
	w.pass(1)
	b.wantGone(b.submit("/links:renew", some...), "/links?q=p")
	b.shows("/links", "2 links are renewed.")
	if w.weChat.calls() != 5 {
		t.Errorf("%d calls", w.weChat.calls())
	}
	out := b.submit("/links:export", some...)
	if lines := strings.Split(strings.TrimSpace(out.text()), "\n"); out.Code != 200 || len(lines) != 3 || !strings.Contains(out.Header().Get("Content-Disposition"), `filename="links.csv"`) {
		t.Errorf("%d %v", out.Code, lines)
	}
	b.wantGone(b.submit("/links:delete", some...), "/links?q=p")
	b.shows("/links", "2 links are deleted.")
	b.wantGone(b.submit("/links:delete", append(some, "key", keys[2])...), "/links?q=p")
	b.shows("/links", "Done for 1 of 3 links. The others: Not found")
	b.wantGone(b.submit("/links:delete", some[:4]...), "/links?q=p")
	b.shows("/links", "Links that were left as they are: 1. Not found")
	b.wantGone(b.submit("/links:renew", "next", "https://evil.example", "key", keys[0]), "/")

	var told []string
	for _, entry := range w.audit() {
		if strings.HasPrefix(entry.Action, "link.") {
			told = append(told, strings.TrimSpace(entry.Action+" "+strings.Replace(entry.Object, keys[0], "KEY", 1)+entry.Detail))
		}
	}
	if got := strings.Join(told, ", "); got != "link.pin 2 of 2 links, link.unpin KEY, link.renew 2 of 2 links, link.export csv: 2 links, "+
		"link.delete 2 of 2 links, link.delete 1 of 3 links" {
		t.Errorf("the audit says %s", got)
	}
}

func TestWhatSelectsNothing(t *testing.T) {
	w := newWorld(t)
	keys := w.stored("p")
	b := w.loggedIn()
	many := url.Values{}
	for i := range 501 {
		many.Add("key", fmt.Sprintf("%032x", i))
	}
	for form, status := range map[string]int{
		"": 400, "next=/links": 400, "key=x": 404, "key=%zz": 400, many.Encode(): 400, "key=" + strings.Repeat("0", 70_000): 413,
	} {
		for _, path := range []string{"/links:delete", "/links:export"} {
			if out := b.do("POST", path, formType, form); out.Code != status || !strings.Contains(out.text(), "<h1>") {
				t.Errorf("%s with %.40s: %d", path, form, out.Code)
			}
		}
	}
	if out := b.do("POST", "/links:delete", formType, "key="+keys[0], "Sec-Fetch-Site: cross-site"); out.Code != 403 {
		t.Errorf("another site: %d", out.Code)
	}
	if len(w.list("").Items) != 1 {
		t.Error("it is deleted")
	}
}

// TestARenewalNamesItsCost looks at the question that is asked before.
func TestARenewalNamesItsCost(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, DailyQuota: 100}, broker.App{ID: appB, DailyQuota: 50})
	keys := w.stored("p1", "p2")
	b := w.loggedIn()
	ask := func(address string) string {
		return regexp.MustCompile(`data-confirm[a-z-]*="([^"]*generation[^"]*left today[^"]*)"`).FindStringSubmatch(b.do("GET", address, "", "").text())[1]
	}
	if got := ask("/links"); got != "Links to renew: #. It costs up to # generations; left today: 98." {
		t.Error(got)
	}
	if got := ask("/links/" + keys[0]); !strings.HasSuffix(got, "It costs one generation; left today: 98.") {
		t.Error(got)
	}
	w.ask("POST", "/api/v1/links", `{"app":"`+appB+`","path":"p"}`, as(generateKey))
	w.ask("POST", "/api/v1/links", `{"app":"`+appB+`","path":"p","kind":"short_link"}`, as(generateKey))
	if got := ask("/links"); !strings.Contains(got, appA+" links and schemes 98, ") || !strings.Contains(got, appB+" links and schemes 49") || !strings.Contains(got, appB+" short links ") {
		t.Error(got)
	}
}

func TestARenewalThatIsRefusedIsToldOnce(t *testing.T) {
	w := newWorld(t)
	keys := w.stored("p1", "p2")
	w.weChat.fail(upstream(broker.QuotaExhausted, 44993, "reach max api day quota limit"))
	w.pass(1)
	b := w.loggedIn()
	b.wantGone(b.submit("/links:renew", "next", "/links", "key", keys[0], "key", keys[1]), "/links")
	b.shows("/links", "Links that were left as they are: 2. The day&#39;s quota is used up reach max api day quota limit (2)")
	for _, entry := range w.audit() {
		if entry.Action == "link.renew" {
			t.Errorf("what was not done is noted: %+v", entry)
		}
	}
}
