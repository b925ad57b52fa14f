package handlers_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

// submit sends a form of fields, one after the other name and value.
func (b *browser) submit(path string, fields ...string) reply {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do("POST", path, formType, form.Encode())
}

// wantGone wants a form to have led to a page, and gives it.
func (b *browser) wantGone(out reply, to string) {
	b.w.t.Helper()
	if out.Code != 303 || out.Header().Get("Location") != to {
		b.w.t.Fatalf("%d to %q, want %q: %s", out.Code, out.Header().Get("Location"), to, plain(out))
	}
}

// plain is what a page says, without its tags.
func plain(out reply) string {
	return html.UnescapeString(strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(out.text(), " ")), " "))
}

func (w *world) etagOf(slug string) string {
	w.t.Helper()
	alias, err := w.broker.Alias(w.t.Context(), slug)
	if err != nil {
		w.t.Fatal(err)
	}
	return alias.ETag()
}

func TestTheListOfAliases(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	b.shows("/aliases", "There are no aliases yet.", "curl -X PUT http://127.0.0.1:8081/api/v1/aliases/spring-sale")

	w.put("autumn", `{"app":"`+appA+`","path":"pages/sale","query":"id=7","title":"Herbst","tags":["print"],"visit_limit":2}`)
	w.put("closed", `{"app":"`+appB+`","path":"pages/item","disabled":true}`)
	w.put("over", `{"app":"`+appB+`","path":"p","ends_at":"2026-03-01T00:00:00Z"}`)
	w.put("later", `{"app":"`+appB+`","path":"p","starts_at":"2026-03-02T00:00:00Z"}`)
	for range 2 {
		w.ask("GET", "/l/autumn", "", "User-Agent: Mozilla/5.0 (iPhone) MicroMessenger/8.0")
	}
	w.flush()
	b.shows("/aliases",
		"autumn Herbst https://go.example.com/l/autumn Copy print limit reached pages/sale?id=7 2 2 / 2",
		"closed https://go.example.com/l/closed Copy disabled", "Copy ended", "Copy not yet")
	for query, want := range map[string]string{
		"q=HERBST": "autumn", "q=sale": "autumn", "tag=print": "autumn", "app=" + appA: "autumn", "q=closed&app=" + appB: "closed",
	} {
		page := plain(b.do("GET", "/aliases?fragment=rows&"+query, "", ""))
		if !strings.Contains(page, want+" ") || strings.Count(page, "https://go.example.com/l/") != 1 {
			t.Errorf("%s finds %s", query, page)
		}
	}
	b.shows("/aliases?q=nothing", "No alias is like that. Show all")
	w.config.PublicURL = ""
	w.listen()
	if page := w.loggedIn().do("GET", "/aliases", "", "").text(); strings.Contains(page, "/l/autumn") {
		t.Error("there is an address although nobody knows where it is")
	}
}

func TestTheListOfAliasesGoesOn(t *testing.T) {
	w := newWorld(t)
	for i := range 51 {
		w.put("a"+strings.Repeat("b", i), `{"app":"`+appA+`","path":"p"}`)
	}
	b := w.loggedIn()
	page := b.do("GET", "/aliases?q=a", "", "").text()
	next := regexp.MustCompile(`href="(/aliases\?[^"]*cursor[^"]*)"`).FindStringSubmatch(page)
	if next == nil {
		t.Fatal(page)
	}
	address := strings.ReplaceAll(next[1], "&amp;", "&")
	if rest := b.do("GET", address, "", "").text(); strings.Count(rest, "data-copy=") != 1 || !strings.Contains(rest, `href="/aliases?q=a"`) {
		t.Errorf("%s: %s", address, rest)
	}
}

func TestAnAliasIsCreatedFromThePage(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, FallbackHosts: []string{"shop.example.com"}}, broker.App{ID: appB})
	b := w.loggedIn()
	b.wantGone(b.submit("/aliases", "slug", "Spring", "app", appA, "path", "/pages/sale", "query", "id=1", "env", "release", "splice", "on",
		"title", "春季", "tags", "print， poster,print", "starts_at", "2026-03-01T08:00", "ends_at", "2026-04-01T00:00",
		"fallback_url", "https://shop.example.com/", "visit_limit", "1000"), "/aliases/spring")
	b.shows("/aliases/spring", "spring is there.", "open", "春季")
	alias, err := w.broker.Alias(t.Context(), "spring")
	if err != nil || alias.Target.Path != "pages/sale" || !alias.Splice || strings.Join(alias.Tags, "|") != "poster|print" ||
		alias.StartsAt.String() != "2026-03-01 00:00:00 +0000 UTC" || alias.EndsAt.String() != "2026-03-31 16:00:00 +0000 UTC" ||
		alias.FallbackURL != "https://shop.example.com/" || alias.VisitLimit != 1000 || alias.Title != "春季" {
		t.Errorf("%+v %v", alias, err)
	}
	out := b.submit("/aliases", "app", appA, "path", "p", "env", "release")
	if to := out.Header().Get("Location"); out.Code != 303 || !regexp.MustCompile(`^/aliases/[a-z2-7]{16}$`).MatchString(to) {
		t.Errorf("a drawn slug: %d %s", out.Code, to)
	}
	if log := w.audit(); len(log) != 3 || log[1].Action != "alias.create" || log[1].Object != "spring" || len(log[2].Object) != 16 {
		t.Errorf("%+v", log)
	}
}

func TestAnAliasIsRefusedOnItsForm(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	w.put("taken", `{"app":"`+appA+`","path":"p"}`)
	noted := len(w.audit())
	for name, test := range map[string]struct {
		field, value string
		status       int
		want         string
	}{
		"a slug that is none":          {"slug", "a b", 422, "a slug has 1 to 64 characters"},
		"one that is taken":            {"slug", "TAKEN", 412, "There is an alias TAKEN already"},
		"no mini program":              {"app", "", 400, "which mini program?"},
		"one that is not ours":         {"app", "wx<b>", 400, "no mini program of this appid"},
		"a path with a query":          {"path", "p?id=1", 422, "put what follows it into query"},
		"a moment that is none":        {"starts_at", "tomorrow", 422, "starts_at must be a moment"},
		"a year that JSON cannot tell": {"ends_at", "99999-01-01T00:00", 422, "ends_at must be a moment"},
		"a limit that is no number":    {"visit_limit", "-1", 422, "visit_limit must be a whole number"},
		"a fallback elsewhere":         {"fallback_url", "https://evil.example/", 422, "fallback_hosts"},
		"a version that is none":       {"env", "nightly", 422, "env_version"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := map[string]string{"slug": "fresh", "app": appA, "path": "p", "env": "release", "title": `"><script>x</script>`}
			fields[test.field] = test.value
			var list []string
			for field, value := range fields {
				list = append(list, field, value)
			}
			out := b.submit("/aliases", list...)
			if out.Code != test.status || !strings.Contains(plain(out), test.want) {
				t.Errorf("%d %s", out.Code, plain(out))
			}
			if !strings.Contains(out.text(), `value="&#34;&gt;&lt;script&gt;x&lt;/script&gt;"`) {
				t.Error("what was typed is lost, or no text")
			}
		})
	}
	if log := w.audit(); len(log) != noted {
		t.Errorf("the audit has what was not done: %+v", log)
	}
}

// TestAnAliasIsChangedFromThePage keeps what the form does not show.
func TestAnAliasIsChangedFromThePage(t *testing.T) {
	w := newWorld(t)
	w.put("sale", `{"app":"`+appA+`","path":"p","cloud_base":{"env":"e","path":"/x"},"extra":{"new":1},"tags":["a, b","c"],`+
		`"starts_at":"2026-03-01T00:00:17Z"}`)
	b := w.loggedIn()
	page := b.do("GET", "/aliases/SALE", "", "").text()
	for _, want := range []string{`name="starts_at" value="2026-03-01T08:00"`, `name="tags" value="a, b, c"`, "Times are those of Asia/Shanghai", `&#34;new&#34;:1`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	b.wantGone(b.submit("/aliases/sale", "etag", w.etagOf("sale"), "app", appA, "path", "pages/new", "env", "release",
		"starts_at", "2026-03-01T08:00", "tags", "a, b, c"), "/aliases/sale")
	b.shows("/aliases/sale", "Saved.")
	alias, err := w.broker.Alias(t.Context(), "sale")
	if err != nil || alias.Target.Path != "pages/new" || alias.Target.CloudBase == nil || string(alias.Target.Extra) != `{"new":1}` ||
		strings.Join(alias.Tags, "|") != "a, b|c" || alias.StartsAt.Second() != 17 {
		t.Errorf("%+v %v", alias, err)
	}
	if log := w.audit(); log[len(log)-1].Action != "alias.put" || log[len(log)-1].Object != "sale" {
		t.Errorf("%+v", log)
	}
}

func TestTwoPeopleChangeAnAlias(t *testing.T) {
	w := newWorld(t)
	w.put("sale", `{"app":"`+appA+`","path":"p","title":"old"}`)
	b, seen := w.loggedIn(), w.etagOf("sale")
	w.put("sale", `{"app":"`+appA+`","path":"q","title":"<b>theirs"}`)
	noted := len(w.audit())

	out := b.submit("/aliases/sale", "etag", seen, "app", appA, "path", "p", "env", "release", "title", "mine")
	if page := plain(out); out.Code != 412 || !strings.Contains(page, "Somebody else has changed it meanwhile") ||
		!strings.Contains(page, "Path p q") || !strings.Contains(page, "Title mine <b>theirs") {
		t.Errorf("%d %s", out.Code, page)
	}
	if page := out.text(); !strings.Contains(page, `name="title" value="mine"`) || !strings.Contains(page, `name="etag" value="`+w.etagOf("sale")+`"`) {
		t.Errorf("it cannot be saved again: %s", page)
	}
	for _, verb := range []string{"disable", "delete"} {
		b.wantGone(b.submit("/aliases/sale:"+verb, "etag", seen), "/aliases/sale")
		b.shows("/aliases/sale", "nothing was done")
	}
	if log := w.audit(); len(log) != noted {
		t.Errorf("%+v", log[noted:])
	}
	b.wantGone(b.submit("/aliases/sale", "etag", w.etagOf("sale"), "app", appA, "path", "p", "env", "release", "title", "mine"), "/aliases/sale")

	seen = w.etagOf("sale")
	w.administer("DELETE", "/api/v1/aliases/sale")
	out = b.submit("/aliases/sale", "etag", seen, "app", appA, "path", "p", "env", "release", "title", "mine")
	if out.Code != 412 || !strings.Contains(plain(out), "has deleted sale meanwhile") || !strings.Contains(out.text(), `method="post" action="/aliases"`) {
		t.Errorf("%d %s", out.Code, plain(out))
	}
}

func TestTheButtonsOfAnAlias(t *testing.T) {
	w := newWorld(t)
	w.put("sale", `{"app":"`+appA+`","path":"p"}`)
	b := w.loggedIn()
	b.wantGone(b.submit("/aliases/sale:disable", "etag", w.etagOf("sale")), "/aliases/sale")
	b.shows("/aliases/sale", "It leads nobody on until you enable it.", "disabled")
	if out := w.ask("GET", "/l/sale", ""); out.Code != 404 {
		t.Errorf("%d", out.Code)
	}
	b.wantGone(b.submit("/aliases/sale:enable", "etag", w.etagOf("sale")), "/aliases/sale")
	b.shows("/aliases/sale", "open")
	b.wantGone(b.submit("/aliases/sale:delete", "etag", w.etagOf("sale")), "/aliases")
	b.shows("/aliases", "sale is deleted.", "There are no aliases yet.")
	var did []string
	for _, entry := range w.audit() {
		did = append(did, entry.Action+" "+entry.Object)
	}
	if got := strings.Join(did, ", "); got != "alias.put sale, login , alias.put sale, alias.put sale, alias.delete sale" {
		t.Error(got)
	}
	for _, path := range []string{"/aliases/sale", "/aliases/sale:delete", "/aliases/sale:enable"} {
		method := "POST"
		if !strings.Contains(path, ":") {
			method = "GET"
		}
		if out := b.do(method, path, formType, ""); out.Code != 404 {
			t.Errorf("%s: %d", path, out.Code)
		}
	}
}

// TestTheFormIsLinted sends it as the script does.
func TestTheFormIsLinted(t *testing.T) {
	w := newWorld(t)
	w.put("taken", `{"app":"`+appA+`","path":"p"}`)
	w.ask("POST", "/api/v1/links", `{"app":"`+appA+`","path":"stored"}`, as(generateKey))
	b, calls := w.loggedIn(), w.weChat.calls()
	for name, test := range map[string]struct {
		fields []string
		want   []string
	}{
		"nothing is wrong":       {[]string{"slug", "Fresh", "path", "p"}, []string{"https://go.example.com/l/fresh", "good", "the first visit generates one"}},
		"a link is stored":       {[]string{"slug", "fresh", "path", "/stored"}, []string{"the first visit costs nothing"}},
		"a slug is drawn":        {[]string{"path", "p"}, []string{"Its address is drawn", "good"}},
		"a path with a query":    {[]string{"path", "p?a=1"}, []string{"refused path contains a ? at position 2"}},
		"a query that is not":    {[]string{"query", "名=1"}, []string{"refused query has '名' at position 1", "3 of 1,024 characters"}},
		"a warning":              {[]string{"query", "a=%"}, []string{"warning query has a %", "at position 3"}},
		"the query is spliced":   {[]string{"query", "a=1", "splice", "on"}, []string{"The query is spliced onto", "3 of 256 characters"}},
		"it is too long for it":  {[]string{"query", strings.Repeat("a", 257), "splice", "on"}, []string{"257 of 256", "warning the query is not spliced on"}},
		"the slug is taken":      {[]string{"slug", "taken"}, []string{"refused there is an alias of this slug already"}},
		"the slug is reserved":   {[]string{"slug", "admin"}, []string{`refused the slug "admin" is reserved`}},
		"the alias itself is":    {[]string{"slug", "taken", "etag", "x"}, []string{"good No rule"}},
		"a fallback elsewhere":   {[]string{"fallback_url", "https://a.example"}, []string{"refused fallback_url must be https"}},
		"no mini program":        {[]string{"app", ""}, []string{"refused which mini program?"}},
		"hostile text":           {[]string{"path", "<script>alert(1)</script>?"}, []string{"refused path contains a ?"}},
		"what is not to be read": {[]string{"ends_at", "<b>"}, []string{"refused ends_at must be a moment"}},
	} {
		t.Run(name, func(t *testing.T) {
			fields := test.fields
			if test.fields[0] != "app" {
				fields = append(fields, "app", appA)
			}
			out := b.submit("/aliases:preview", append(fields, "env", "release")...)
			page := plain(out)
			for _, want := range test.want {
				if out.Code != 200 || !strings.Contains(page, want) {
					t.Errorf("%d, no %q in %s", out.Code, want, page)
				}
			}
			if strings.Contains(out.text(), "<script>") || strings.Contains(out.text(), "<h1") {
				t.Error(out.text())
			}
		})
	}
	if w.weChat.calls() != calls {
		t.Error("linting spends quota")
	}
	zh := b.do("POST", "/aliases:preview", formType, "app="+appA+"&path=p%3F&env=release", "Accept-Language: zh").text()
	if !strings.Contains(zh, "请把它后面的部分放进 query") {
		t.Error(zh)
	}
}

func TestTheCodeOfAnAlias(t *testing.T) {
	w := newWorld(t)
	w.put("sale", `{"app":"`+appA+`","path":"p"}`)
	w.put("full", `{"app":"`+appA+`","path":"p","query":"own=1"}`)
	b := w.loggedIn()
	page := b.do("GET", "/aliases/sale?fragment=code&size=256&margin=2&level=H&cq=from%3Dposter%261", "", "").text()
	if !strings.Contains(page, "https://go.example.com/l/sale?cq=from%3Dposter%261") && !strings.Contains(page, "/l/sale?cq=1%26from%3Dposter") {
		t.Error(page)
	}
	for _, form := range []string{"svg", "png"} {
		address := regexp.MustCompile(`href="(/api/v1/aliases/sale/qr\.` + form + `[^"]*)" download="sale\.` + form + `"`).FindStringSubmatch(page)
		if address == nil {
			t.Fatalf("no %s in %s", form, page)
		}
		if out := b.do("GET", strings.ReplaceAll(address[1], "&amp;", "&"), "", ""); out.Code != 200 {
			t.Errorf("%s: %d %s", address[1], out.Code, out.text())
		}
	}
	for query, want := range map[string]string{
		"sale?fragment=code&cq=%E5%90%8D":                     "query has '名' at position 1",
		"sale?fragment=code&cq=" + strings.Repeat("a", 257):   "257 of 256 characters",
		"full?fragment=code&cq=a%3D1":                         "the alias has a query of its own",
		"sale?fragment=code&size=9":                           "size must be a number from 64 to 2048",
		"sale?fragment=code&level=%3Cb%3E":                    "level must be one of L, M, Q and H",
		"sale?fragment=code&cq=%22%3E%3Cscript%3Ex%3C/script": "query has '\"' at position 1",
	} {
		out := b.do("GET", "/aliases/"+query, "", "")
		if out.Code != 200 || !strings.Contains(plain(out), want) || strings.Contains(out.text(), "<img") || strings.Contains(out.text(), "<script") {
			t.Errorf("%s: %d %s", query, out.Code, plain(out))
		}
	}
	w.config.PublicURL = ""
	w.listen()
	w.loggedIn().shows("/aliases/sale", "needs public_url in the configuration")
}

func TestTheVisitsOfAnAlias(t *testing.T) {
	w := newWorld(t)
	w.put("sale", `{"app":"`+appA+`","path":"p"}`)
	for _, agent := range []string{"MicroMessenger/8", "MicroMessenger/8", "iPhone", "Android"} {
		w.ask("GET", "/l/sale", "", "User-Agent: Mozilla/5.0 "+agent)
	}
	w.flush()
	b := w.loggedIn()
	b.shows("/aliases/sale?fragment=visits", "Today 4", "In all 4", "WeChat 2 iOS 1 Android 1 Others 0 To the fallback 0",
		"2026-03-01 12:00 2 1 1 0 0", "2026-03-01 00:00 2 1 1 0 0")
	page := b.do("GET", "/aliases/sale", "", "").text()
	pictures := regexp.MustCompile(`(?:src|srcset)="(/charts/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(pictures) != 2*4 {
		t.Errorf("%d pictures", len(pictures))
	}
	for _, picture := range pictures {
		if out := b.do("GET", strings.ReplaceAll(picture[1], "&amp;", "&"), "", ""); out.Code != 200 || !strings.Contains(out.text(), "<svg") {
			t.Errorf("%s: %d", picture[1], out.Code)
		}
	}
	for path, status := range map[string]int{
		"/charts/visits.svg?size=half&scheme=dark&slug=sale&per=week": 400,
		"/charts/visits.svg?size=half&scheme=dark&slug=none&per=day":  404,
	} {
		if out := b.do("GET", path, "", ""); out.Code != status {
			t.Errorf("%s: %d", path, out.Code)
		}
	}
}

// TestHostileAliasesAreText shows what the API took on each page.
func TestHostileAliasesAreText(t *testing.T) {
	w := newWorld(t)
	w.put("x", `{"app":"`+appA+`","path":"p\"><script>alert(1)</script>","query":"a='//","title":"</title><script>alert(2)</script>","tags":["<img src=x onerror=alert(3)>","javascript:alert(4)"]}`)
	b := w.loggedIn()
	for _, path := range []string{"/aliases", "/aliases/x", "/aliases?q=%22%3E%3Cscript%3E&tag=%3Cscript%3E&app=%3Cscript%3E"} {
		for _, no := range []string{"<script>", "<img src=x", `href="javascript`, "ZgotmplZ"} {
			if page := b.do("GET", path, "", "").text(); strings.Contains(page, no) {
				t.Errorf("%s has %s: %s", path, no, page)
			}
		}
	}
	if out := b.do("POST", "/aliases/x:delete", formType, "", "Sec-Fetch-Site: cross-site"); out.Code != 403 {
		t.Errorf("another site deletes an alias: %d", out.Code)
	}
}
