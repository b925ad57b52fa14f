package cli_test

import (
	"net/http"
	"strings"
	"testing"

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
	session := eval[string](x, "document.cookie")
	if session != "" {
		t.Errorf("scripts see the cookie %q", session)
	}

	x.press("Log out")
	x.isAt("/login")
	x.visit("/")
	x.isAt("/login")
	if got := call(t, http.MethodGet, s.admin+"/api/v1/links", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without a session the API answers %d", got.status)
	}
}
