package handlers_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// load sends a file as the form does.
func (b *browser) load(name, text string, fields ...string) reply {
	b.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		_ = form.WriteField(fields[i], fields[i+1]) // to a buffer
	}
	file, err := form.CreateFormFile("file", name)
	if err != nil {
		b.w.t.Fatal(err)
	}
	_, _ = io.WriteString(file, text)
	_ = form.Close()
	return b.do("POST", "/batch", form.FormDataContentType(), body.String())
}

// jobID is how the forms of the page name the present file.
func (b *browser) jobID() string {
	b.w.t.Helper()
	id := regexp.MustCompile(`name="job" value="([A-Z2-7]{8})"`).FindStringSubmatch(b.do("GET", "/batch", "", "").text())
	if id == nil {
		b.w.t.Fatal("there is no file")
	}
	return id[1]
}

// batchNotes are what the audit has of batches.
func (w *world) batchNotes() (notes []string) {
	for _, entry := range w.audit() {
		if entry.Action == "link.batch" {
			notes = append(notes, entry.Actor+" "+entry.Object+" "+entry.Detail)
		}
	}
	return notes
}

func rowsOf(n int) string {
	var b strings.Builder
	b.WriteString("path,query\n")
	for i := range n {
		fmt.Fprintf(&b, "p,id=%d\n", i)
	}
	return b.String()
}

// TestABatchOnThePage loads a file with rows that are wrong, and hostile, and gets its links.
func TestABatchOnThePage(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	b.shows("/batch", "No file is loaded.", "path,query,note", "At most 100,000 rows and 32 MiB")
	w.ask("POST", "/api/v1/links", `{"app":"`+appA+`","path":"stored"}`, as(generateKey))

	const name = `<b onclick=alert(1)>&"x.csv`
	text := "\xEF\xBB\xBFpath,query,note,app\r\n" +
		"stored,,=1+1," + appA + "\r\n" +
		"p,id=1,\"two\nlines, <b>\"," + appA + "\r\n" +
		"p,id=1,again,\r\n" +
		"p?<img src=x>,,-2," + appA + "\r\n" +
		"p,名=1,,\r\n" +
		"p,a=%,,\r\n" +
		"p,,," + "wxcccccccccccccccc\r\n"
	b.wantGone(b.load(name, text, "app", appA), "/batch")
	page := b.do("GET", "/batch", "", "")
	for _, want := range []string{
		name + " admin checked", "Rows 7", "From the store 2", "To generate 2", "Refused 3", appA + " 2 499,999 100,000 enough",
		"refused 1 row Line 6 path contains a ?", "refused 1 row Line 7 query has '名'", "warning 1 row Line 8 query has a %",
		"Line 9 no mini program of this appid",
	} {
		if !strings.Contains(plain(page), want) {
			t.Errorf("no %q in %s", want, plain(page))
		}
	}
	for _, want := range []string{`data-confirm="Get links for 4 rows? This generates up to 2 links, which spends quota."`} {
		if !strings.Contains(page.text(), want) {
			t.Errorf("no %q in %s", want, page.text())
		}
	}
	if strings.Contains(page.text(), "<b ") || strings.Contains(page.text(), "<img") {
		t.Error("the file's text is no text")
	}
	if w.weChat.calls() != 1 {
		t.Fatal("the check has spent quota")
	}

	b.wantGone(b.submit("/batch:run", "job", b.jobID()), "/batch")
	b.shows("/batch", "admin done 7 / 7", "Hit 2", "Generated 2", "Failed 3", "Download the results", "Load the same file again")
	out := b.do("GET", "/batch/results.csv", "", "")
	if got := out.Header(); out.Code != 200 || got.Get("Content-Disposition") != `attachment; filename="results.csv"` ||
		got.Get("Content-Type") != "text/csv; charset=utf-8; header=present" || got.Get("Content-Length") != strconv.Itoa(out.Body.Len()) {
		t.Errorf("%d %v", out.Code, got)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(out.text(), "\xEF\xBB\xBF"))).ReadAll()
	if err != nil || !strings.HasPrefix(out.text(), "\xEF\xBB\xBFpath,query,note,app,url,key,expires_at,outcome,spliced,error\n") || len(rows) != 8 {
		t.Fatalf("%v %s", err, out.text())
	}
	for i, want := range [][]string{
		1: {"stored", "", "=1+1", appA, "https://wxaurl.cn/t1", "hit", ""},
		2: {"p", "id=1", "two\nlines, <b>", appA, "https://wxaurl.cn/t", rows[2][7], ""},
		3: {"p", "id=1", "again", "", rows[2][4], rows[3][7], ""},
		4: {"p?<img src=x>", "", "-2", appA, "", "", "path contains a ? at position 2: put what follows it into query (errcode 40165)"},
		6: {"p", "a=%", "", "", "https://wxaurl.cn/t", "miss", ""},
		7: {"p", "", "", "wxcccccccccccccccc", "", "", "no mini program of this appid is configured"},
	} {
		if want == nil {
			continue
		}
		row := rows[i]
		if !slices.Equal(row[:4], want[:4]) || !strings.HasPrefix(row[4], want[4]) || row[7] != want[5] || !strings.HasPrefix(row[9], want[6]) {
			t.Errorf("row %d is %q, want %q", i, row, want)
		}
	}
	if outcomes := rows[2][7] + rows[3][7]; outcomes != "misshit" && outcomes != "hitmiss" { // whichever comes first generates
		t.Errorf("two rows of one link are %s", outcomes)
	}
	want := []string{
		"admin " + name + " begun: 7 rows, of which 2 have to be generated", "admin " + name + " ended: 7 rows, 2 hits, 2 generated, 0 stale, 3 failed",
	}
	if got := w.batchNotes(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}

	b.wantGone(b.submit("/batch:drop", "job", b.jobID()), "/batch")
	b.shows("/batch", "No file is loaded.")
	if out := b.do("GET", "/batch/results.csv", "", ""); out.Code != 404 {
		t.Errorf("%d", out.Code)
	}
}

func TestWhatIsNoFileOfABatch(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	for name, test := range map[string]struct {
		text   string
		status int
		want   string
	}{
		"nothing":                      {"", 400, "choose a file, or paste its text"},
		"no columns":                   {"pages/item,id=1\n", 400, "has no column path"},
		"a column of the output":       {"path,url\n", 400, "which is one of the output"},
		"a column twice":               {"path,query,query\n", 400, "twice"},
		"a column that may be another": {"Path\n", 400, `write it "path"`},
		"UTF-16":                       {"\xFF\xFEp\x00", 400, "save it as UTF-8"},
		"a header that does not end":   {"\"path\n", 400, "in the wrong place"},
		"more than it may have":        {"path\n" + strings.Repeat("p\n", 16<<20), 413, "larger than 32 MiB"},
		"a header without end":         {strings.Repeat("x", 200<<10), 413, "is a quote missing?"},
	} {
		t.Run(name, func(t *testing.T) {
			if out := b.load("in.csv", test.text); out.Code != test.status || !strings.Contains(plain(out), test.want) {
				t.Errorf("%d %s", out.Code, plain(out))
			}
		})
	}
	t.Run("no such mini program", func(t *testing.T) {
		b.wantGone(b.load("in.csv", "path\np\n", "app", "wxcccccccccccccccc"), "/batch")
		b.shows("/batch", "Refused 1", "no mini program of this appid")
		if strings.Contains(b.do("GET", "/batch", "", "").text(), "batch:run") {
			t.Error("it can be run although nothing would come of it")
		}
		b.wantGone(b.submit("/batch:run", "job", b.jobID()), "/batch")
		b.shows("/batch", "Nothing was done", "checked")
	})
	t.Run("a form of another kind", func(t *testing.T) {
		if out := b.submit("/batch", "text", "path\np\n"); out.Code != 400 {
			t.Errorf("%d", out.Code)
		}
	})
	t.Run("a form that breaks off", func(t *testing.T) {
		out := b.do("POST", "/batch", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\npath\np")
		if out.Code != 400 || !strings.Contains(plain(out), "did not arrive whole") {
			t.Errorf("%d %s", out.Code, plain(out))
		}
	})
	t.Run("another site sends one", func(t *testing.T) {
		if out := b.do("POST", "/batch", formType, "", "Sec-Fetch-Site: cross-site"); out.Code != 403 {
			t.Errorf("%d", out.Code)
		}
	})
	t.Run("text that is pasted", func(t *testing.T) {
		b.wantGone(b.load("", "", "text", "path\r\np\r\n", "app", appA), "/batch")
		b.shows("/batch", "Rows 1")
	})
	for name, test := range map[string]struct{ text, want string }{
		"a broken row":  {"path,x\np,1\nq\n", "line 3: the row has not as many cells"},
		"a broken cell": {"path,x\np,\"1\nq,2\n", "in the wrong place"},
		"too many rows": {"path\n" + strings.Repeat("p\n", 100_001), "more than 100000 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // where looking at many rows takes no time
				b := newLiveWorld(t).loggedIn()
				b.wantGone(b.load("in.csv", test.text), "/batch")
				if page := plain(b.do("GET", "/batch", "", "")); !strings.Contains(page, test.want) || strings.Contains(page, "Get the links") {
					t.Error(page)
				}
			})
		})
	}
}

// newSlowWorld is inside a synctest bubble; WeChat takes half a second a link, and a batch is under way.
func newSlowWorld(t *testing.T, rows int) (*world, *browser) {
	w := newWorldOfSlowCalls(t)
	b := w.loggedIn()
	b.wantGone(b.load("in.csv", rowsOf(rows)), "/batch")
	b.wantGone(b.submit("/batch:run", "job", b.jobID()), "/batch")
	return w, b
}

func newWorldOfSlowCalls(t *testing.T) *world {
	t.Cleanup(func() { time.Sleep(time.Second) }) // what is under way at WeChat goes on behind the end of a batch
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA})
	w.live = true
	w.weChat.slow = func(string) time.Duration { return 500 * time.Millisecond }
	return w
}

func TestABatchIsShownWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newSlowWorld(t, 5000)
		time.Sleep(3 * time.Second)
		page := plain(b.do("GET", "/batch?fragment=work", "", ""))
		if !regexp.MustCompile(`in.csv admin running [1-9]\d\d / 5,000 .*Generated [1-9]\d\d .*Rows a second [1-9]\d+[.\d]* Time left \d+ s|min .*Quota left`).MatchString(page) {
			t.Error(page)
		}
		b.wantGone(b.load("next.csv", "path\np\n"), "/batch")
		b.shows("/batch", "A batch is under way.", "in.csv")
		if out := b.do("GET", "/batch/results.csv", "", ""); out.Code != 404 {
			t.Errorf("there are results before the end: %d", out.Code)
		}
		for path, want := range map[string]string{"/batch:run": "Nothing was done", "/batch:drop": "Nothing was done"} {
			b.wantGone(b.submit(path, "job", "ANOTHER1"), "/batch")
			b.shows("/batch", want)
		}
		b.wantGone(b.submit("/batch:run", "job", b.jobID()), "/batch")
		b.shows("/batch", "Nothing was done", "running")
		time.Sleep(2 * time.Minute)
		b.shows("/batch", "done 5,000 / 5,000", "Generated 5,000")
		if w.weChat.calls() != 5000 {
			t.Errorf("%d calls", w.weChat.calls())
		}
	})
}

func TestABatchIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newSlowWorld(t, 5000)
		time.Sleep(3 * time.Second)
		b.wantGone(b.submit("/batch:drop", "job", b.jobID()), "/batch")
		b.shows("/batch", "cancelled")
		out := b.do("GET", "/batch/results.csv", "", "")
		rows, err := csv.NewReader(strings.NewReader(out.text())).ReadAll()
		if err != nil || len(rows) < 100 || len(rows) > 4000 {
			t.Errorf("%v %d rows", err, len(rows))
		}
		for i, row := range rows[1:] {
			if row[1] != "id="+strconv.Itoa(i) || !strings.HasPrefix(row[2], "https://wxaurl.cn/") {
				t.Fatalf("row %d is %q", i, row)
			}
		}
		notes := w.batchNotes()
		if want := fmt.Sprintf("ended: %d rows, 0 hits, %d generated, 0 stale, 0 failed; not to its end", len(rows)-1, len(rows)-1); len(notes) != 2 ||
			!strings.HasSuffix(notes[1], want) {
			t.Errorf("%q, want %s", notes, want)
		}
	})
}

// TestABatchOutlivesItsPage closes the tab while the form is being answered.
func TestABatchOutlivesItsPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOfSlowCalls(t)
		b := w.loggedIn()
		b.load("in.csv", rowsOf(1000))
		ctx, hangUp := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", b.host+"/batch:run", strings.NewReader("job="+b.jobID()))
		r.RemoteAddr = b.remote
		r.Header.Set("Content-Type", formType)
		r.AddCookie(b.cookie)
		time.AfterFunc(10*time.Millisecond, hangUp)
		w.admin.ServeHTTP(httptest.NewRecorder(), r)
		time.Sleep(time.Minute)
		b.shows("/batch", "done 1,000 / 1,000")
	})
}

func TestAStopEndsABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newSlowWorld(t, 5000)
		time.Sleep(3 * time.Second)
		began := time.Now()
		if err := w.config.BatchDesk.Stop(t.Context()); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		b.shows("/batch", "No file is loaded.")
		if out := b.load("in.csv", "path\np\n"); out.Code != 503 {
			t.Errorf("%d", out.Code)
		}
		if notes := w.batchNotes(); len(notes) != 2 || !strings.HasSuffix(notes[1], "not to its end") {
			t.Errorf("%q", notes)
		}
	})
}

func TestAStopDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newSlowWorld(t, 5000)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.config.BatchDesk.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestAFileIsForgottenAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		b := w.loggedIn()
		b.load("in.csv", "path,app\np,"+appA+"\n")
		time.Sleep(23 * time.Hour)
		b = w.loggedIn()
		b.submit("/batch:run", "job", b.jobID())
		time.Sleep(23 * time.Hour)
		b = w.loggedIn()
		b.shows("/batch", "done 1 / 1")
		time.Sleep(2 * time.Hour)
		b = w.loggedIn()
		b.shows("/batch", "No file is loaded.")
		b.load("in.csv", "path\np\n")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		w.loggedIn().shows("/batch", "No file is loaded.")
	})
}

// TestFilesHaveNoName looks for what a crash would leave behind.
func TestFilesHaveNoName(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	w.config.BatchDesk = handlers.NewBatchDesk(folder)
	w.listen()
	b := w.loggedIn()
	b.load("in.csv", "path,app\np,"+appA+"\n")
	b.submit("/batch:run", "job", b.jobID())
	b.shows("/batch", "done 1 / 1")
	if names, err := os.ReadDir(folder); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
	if err := w.config.BatchDesk.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	w.config.BatchDesk = handlers.NewBatchDesk(folder + "/none")
	w.listen()
	if out := w.loggedIn().load("in.csv", "path\np\n"); out.Code != 503 {
		t.Errorf("a folder that is not there: %d", out.Code)
	}
}

// panicking is a store that has a defect.
type panicking struct {
	broker.Store

	on bool
}

func (p *panicking) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	if p.on {
		panic("oh dear, <secret>")
	}
	return p.Store.Link(ctx, key)
}

func TestADefectEndsABatchAlone(t *testing.T) {
	store := &panicking{Store: cache.NewMemory()}
	w := newWorldWith(t, store, broker.App{ID: appA})
	b := w.loggedIn()
	b.load("in.csv", rowsOf(3))
	store.on = true
	b.wantGone(b.submit("/batch:run", "job", b.jobID()), "/batch")
	page := plain(b.do("GET", "/batch", "", ""))
	if !strings.Contains(page, "stopped") || strings.Contains(page, "oh dear") || !strings.Contains(w.log.String(), "a batch of the admin page met a defect") {
		t.Error(page)
	}
	b.wantGone(b.load("in.csv", rowsOf(3)), "/batch")
	b.shows("/batch", "stopped")
	store.on = false
	b.wantGone(b.load("in.csv", rowsOf(3)), "/batch")
	b.shows("/batch", "checked")
}

func TestAKeyThatIsRevokedEndsItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOfSlowCalls(t)
		var made struct {
			Key string `json:"key"`
		}
		out := w.send(w.admin, "admin", "POST", "/api/v1/clients", `{"name":"temp","role":"admin"}`, []string{as(adminKey)})
		if err := json.Unmarshal(out.Body.Bytes(), &made); err != nil || made.Key == "" {
			t.Fatal(out.text())
		}
		b := w.browser()
		b.login(made.Key)
		b.load("in.csv", rowsOf(5000))
		b.submit("/batch:run", "job", b.jobID())
		time.Sleep(2 * time.Second)
		if out := w.administer("DELETE", "/api/v1/clients/temp"); out.Code != http.StatusNoContent {
			t.Fatal(out.text())
		}
		time.Sleep(time.Minute)
		w.loggedIn().shows("/batch", "temp stopped", "Download the results")
		if calls := w.weChat.calls(); calls > 2500 {
			t.Errorf("%d calls", calls)
		}
	})
}

func TestWhatABatchWouldExceed(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, DailyQuota: 10, BatchReserve: .4})
	b := w.loggedIn()
	b.load("in.csv", rowsOf(8))
	b.shows("/batch", appA+" 8 10 4 not enough", "Load the same file again on the next day")
	b.submit("/batch:run", "job", b.jobID())
	b.shows("/batch", "done 8 / 8", "Generated 6", "Failed 2")
}

// FuzzSheet reads files of batches: what is read is JSON, in ascending lines.
func FuzzSheet(f *testing.F) {
	for _, text := range []string{
		"path\np\n", "\xEF\xBB\xBFpath,x\r\n\"a\nb\",\"\"\"\"\r\n\n,\n", "path,splice,extra\np,TRUE,{\"a\":1}\n", "path\n\"", "", "\xFF\xFE", "path\n\xFF\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, requests, _ := handlers.ReadSheet(strings.NewReader(text))
		for i, request := range requests {
			var object map[string]any
			if err := json.Unmarshal([]byte(request), &object); err != nil {
				t.Errorf("%q: %v", request, err)
			}
			if i > 0 && lines[i] <= lines[i-1] {
				t.Errorf("line %d comes after %d", lines[i], lines[i-1])
			}
		}
	})
}
