package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"linkbroker/broker"
)

const cloudURLLink = "/openapi/urllink.generate?access_token=" + shopKey

func TestCloudCallsShareTheLinksOfTheFacade(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", facade, `{"path":"p","query":"a=1","env_version":"trial","expire_type":1,"expire_interval":7,"cloud_base":{"env":"e","resource_appid":"r"}}`)
	for _, body := range []string{
		`{"path":"p","query":"a=1","envVersion":"trial","expireType":1,"expireInterval":7,"cloudBase":{"env":"e","resourceAppid":"r"}}`,
		`{"path":"p","query":"a=1","env_version":"trial","expireType":1,"expire_interval":"7","cloud_base":{"env":"e","resource_appid":"r"},"isExpire":true}`,
	} {
		want := `{"errCode":0,"errMsg":"openapi.urllink.generate:ok","errcode":0,"errmsg":"ok","urlLink":"https://wxaurl.cn/t1","url_link":"https://wxaurl.cn/t1"}` + "\n"
		if out := w.ask("POST", cloudURLLink, body); out.text() != want {
			t.Errorf("%s got %s", body, out.text())
		}
	}
	for address, test := range map[string][2]string{
		"/openapi/urlscheme.generate": {`{"jumpWxa":{"path":"p","envVersion":"trial","newer":1}}`, `"openlink":"weixin://dl/business/?t=t`},
		"/openapi/shortlink.generate": {`{"pageUrl":"p?a=1","pageTitle":"t","isPermanent":true}`, `"link":"#小程序://x/t`},
		"/openapi/urllink.query":      {`{"urlLink":"https://wxaurl.cn/t1"}`, `"urlLinkInfo":{"appid":"` + appA + `","cloudBase":{"env":"e","path":"/","resourceAppid":"r"},"createTime":1772337600,"envVersion":"trial"`},
		"/openapi/urlscheme.query":    {`{"queryType":1}`, `"quotaInfo":{"remainVisitQuota":5999999}`},
	} {
		if out := w.ask("POST", address, test[0], as(shopKey)); !strings.Contains(out.text(), test[1]) || !strings.HasPrefix(out.text(), `{"errCode":0,"errMsg":"openapi.`) {
			t.Errorf("%s got %s", address, out.text())
		}
	}
	for _, target := range w.weChat.targets {
		if target.Kind == broker.Scheme && (target.Env != broker.Trial || string(target.Extra) != `{"jump_wxa":{"newer":1}}`) {
			t.Errorf("WeChat was asked for %+v", target)
		}
	}
}

func TestCloudCallsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		address, body string
		errcode       int
	}{
		"a query in the path":          {cloudURLLink, `{"path":"p?a"}`, 40165},
		"nothing":                      {cloudURLLink, ``, 44002},
		"a list":                       {cloudURLLink, `[]`, 47001},
		"a field under both names":     {cloudURLLink, `{"envVersion":"release","env_version":"release"}`, 47001},
		"the same in an object":        {cloudURLLink, `{"cloudBase":{"env":"e","resourceAppid":"a","resource_appid":"a"}}`, 47001},
		"a name twice":                 {cloudURLLink, `{"path":"p","path":"p"}`, 47001},
		"a name twice in an object":    {cloudURLLink, `{"path":"p","cloudBase":{"env":"a","env":"a"}}`, 47001},
		"invalid UTF-8":                {cloudURLLink, "{\"path\":\"\xff\"}", 47001},
		"nobody":                       {"/openapi/urllink.generate", `{"path":"p"}`, 41001},
		"a call that there is not":     {"/openapi/wxacode.get?access_token=" + shopKey, `{}`, 40066},
		"a call below one that exists": {"/openapi/urllink.generate/x", `{}`, 40066},
	} {
		t.Run(name, func(t *testing.T) {
			out := w.ask("POST", test.address, test.body)
			wantErrCode(t, out, test.errcode)
			if want := fmt.Sprintf(`{"errCode":%d,"errMsg":"openapi.`, test.errcode); !strings.HasPrefix(out.text(), want) || !strings.Contains(out.text(), ":fail ") {
				t.Errorf("got %s", out.text())
			}
		})
	}
	wantErrCode(t, w.ask("GET", "/openapi/urllink.generate", ""), 43002)
	if out := w.ask("GET", "/openapi.yaml", ""); out.Code != 200 || strings.Contains(out.text(), "errCode\":") {
		t.Error("the description of the interface is taken for a cloud call")
	}
}

// TestTheSnippetForCloudFunctionsRuns runs what docs/cloud-functions.md tells to paste, in Node, against a real socket.
func TestTheSnippetForCloudFunctionsRuns(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT TESTED: there is no node to run the snippet of docs/cloud-functions.md with")
	}
	doc, err := os.ReadFile(filepath.Join("..", "docs", "cloud-functions.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```js\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of JavaScript", len(blocks))
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"broker.js": string(blocks[0][1]),
		"index.js":  string(blocks[1][1]),
		"test.js": `
const { openapi } = require('./broker.js')
require('./index.js').main({ id: 7 }).then(async (urlLink) => {
  const again = await openapi.urllink.generate({ path: 'pages/item', query: 'id=7' })
  const info = await openapi.urllink.query({ urlLink })
  const scheme = await openapi.urlscheme.generate({ jumpWxa: { path: 'p' } })
  const error = await openapi.shortlink.generate({}).catch((error) => error)
  console.log(JSON.stringify([urlLink === again.urlLink, info.urlLinkInfo.path, scheme.openlink, error.errCode, error.message]))
})`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	server := httptest.NewServer(w.public)
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), node, "test.js")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LINKBROKER="+server.URL+"/k/"+shopKey)
	out, err := cmd.CombinedOutput()
	want := `[true,"pages/item","weixin://dl/business/?t=t2",40066,"openapi.shortlink.generate:fail kind short_link needs a page"]` + "\n"
	if err != nil || string(out) != want {
		t.Errorf("got  %s%v\nwant %s", out, err, want)
	}
	if lines := strings.Count(string(blocks[0][1]), "\n"); lines > 12 {
		t.Errorf("the snippet has grown to %d lines", lines)
	}
	if w.weChat.calls() != 2 || w.weChat.questions() != 0 {
		t.Errorf("%d links were generated, %d questions asked", w.weChat.calls(), w.weChat.questions())
	}
}

// FuzzKinds sends anything to every call of the facade, and the same as a cloud call: HTTP 200, an errcode that is never
// our fault, and the same again for the same body.
func FuzzKinds(f *testing.F) {
	for _, body := range []string{
		`{"jump_wxa":{"path":"p","x":1},"expire_type":1,"expire_interval":7}`, `{"jumpWxa":[],"expireTime":"1e18"}`, `{"page_url":"p?a=1","page_title":"茶","is_permanent":1}`,
		`{"pageUrl":"p","isPermanent":null,"x":{"y":[]}}`, `{"url_link":"https://wxaurl.cn/x?cq=%zz"}`, `{"scheme":"weixin://dl/business/?t=1&cq=a","query_type":0}`,
		`{"urlLink":"x","queryType":1.0}`, `{"jump_wxa":{"jump_wxa":{"jump_wxa":1}}}`, ``, `{}`, `{"cloudBase":{"env":"e","resourceAppid":null}}`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	addresses := []string{
		"/wxa/generatescheme", "/wxa/genwxashortlink", "/wxa/query_urllink", "/wxa/queryscheme",
		"/openapi/urllink.generate", "/openapi/urlscheme.generate", "/openapi/shortlink.generate", "/openapi/urllink.query",
	}
	w := newFastWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t = t
		for _, address := range addresses {
			ask := func() reply { return w.ask("POST", address, string(body), as(shopKey)) }
			first, again := ask(), ask()
			var told struct {
				ErrCode *int `json:"errcode"`
			}
			if err := json.Unmarshal(first.Body.Bytes(), &told); err != nil || told.ErrCode == nil || first.Code != 200 {
				t.Fatalf("%s: %d %s", address, first.Code, first.text())
			}
			if *told.ErrCode == -1 {
				t.Fatalf("%s: our fault: %s\n%s", address, first.text(), w.log)
			}
			if first.text() != again.text() {
				t.Fatalf("%s: %s, and then %s", address, first.text(), again.text())
			}
		}
	})
}
