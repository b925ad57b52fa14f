package cli_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// testAliases makes an alias, prints its code, and goes where that leads.
func testAliases(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	x.logIn(s.key)
	x.press("Aliases")
	x.sees("There are no aliases yet.")
	x.press("New alias")
	x.isAt("/aliases/new")

	x.write("input[name=slug]", "Spring-Sale")
	x.write("input[name=path]", "pages/sale?from=poster")
	x.until("a ? in the path is found while it is typed", `document.querySelector("#lint .pill.bad") && document.querySelector("#lint").innerText.includes("?")`)
	x.write("input[name=path]", "pages/sale")
	x.write("textarea[name=query]", "from="+strings.Repeat("p", 252))
	x.click("input[name=splice]")
	x.sees("257 of 256 characters")
	x.write("textarea[name=query]", "from=poster")
	x.sees("11 of 256 characters")
	x.until("nothing is wrong with it", `!document.querySelector("#lint .pill.bad")`)
	x.write("input[name=title]", "Posters")
	x.press("Create")
	x.isAt("/aliases/spring-sale")

	address := readCode(t, x.download("PNG file"))
	if want := s.public + "/l/spring-sale"; address != want {
		t.Fatalf("the code leads to %s, want %s", address, want)
	}
	link := follow(t, address)
	if !strings.HasPrefix(link, "https://wxaurl.cn/") || !strings.HasSuffix(link, "cq=from%3Dposter") {
		t.Fatalf("the alias leads to %s", link)
	}
	base, _, _ := strings.Cut(link, "?")
	if got := call(t, http.MethodGet, s.public+"/api/v1/inspect?url="+base, "", bearer(s.key)); got.status != http.StatusOK || !strings.Contains(got.body, `"pages/sale"`) {
		t.Errorf("that link is %d %s", got.status, got.body)
	}

	x.press("Disable")
	x.press("Go ahead")
	x.until("it is disabled", `document.querySelector(".flash") && document.querySelector(".head").innerText.includes("disabled")`)
	if got := call(t, http.MethodGet, address, ""); got.status != http.StatusNotFound {
		t.Errorf("disabled it answers %d", got.status)
	}
	x.press("Enable")
	x.until("it is open", `document.querySelector(".flash") && document.querySelector(".head").innerText.includes("open")`)
	x.write("input[name=path]", "pages/winter")
	x.press("Save")
	x.sees("Saved.")
	if other := follow(t, address); other == link || !strings.HasPrefix(other, "https://wxaurl.cn/") {
		t.Errorf("changed it leads to %s", other)
	}
	x.press("Delete")
	x.press("Go ahead")
	x.until("the list is shown", `location.pathname === "/aliases" && document.querySelector(".flash.good")`)
	x.sees("There are no aliases yet.")
}

// follow says where an address leads.
func follow(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req) // which follows nothing
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Fatalf("%s answers %d", address, resp.StatusCode)
	}
	return resp.Header.Get("Location")
}

// readCode reads the QR code in a PNG.
func readCode(t *testing.T, data []byte) string {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		t.Fatal(err)
	}
	return result.GetText()
}

// download clicks a link and gives the file that it brings.
func (x *tab) download(name string) (data []byte) {
	x.t.Helper()
	dir := x.t.TempDir()
	if _, err := chromedp.CallBrowser(x.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, BrowserContextID: chromedp.FromContext(x.ctx).BrowserContextID,
	}); err != nil {
		x.t.Fatal(err)
	}
	x.press(name)
	eventually(x.t, fmt.Sprintf("%s is downloaded", name), func() bool {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 || strings.HasSuffix(files[0].Name(), ".crdownload") || strings.HasPrefix(files[0].Name(), ".") {
			return false
		}
		data, err = os.ReadFile(filepath.Join(dir, files[0].Name()))
		return err == nil
	})
	return data
}
