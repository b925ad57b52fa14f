package handlers_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// signed gives the address of a signed request, and changes it afterwards.
func (w *world) signed(signer, key, app, path, query string, until time.Time, change func(url.Values)) string {
	text := broker.SigningText(app, path, query, until.Unix())
	values := url.Values{
		"app": {app}, "path": {path}, "query": {query}, "signer": {signer}, "until": {strconv.FormatInt(until.Unix(), 10)},
		"signature": {broker.DigestKey(key).Sign(text)},
	}
	if change != nil {
		change(values)
	}
	return "/api/v1/link?" + values.Encode()
}

func set(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }

func TestSignedRequests(t *testing.T) {
	w := newWorld(t)
	until := w.clock().Add(5 * time.Minute)
	for name, test := range map[string]struct {
		address string
		code    string
	}{
		"a good one":                       {w.signed("shop", shopKey, appA, "p", "any=thing", until, nil), ""},
		"a slash in front is signed, too":  {w.signed("shop", shopKey, appA, "/p", "any=thing", until, nil), ""},
		"one that names no app":            {w.signed("shop", shopKey, "", "p", "a=1", until, func(v url.Values) { v.Del("app") }), ""},
		"one that says appid":              {w.signed("shop", shopKey, appA, "p", "a=1", until, func(v url.Values) { v.Set("appid", v.Get("app")); v.Del("app") }), ""},
		"another query":                    {w.signed("shop", shopKey, appA, "p", "a=1", until, set("query", "a=2")), "bad_credential"},
		"another path":                     {w.signed("shop", shopKey, appA, "p", "a=1", until, set("path", "q")), "bad_credential"},
		"a slash put in front":             {w.signed("shop", shopKey, appA, "p", "a=1", until, set("path", "/p")), "bad_credential"},
		"another app":                      {w.signed("generate", generateKey, appA, "p", "a=1", until, set("app", appB)), "bad_credential"},
		"no app any more":                  {w.signed("shop", shopKey, appA, "p", "a=1", until, func(v url.Values) { v.Del("app") }), "bad_credential"},
		"another end":                      {w.signed("shop", shopKey, appA, "p", "a=1", until, set("until", "1772337999")), "bad_credential"},
		"another signer":                   {w.signed("shop", shopKey, appA, "p", "a=1", until, set("signer", "generate")), "bad_credential"},
		"a signer who is nobody":           {w.signed("nobody", shopKey, appA, "p", "a=1", until, nil), "bad_credential"},
		"a wrong key":                      {w.signed("shop", wrongKey, appA, "p", "a=1", until, nil), "bad_credential"},
		"a publishable key, known to all":  {w.signed("page", pageKey, appA, "p", "a=1", until, nil), "bad_credential"},
		"a signer past its end":            {w.signed("expired", expiredKey, appA, "p", "a=1", until, nil), "bad_credential"},
		"one past its end":                 {w.signed("shop", shopKey, appA, "p", "a=1", w.clock(), nil), "bad_credential"},
		"one for too long":                 {w.signed("shop", shopKey, appA, "p", "a=1", w.clock().Add(25*time.Hour), nil), "bad_credential"},
		"an app that is not the signer's":  {w.signed("shop", shopKey, appB, "p", "a=1", until, nil), "forbidden"},
		"a field it does not cover":        {w.signed("shop", shopKey, appA, "p", "a=1", until, set("env_version", "trial")), "malformed"},
		"a scope, which it does not cover": {w.signed("shop", shopKey, appA, "p", "a=1", until, set("scope", "s")), "malformed"},
		"an until that is none":            {w.signed("shop", shopKey, appA, "p", "a=1", until, set("until", "soon")), "malformed"},
		"no until":                         {w.signed("shop", shopKey, appA, "p", "a=1", until, func(v url.Values) { v.Del("until") }), "malformed"},
		"a line feed that shifts lines":    {w.signed("shop", shopKey, appA, "p", "q\nr", until, func(v url.Values) { v.Set("path", "p\nq"); v.Set("query", "r") }), "malformed"},
		"a line feed at the end of a path": {w.signed("shop", shopKey, appA, "p", "\nr", until, func(v url.Values) { v.Set("path", "p\n"); v.Set("query", "r") }), "malformed"},
		"no signature":                     {w.signed("shop", shopKey, appA, "p", "a=1", until, func(v url.Values) { v.Del("signature") }), "unauthenticated"},
		"a query that WeChat refuses":      {w.signed("shop", shopKey, appA, "p", "a b", until, nil), "invalid_query"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, w.ask("GET", test.address, ""), test.code) })
	}
	t.Run("beside a key it is in the way", func(t *testing.T) {
		wantCode(t, w.ask("GET", w.signed("shop", shopKey, appA, "p", "a=1", until, nil), "", as(generateKey)), "malformed")
	})
	t.Run("nothing else can be signed", func(t *testing.T) {
		query := strings.TrimPrefix(w.signed("shop", shopKey, appA, "p", "a=1", until, nil), "/api/v1/link")
		wantCode(t, w.ask("POST", "/api/v1/links"+query, `{"path":"other"}`), "unauthenticated")
		wantErrCode(t, w.ask("POST", "/wxa/generate_urllink"+query, `{"path":"other"}`), 41001)
		wantCode(t, w.send(w.admin, "admin", "GET", "/api/v1/jobs"+query, "", nil), "unauthenticated")
	})
	t.Run("it opens no page that the signer may not ask for", func(t *testing.T) {
		grant := pageGrant()
		err := w.clients.Configure(t.Context(), []broker.Client{
			{Name: "shop", Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(shopKey)}}, Grant: grant},
		})
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.ask("GET", "/api/v1/link?path=p&query=any%3Dthing", "", as(shopKey)), "forbidden")
		wantCode(t, w.ask("GET", w.signed("shop", shopKey, appA, "p", "any=thing", until, nil), ""), "")
		wantCode(t, w.ask("GET", w.signed("shop", shopKey, appA, "q", "any=thing", until, nil), ""), "forbidden")
	})
}

// The example of docs/signing.md.
const (
	exampleKey   = "sk_EXAMPLEEXAMPLEEXAMPLEEXA"
	exampleUntil = 1772338200
)

// Example_sign signs a request as a client's server does.
func Example_sign() {
	text := broker.SigningText("wx0123456789abcdef", "pages/item", "id=7&from=mail", exampleUntil)
	fmt.Println(strings.ReplaceAll(text, "\n", "|"))
	fmt.Println(broker.DigestKey(exampleKey).Sign(text))
	// Output:
	// linkbroker signature 1|wx0123456789abcdef|pages/item|id=7&from=mail|1772338200
	// cd8d80cb49636942969689804a2bbf00a1e8072a45f53f81bab35b645c37f234
}

// snippet gives the first block of code of a language in docs/signing.md.
func snippet(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/signing.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
	if code == nil {
		t.Fatalf("docs/signing.md has no %s", language)
	}
	return string(code[1])
}

// TestTheDocumentedExamplesAreAnswered runs the snippets of docs/signing.md, and asks for what they print.
func TestTheDocumentedExamplesAreAnswered(t *testing.T) {
	for language, program := range map[string][]string{"js": {"node"}, "go": {"go", "run"}} {
		t.Run(language, func(t *testing.T) {
			if _, err := exec.LookPath(program[0]); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatalf("%s is not installed", program[0])
				}
				t.Skipf("%s is not installed", program[0])
			}
			file := t.TempDir() + "/sign." + language
			if err := os.WriteFile(file, []byte(snippet(t, language)), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program[0], append(program[1:], file)...)
			cmd.Env = append(os.Environ(), "LINKBROKER_KEY="+generateKey, "LINKBROKER_NOW=1772337900")
			printed, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, printed)
			}
			address, ok := strings.CutPrefix(strings.TrimSpace(string(printed)), "https://go.example.com")
			if !ok {
				t.Fatalf("it prints %s", printed)
			}
			w := newWorld(t)
			if got := answerOf(t, w.ask("GET", address, "")); got.Outcome != "miss" {
				t.Errorf("%s: %+v", address, got)
			}
			if target := w.weChat.targets[0]; target.Path != "pages/item" || target.Query != "from=mail&id=7&name=%E5%BC%A0" {
				t.Errorf("it asks for %+v", target)
			}
		})
	}
}
