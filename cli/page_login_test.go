package cli_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
)

func testLogin(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	x.expect("status of 401")

	x.visit("/?from=bookmark")
	x.isAt("/login")
	x.write("input[name=key]", "wrong-"+s.key)
	x.press("Log in")
	x.sees("this is no administrator")
	if strings.Contains(x.text(), s.key) {
		t.Error("the page shows the key")
	}
	x.write("input[name=key]", s.key)
	x.press("Log in")
	x.isAt("/")
	x.sees("sandbox")

	for _, cookie := range command(x, network.GetCookies, network.GetCookiesParams{}).Cookies {
		if !cookie.HTTPOnly || cookie.SameSite != network.CookieSameSiteStrict || strings.Contains(cookie.Value, s.key) {
			t.Errorf("the session is kept in %+v", cookie)
		}
	}
	if got := eval[string](x, "document.cookie"); got != "" {
		t.Errorf("scripts see the cookie %q", got)
	}
	session := command(x, network.GetCookies, network.GetCookiesParams{}).Cookies[0]
	cookie := "Cookie: " + session.Name + "=" + session.Value
	if got := call(t, http.MethodGet, s.admin+"/api/v1/links", "", cookie); got.status != http.StatusOK {
		t.Errorf("with the session the API answers %d", got.status)
	}

	x.press("Log out")
	x.isAt("/login")
	for _, page := range []string{"/", "/links", "/aliases", "/batch", "/tester", "/clients", "/audit", "/settings", "/charts/requests.svg"} {
		x.visit(page)
		x.until(page+" leads to the login", `location.pathname === "/login"`)
	}
	if got := call(t, http.MethodGet, s.admin+"/api/v1/links", "", cookie); got.status != http.StatusUnauthorized {
		t.Errorf("with a session that was ended the API answers %d", got.status)
	}
}

// testWithoutScript has a browser that runs no script.
func testWithoutScript(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	s.paste(t, s.curl)
	x := b.open(t, s.admin)
	command(x, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	x.logIn(s.key)
	x.click("#run-census")
	x.sees("Census is done.")
	x.press("Links")
	x.write("input[name=q]", "pages/item")
	x.press("Search")
	x.has(1, "tbody tr")
	x.click("tbody a.path")
	x.until("the link is shown", `document.querySelector("#url")`)
	x.press("Pin")
	x.until("it is pinned", `document.querySelector(".head .pill.info")`)
	x.press("Delete") // without a question
	x.until("the list is shown", `location.pathname === "/links" && document.querySelector(".flash.good")`)
	x.press("中文")
	x.isIn("zh", "链接")
}
