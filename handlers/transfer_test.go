package handlers_test

import (
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// contentTypes are those of the forms.
var contentTypes = map[string]string{"csv": "text/csv", "ndjson": "application/x-ndjson"}

// export gives the body of an export.
func (w *world) export(t *testing.T, address string) string {
	t.Helper()
	out := w.administer("GET", address)
	form := address[strings.LastIndexByte(strings.SplitN(address, "?", 2)[0], '.')+1:]
	if out.Code != http.StatusOK || !strings.HasPrefix(out.Header().Get("Content-Type"), contentTypes[strings.SplitN(form, "?", 2)[0]]) {
		t.Fatalf("%s: %d %s %s", address, out.Code, out.Header(), out.text())
	}
	return out.text()
}

// importLine is a line of the answer to an import.
type importLine struct {
	Row     int
	Outcome string
	Error   *struct{ Code, Detail string }
	Summary *struct {
		DryRun                                   bool `json:"dry_run"`
		Rows, Added, Replaced, Unchanged, Failed int
	}
}

// importRows sends rows, and tells in short what became of them.
func (w *world) importRows(t *testing.T, address, form, body string) (lines []importLine, told string) {
	t.Helper()
	out := w.send(w.admin, "admin", "POST", address, body, []string{as(adminKey), "Content-Type: " + contentTypes[form]})
	if out.Code != http.StatusOK {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	var b strings.Builder
	for text := range strings.Lines(out.text()) {
		var l importLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
		switch {
		case l.Summary != nil:
			s := l.Summary
			fmt.Fprintf(&b, "sum %d/%d/%d/%d/%d", s.Rows, s.Added, s.Replaced, s.Unchanged, s.Failed)
		case l.Row == 0:
			fmt.Fprintf(&b, "end %s", l.Error.Code)
		case l.Error != nil:
			fmt.Fprintf(&b, "%d %s, ", l.Row, l.Error.Code)
		default:
			fmt.Fprintf(&b, "%d %s, ", l.Row, l.Outcome)
		}
	}
	return lines, b.String()
}

// nasty makes texts of what breaks tables.
type nasty struct{ *rand.Rand }

func (n nasty) text(most int) string {
	pieces := []string{
		"=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "'", `"`, `'"`, `""`, ",", ";", "=1+1", "-2", "@SUM(A1)", "\uFEFF", "\x00", "\\", `\n`,
		"null", "[", "{}", "＝", "汉字", "é", "😀", " ", "a", "TRUE", "007", "1e3", "%", "&a=1", "</script>", "\u2028",
	}
	var b strings.Builder
	for range n.IntN(5) {
		if piece := pieces[n.IntN(len(pieces))]; b.Len()+len(piece) <= most {
			b.WriteString(piece)
		}
	}
	return b.String()
}

func (n nasty) object() []byte {
	if n.IntN(2) == 0 {
		return nil
	}
	text, _ := json.Marshal(map[string]any{"x" + n.text(20): n.text(40), "n": n.Int64(), "l": []any{nil, n.text(9), map[string]any{}}})
	return text
}

func (n nasty) of(alphabet string, most int) string {
	b := make([]byte, n.IntN(most))
	for i := range b {
		b[i] = alphabet[n.IntN(len(alphabet))]
	}
	return string(b)
}

func (n nasty) target() broker.Target {
	const query = "0123456789abcXYZ!#$&'()*+,/:;=?@-._~%"
	t := broker.Target{
		App: []string{appA, appB}[n.IntN(2)], Path: n.of("abc/'=+-@,;\"(){}[]!~ .#", 30), Query: n.of(query, 40),
		Env: []broker.Env{"", broker.Trial, broker.Develop}[n.IntN(3)], Extra: n.object(),
	}
	if n.IntN(3) == 0 {
		t.CloudBase = &broker.CloudBase{
			Env: "e" + n.text(50), Domain: n.text(20), Path: n.text(20), Query: n.of(query, 20), ResourceAppID: n.text(9), Extra: n.object(),
		}
	}
	return t
}

func (n nasty) link(now time.Time) broker.Link {
	t := n.target()
	t.Scope = n.text(60)
	moment := func(back time.Duration) time.Time {
		return now.Add(-time.Duration(n.Int64N(int64(back)))).Truncate(time.Millisecond)
	}
	l := broker.Link{
		URL:         "https://wxaurl.cn/" + n.of("abcXYZ0189?=&", 12),
		GeneratedAt: moment(20 * 24 * time.Hour), ExpiresAt: now.Add(time.Duration(1+n.IntN(5)) * 24 * time.Hour),
		Uses: n.Uint64N(1 << 53), Pinned: n.IntN(2) == 0, Rotations: n.Uint64N(9), AskedBy: []string{"", "shop", "=cmd"}[n.IntN(3)],
	}
	switch n.IntN(3) {
	case 1:
		t.Expiry.Days = 1 + n.IntN(29)
		l.GeneratedAt = now.Add(-time.Minute).Truncate(time.Millisecond)
		l.ExpiresAt = l.GeneratedAt.Add(time.Duration(t.Expiry.Days)*24*time.Hour - time.Minute).Truncate(time.Second)
	case 2:
		t.Expiry.At = now.Add(25 * time.Hour)
		l.ExpiresAt = t.Expiry.At.Add(-time.Minute)
	}
	if n.IntN(2) == 0 {
		l.UsedAt, l.Recent = moment(24*time.Hour), broker.DailyUses(append(binary.AppendUvarint(nil, 20510), byte(1+n.IntN(100))))
	}
	if n.IntN(4) == 0 {
		l.Extra = n.object()
	}
	t, l.URL = n.ofSomeKind(t, l.URL)
	l.Target = t
	return l
}

// ofSomeKind makes some of the targets such of another kind, with what that kind has.
func (n nasty) ofSomeKind(t broker.Target, url string) (broker.Target, string) {
	if t.CloudBase != nil || t.Expiry != (broker.Expiry{}) {
		return t, url
	}
	switch n.IntN(4) {
	case 0:
		t.Kind, url = broker.Scheme, "weixin://dl/business/?t="+n.of("abcXYZ0189", 12)
	case 1:
		t.Kind, url = broker.ShortLink, "#小程序://s/"+n.of("abcXYZ0189", 12)
		t.Env, t.Path, t.Title = broker.Release, "p"+n.of("abc/=,", 9), []string{"", "=标题", "a,b"}[n.IntN(3)]
	}
	return t, url
}

func (n nasty) alias(i int, now time.Time) broker.Alias {
	a := broker.Alias{
		Slug: fmt.Sprintf("s%d", i), Target: n.target(), Splice: n.IntN(2) == 0, Title: n.text(100), VisitLimit: n.Uint64N(3), Disabled: n.IntN(2) == 0,
		CreatedAt: now.Add(-time.Duration(n.Int64N(int64(time.Hour)))).Truncate(time.Millisecond), ChangedAt: now,
	}
	for range n.IntN(3) {
		a.Tags = append(a.Tags, "t"+n.text(30))
	}
	if n.IntN(2) == 0 {
		a.StartsAt, a.EndsAt = now, now.Add(time.Hour+time.Millisecond)
	}
	if n.IntN(2) == 0 {
		a.FallbackURL = "https://fallback.example.com/?a=" + n.of("abc=,'", 9)
	}
	return a
}

// transferWorld makes a world whose aliases may have a fallback.
func transferWorld(t *testing.T) *world {
	hosts := []string{"fallback.example.com"}
	return newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, FallbackHosts: hosts}, broker.App{ID: appB, FallbackHosts: hosts})
}

// TestWhatIsExportedIsImportedAsItWas takes everything out of a store with nasty content and into an empty one, in each
// form, and compares each record.
func TestWhatIsExportedIsImportedAsItWas(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	n := nasty{rand.New(rand.NewPCG(seed, 1))}
	from := transferWorld(t)
	links, aliases := map[broker.Key]broker.Link{}, map[string]broker.Alias{}
	for i := range 400 {
		if _, err := from.broker.ImportLink(t.Context(), n.link(from.now), false); err != nil {
			t.Fatalf("link: %v", err)
		}
		if _, err := from.broker.ImportAlias(t.Context(), n.alias(i, from.now), false); err != nil && !errors.Is(err, broker.InvalidArgument) {
			t.Fatalf("alias: %v", err)
		}
	}
	from.remember(t, links, aliases)
	if len(links) < 350 || len(aliases) < 350 {
		t.Fatalf("only %d links and %d aliases", len(links), len(aliases))
	}
	for form := range contentTypes {
		t.Run(form, func(t *testing.T) {
			to := transferWorld(t)
			for things, count := range map[string]int{"links": len(links), "aliases": len(aliases)} {
				body := from.export(t, "/api/v1/"+things+"."+form)
				dry := fmt.Sprintf("sum %d/%d/0/0/0", count, count)
				for _, query := range []string{"?dry_run=true", "?dry_run=false"} {
					if _, got := to.importRows(t, "/api/v1/"+things+":import"+query, form, body); !strings.HasSuffix(got, dry) {
						t.Fatalf("%s%s: %s", things, query, got[max(0, len(got)-2000):])
					}
				}
				if _, got := to.importRows(t, "/api/v1/"+things+":import", form, body); !strings.HasSuffix(got, fmt.Sprintf("sum %d/0/0/%d/0", count, count)) {
					t.Errorf("%s again: %s", things, got[max(0, len(got)-200):])
				}
				if again := to.export(t, "/api/v1/"+things+"."+form); again != body {
					t.Errorf("%s: exported again it is another", things)
				}
			}
			gotLinks, gotAliases := map[broker.Key]broker.Link{}, map[string]broker.Alias{}
			to.remember(t, gotLinks, gotAliases)
			for key, want := range links {
				if got := gotLinks[key]; !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			}
			for slug, want := range aliases {
				if got := gotAliases[slug]; !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			}
			if len(gotLinks) != len(links) || len(gotAliases) != len(aliases) {
				t.Error("there are more or less")
			}
		})
	}
}

// remember reads all there is.
func (w *world) remember(t *testing.T, links map[broker.Key]broker.Link, aliases map[string]broker.Alias) {
	t.Helper()
	for link, err := range w.broker.AllLinks(t.Context(), broker.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		links[link.Key] = link
	}
	for alias, err := range w.broker.AllAliases(t.Context(), broker.AliasQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		aliases[alias.Slug] = alias
	}
}

func TestTheFormOfAnExport(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"path":"p","query":"=1+1","expire_interval":7}`, as(shopKey))
	link := w.list("").Items[0]
	want := "key,app,kind,path,query,env_version,cloud_base,expire_interval,expire_time,is_permanent,scope,page_title,extra,answer_extra,url,generated_at,expires_at,used_at,uses,recent,pinned,rotations,asked_by\n" +
		link.Key + "," + appA + ",url_link,p,'=1+1,release,,7,,false,,,,,https://wxaurl.cn/t1,2026-03-01T04:00:00.000Z,2026-03-08T03:59:00.000Z,2026-03-01T04:00:00.000Z,,,false,,shop\n"
	if got := w.export(t, "/api/v1/links.csv"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `{"key":"` + link.Key + `","app":"` + appA + `","kind":"url_link","path":"p","query":"=1+1","env_version":"release","expire_interval":7,` +
		`"url":"https://wxaurl.cn/t1","generated_at":"2026-03-01T04:00:00Z","expires_at":"2026-03-08T03:59:00Z","used_at":"2026-03-01T04:00:00Z","asked_by":"shop"}` + "\n"
	if got := w.export(t, "/api/v1/links.ndjson"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w.put("sale", `{"app":"`+appA+`","path":"p","title":"+Sale","tags":["b","a"]}`)
	want = "slug,app,kind,path,query,env_version,cloud_base,extra,splice,title,tags,starts_at,ends_at,fallback_url,visit_limit,disabled,created_at,changed_at\n" +
		"sale," + appA + `,url_link,p,,release,,,false,'+Sale,"[""a"",""b""]",,,,,false,2026-03-01T04:00:00.000Z,2026-03-01T04:00:00.000Z` + "\n"
	if got := w.export(t, "/api/v1/aliases.csv"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	out := w.administer("GET", "/api/v1/links.csv")
	if got := out.Header().Get("Content-Disposition"); got != `attachment; filename="links.csv"` || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%q, %v", got, out.Header())
	}
}

func TestAnExportSelects(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.ask("POST", "/api/v1/links", fmt.Sprintf(`{"path":"page%d"}`, i), as(shopKey))
		w.put(fmt.Sprintf("slug%d", i), fmt.Sprintf(`{"app":%q,"path":"p","tags":["t%d"]}`, appA, i))
	}
	for address, rows := range map[string]int{
		"/api/v1/links.csv?q=page1": 1, "/api/v1/links.csv?app=" + appB: 0, "/api/v1/links.csv?env=release&kind=url_link": 3,
		"/api/v1/links.csv?expiring_within=1h": 0, "/api/v1/aliases.csv?q=slug2": 1, "/api/v1/aliases.csv?tag=t0": 1, "/api/v1/aliases.csv?app=" + appB: 0,
	} {
		if got := strings.Count(w.export(t, address), "\n") - 1; got != rows {
			t.Errorf("%s: %d rows", address, got)
		}
	}
	for _, query := range []string{"links.csv?limit=1", "links.csv?sort=uses", "links.ndjson?cursor=x", "links.csv?x=", "aliases.csv?x=", "aliases.ndjson?cursor="} {
		wantCode(t, w.administer("GET", "/api/v1/"+query), "malformed")
	}
}

func TestTheRowsOfAnImport(t *testing.T) {
	const head = "app,path,query,url,expires_at\n"
	link := func(path, rest string) string { return appA + "," + path + ",," + rest }
	good := link("p", "https://wxaurl.cn/x,2026-03-10T00:00:00Z")
	for name, test := range map[string]struct{ form, things, body, want string }{
		"what is needed is enough":            {"csv", "links", head + good, "1 added, sum 1/1/0/0/0"},
		"a byte order mark is no name":        {"csv", "links", "\uFEFF" + head + good, "1 added, sum 1/1/0/0/0"},
		"lines may end as on Windows":         {"csv", "links", strings.ReplaceAll(head+good+"\n", "\n", "\r\n"), "1 added, sum 1/1/0/0/0"},
		"columns may come in any order":       {"csv", "links", "expires_at,url,path,app\n2026-03-10T00:00:00Z,https://wxaurl.cn/x,p," + appA, "1 added, sum 1/1/0/0/0"},
		"no rows are an import, too":          {"csv", "links", head, "sum 0/0/0/0/0"},
		"nor are no lines":                    {"ndjson", "links", " \n", "sum 0/0/0/0/0"},
		"a row too short is its own error":    {"csv", "links", head + "a,b\n" + good, "1 malformed, 2 added, sum 2/1/0/0/1"},
		"so is one with a stray quote":        {"csv", "links", head + link(`p"q`, ",") + "\n" + good, "1 malformed, 2 added, sum 2/1/0/0/1"},
		"and one with a moment that is none":  {"csv", "links", head + link("p", "https://wxaurl.cn/x,tomorrow") + "\n" + good, "1 malformed, 2 added, sum 2/1/0/0/1"},
		"and one that is not UTF-8":           {"csv", "links", head + link("p", "https://wxaurl.cn/\xff,2026-03-10T00:00:00Z") + "\n" + good, "1 malformed, 2 added, sum 2/1/0/0/1"},
		"the domain decides":                  {"csv", "links", head + link("p", "https://evil.example/x,2026-03-10T00:00:00Z") + "\n" + link("p?q", "https://wxaurl.cn/x,2026-03-10T00:00:00Z"), "1 invalid_argument, 2 invalid_path, sum 2/0/0/0/2"},
		"a missing quote ends it":             {"csv", "links", head + good + "\n" + link(`"p`, strings.Repeat("x\n", 1<<17)), "1 added, end too_large"},
		"NDJSON":                              {"ndjson", "links", `{"app":"` + appA + `","path":"p","url":"https://wxaurl.cn/x","expires_at":"2026-03-10T00:00:00Z"}` + "\n{}\n", "1 added, 2 malformed, sum 2/1/0/0/1"},
		"an unknown field is refused":         {"ndjson", "links", `{"path":"p","alive":true}`, "1 malformed, sum 1/0/0/0/1"},
		"the same row twice":                  {"csv", "aliases", "slug,app,path\na," + appA + ",p\na," + appA + ",p\na," + appA + ",q\n", "1 added, 2 unchanged, 3 replaced, sum 3/1/1/1/0"},
		"tags as people write them":           {"csv", "aliases", "slug,app,path,tags\na," + appA + ",,\"spring, shop\"\n", "1 added, sum 1/1/0/0/0"},
		"a slug that is reserved":             {"ndjson", "aliases", `{"slug":"admin","app":"` + appA + `","path":"p"}`, "1 invalid_argument, sum 1/0/0/0/1"},
		"without app, of which there are two": {"ndjson", "aliases", `{"slug":"a","path":"p"}`, "1 unknown_app, sum 1/0/0/0/1"},
	} {
		t.Run(name, func(t *testing.T) {
			lines, got := newWorld(t).importRows(t, "/api/v1/"+test.things+":import", test.form, test.body)
			if got != test.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, test.want, lines[0].Error)
			}
		})
	}
}

func TestAnImportThatIsNoneIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ query, contentType, body, code string }{
		"JSON":                   {"", "application/json", "{}", "malformed"},
		"an unknown parameter":   {"?x=", "text/csv", "path\n", "malformed"},
		"a dry_run that is none": {"?dry_run=maybe", "text/csv", "path\n", "malformed"},
		"CSV without its names":  {"", "text/csv", "", "empty_body"},
		"an unknown column":      {"", "text/csv", "path,alive\n", "malformed"},
		"a column twice":         {"", "text/csv", "path,url,path\n", "malformed"},
		"no column path":         {"", "text/csv", "url,expires_at\n", "malformed"},
		"names that never end":   {"", "text/csv", `"` + strings.Repeat("x", 1<<18), "too_large"},
		"what is no NDJSON":      {"", "application/x-ndjson", "path\n", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			out := w.send(w.admin, "admin", "POST", "/api/v1/links:import"+test.query, test.body, []string{as(adminKey), "Content-Type: " + test.contentType})
			wantCode(t, out, test.code)
		})
	}
}

func TestTransfersAreAudited(t *testing.T) {
	w := newWorld(t)
	row := "slug,app,path\na," + appA + ",p\nb," + appA + ",?\n"
	w.importRows(t, "/api/v1/aliases:import?dry_run=true", "csv", row)
	w.importRows(t, "/api/v1/aliases:import", "csv", row)
	w.export(t, "/api/v1/aliases.csv")
	w.export(t, "/api/v1/links.ndjson")
	w.administer("GET", "/api/v1/links.ndjson?x=")
	var got []string
	for _, e := range w.audit() {
		got = append(got, strings.Join([]string{e.Actor, e.Action, e.Object, e.Detail}, "|"))
	}
	want := []string{"admin|alias.import||added 1, replaced 0, unchanged 0, failed 1", "admin|alias.export||csv: 1 aliases", "admin|link.export||ndjson: 0 links"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// breaks is a store whose links cannot be read from the second page on.
type breaks struct{ broker.Store }

func (b breaks) ListLinks(ctx context.Context, after broker.Key, limit int) ([]broker.Link, error) {
	if after != (broker.Key{}) {
		return nil, broker.Errorf(broker.StoreFailed, "the store cannot be read: %w", errDisk)
	}
	return b.Store.ListLinks(ctx, after, limit)
}

// TestAnExportThatBreaksOffIsNotWhole sees the connection cut, and not an end.
func TestAnExportThatBreaksOffIsNotWhole(t *testing.T) {
	w := newWorldWith(t, breaks{cache.NewMemory()})
	w.spec = nil
	n := nasty{rand.New(rand.NewPCG(1, 2))}
	for i := range 1000 { // a page
		link := n.link(w.now)
		link.Target.Scope = fmt.Sprint(i)
		if _, err := w.broker.ImportLink(t.Context(), link, false); err != nil {
			t.Fatal(err)
		}
	}
	w.live = true
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+serve(t, w.admin)+"/api/v1/links.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ends with %v", err)
	}
	if e := w.audit(); len(e) != 1 || e[0].Action != "link.export" || e[0].Detail != "csv: 1000 links; it may have been done: store_failed" {
		t.Errorf("the audit has %+v", e)
	}
}

// TestWhoHangsUpOnAnExportHasHadIt finds in the audit how much somebody has who did not wait for the end.
func TestWhoHangsUpOnAnExportHasHadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		for i := range 300 {
			link := broker.Link{
				Target: broker.Target{App: appA, Path: fmt.Sprint(i)}, URL: "https://wxaurl.cn/x", ExpiresAt: w.clock().Add(time.Hour),
			}
			if _, err := w.broker.ImportLink(t.Context(), link, false); err != nil {
				t.Fatal(err)
			}
		}
		s := beginTalk(t, w.admin, "GET /api/v1/links.ndjson", adminKey, "")
		if _, err := io.ReadFull(s.conn, make([]byte, 20_000)); err != nil {
			t.Fatal(err)
		}
		_ = s.conn.Close()
		synctest.Wait()
		s.stop(t)
		e := w.audit()
		if len(e) != 1 || e[0].Action != "link.export" || !regexp.MustCompile(`^ndjson: [1-9]\d* links; it may have been done: hung_up$`).MatchString(e[0].Detail) {
			t.Errorf("the audit has %+v", e)
		}
		if log := w.log.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("somebody hangs up, and that is told as a defect: %s", log)
		}
	})
}

// TestARevokedKeyEndsItsImport is told so by the last line.
func TestARevokedKeyEndsItsImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		key := w.create(`{"name":"mid","role":"admin"}`).Key
		s := beginTalk(t, w.admin, "POST /api/v1/aliases:import", key, "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n")
		s.listen(t)
		s.say(`{"slug":"a","app":"%s","path":"p"}`+"\n", appA)
		wantPrefix(t, <-s.heard, `{"row":1,"outcome":"added"}`)
		if r := w.send(w.admin, "admin", "DELETE", "/api/v1/clients/mid", "", []string{as(adminKey)}); r.Code != http.StatusNoContent {
			t.Fatal(r.text())
		}
		s.say(`{"slug":"b","app":"%s","path":"p"}`+"\n", appA)
		wantPrefix(t, <-s.heard, `{"error":{"title":"The credential is not valid","status":401,`)
		s.stop(t)
		if _, err := w.broker.Alias(t.Context(), "b"); !errors.Is(err, broker.NotFound) {
			t.Errorf("what came after is there: %v", err)
		}
	})
}

// FuzzCell holds that what is defused is no formula, and comes back as it was, through CSV.
func FuzzCell(f *testing.F) {
	for _, cell := range []string{"", "=1", "'", "''", "'=", "\"", "'\"", "'\"a\"", "\r\n", "a\r\nb", "\r", "\t", "＝1", "\xff", "-", "'\"\\r\"", "\n=1", "a,b\"c"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		safe := handlers.Defused(cell)
		if safe != "" && strings.ContainsAny(safe[:1], "=+-@\t\r\n") || strings.HasPrefix(safe, "＝") {
			t.Fatalf("%q is a formula", safe)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		if err := w.Write([]string{safe, "x"}); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		row, err := csv.NewReader(strings.NewReader(b.String())).Read()
		if err != nil {
			t.Fatal(err)
		}
		if got := handlers.Bare(row[0]); got != cell {
			t.Fatalf("%q came back as %q, by %q", cell, got, safe)
		}
	})
}

// FuzzImport sends anything: rows are answered or the whole is refused, and never is it our fault.
func FuzzImport(f *testing.F) {
	f.Add("slug,app,path,tags\na,"+appA+",p,\"[\"\"x\"\"]\"\n", true, false)
	f.Add("app,path,url,expires_at,used_at,recent,cloud_base\n"+appA+",p,https://wxaurl.cn/x,2026-03-10T00:00:00Z,1960-01-01T00:00:00Z,\"\"\"AA==\"\"\",\"{\"\"env\"\":\"\"e\"\"}\"\n", true, true)
	f.Add(`{"slug":"a","app":"`+appA+`","path":"p","extra":null,"starts_at":"0001-01-01T00:00:00+23:00"}`+"\n", false, false)
	f.Add(`{"app":"`+appA+`","path":"p","url":"https://wxaurl.cn/x","expires_at":"2026-03-10T00:00:00Z","uses":1e3,"expire_time":9007199254740993}`, false, true)
	f.Add("[{\"path\":\"\"},", false, true)
	w := newFastWorld(f)
	f.Fuzz(func(t *testing.T, body string, asCSV, links bool) {
		w.t = t
		things, form := "aliases", "ndjson"
		if links {
			things = "links"
		}
		if asCSV {
			form = "csv"
		}
		out := w.send(w.admin, "admin", "POST", "/api/v1/"+things+":import", body, []string{as(adminKey), "Content-Type: " + contentTypes[form]})
		if out.Code >= http.StatusInternalServerError || strings.Contains(out.text(), `"status":5`) {
			t.Fatalf("our fault: %d %s\n%s", out.Code, out.text(), w.log)
		}
		for text := range strings.Lines(out.text()) {
			if !json.Valid([]byte(text)) {
				t.Fatalf("%q", text)
			}
		}
	})
}

// TestAnImportBringsNoSecondLink holds that what stands beside a link in WeChat's answer cannot take its place.
func TestAnImportBringsNoSecondLink(t *testing.T) {
	w := newWorld(t)
	row := `{"app":"` + appA + `","path":"p","url":"https://wxaurl.cn/good","expires_at":"2200-01-01T00:00:00Z","answer_extra":{"url_link":"https://evil.example/"}}`
	if _, told := w.importRows(t, "/api/v1/links:import", "ndjson", row); told != "1 added, sum 1/1/0/0/0" {
		t.Fatal(told)
	}
	for _, address := range []string{"/wxa/generate_urllink", "/openapi/urllink.generate"} {
		out := w.ask("POST", address, `{"path":"p"}`, as(shopKey))
		if text := out.text(); out.Code != http.StatusOK || strings.Contains(text, "evil") || !strings.Contains(text, "https://wxaurl.cn/good") {
			t.Errorf("%s answers %d %s", address, out.Code, text)
		}
	}
}
