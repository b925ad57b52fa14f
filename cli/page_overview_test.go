package cli_test

import (
	"testing"
)

// testOverviewLives has somebody watch the overview while another asks twice for one link.
func testOverviewLives(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	x.logIn(s.key)
	x.sees("Nothing has been asked yet.")
	x.sees("curl -s " + s.public + "/api/v1/links")
	eval[string](x, `window.untouched = "no reload"`)

	x.paste(s, "miss")
	x.sees("1 request")
	x.until("it shows no hits", `document.querySelector(".number .value").innerText.startsWith("0")`)
	x.paste(s, "hit")
	x.sees("2 requests")
	x.until("it shows a ratio of one half", `document.querySelector(".number .value").innerText.startsWith("50")`)
	x.click("#run-census")
	x.sees("Census is done.")
	x.sees("pages/item")
	x.until("it counts the link", `document.querySelector("#life-title").parentElement.innerText.includes("1 link")`)
}

// paste asks for a link, while the page that is looked at is not loaded anew.
func (x *tab) paste(s *sandboxed, outcome string) {
	x.t.Helper()
	if got := s.paste(x.t, s.curl); got.Outcome != outcome {
		x.t.Fatalf("the answer is %+v, want a %s", got, outcome)
	}
	if eval[string](x, `window.untouched`) != "no reload" {
		x.t.Fatal("the page was loaded anew")
	}
}
