package handlers_test

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// readCode reads the code in a picture with ZXing's reader. It is told that there is nothing but a code: to find one in
// a photograph is another art, and this port of it misses some six in a thousand, also of those it draws itself.
func readCode(t *testing.T, picture image.Image) string {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	alone := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, alone)
	if err != nil {
		t.Fatal(err)
	}
	return result.GetText()
}

func readPNG(t *testing.T, out reply) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(out.Body.Bytes()))
	if err != nil || out.Code != 200 || out.Header().Get("Content-Type") != "image/png" {
		t.Fatalf("%d %.300s: %v", out.Code, out.text(), err)
	}
	return picture
}

var pathStep = regexp.MustCompile(`([MhvHz])(-?\d+)?(?: (-?\d+))?`)

// readSVG paints an SVG with so many pixels a unit. It knows the steps of a path that draw rectangles: each path is
// filled where its pen went.
func readSVG(t *testing.T, out reply, scale int) image.Image {
	t.Helper()
	var svg struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
		Width   string   `xml:"width,attr"`
		Height  string   `xml:"height,attr"`
		Paths   []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(out.Body.Bytes(), &svg); err != nil || out.Code != 200 || out.Header().Get("Content-Type") != "image/svg+xml; charset=utf-8" {
		t.Fatalf("%d %.300s: %v", out.Code, out.text(), err)
	}
	var side int
	if _, err := fmt.Sscanf(svg.ViewBox, "0 0 %d", &side); err != nil || svg.ViewBox != fmt.Sprintf("0 0 %d %d", side, side) || svg.Width != svg.Height {
		t.Fatalf("a view of %q, %s by %s", svg.ViewBox, svg.Width, svg.Height)
	}
	picture := image.NewGray(image.Rect(0, 0, side*scale, side*scale))
	for _, path := range svg.Paths {
		if rest := pathStep.ReplaceAllString(path.D, ""); rest != "" {
			t.Fatalf("unknown steps %q", rest)
		}
		ground := map[string]color.Gray{"#fff": {Y: 255}, "#000": {Y: 0}}[path.Fill]
		var pen, first image.Point
		var box image.Rectangle
		for _, step := range pathStep.FindAllStringSubmatch(path.D, -1) {
			a, _ := strconv.Atoi(step[2])
			b, _ := strconv.Atoi(step[3])
			switch step[1] {
			case "M":
				pen, first = image.Pt(a, b), image.Pt(a, b)
				box = image.Rectangle{pen, pen}
			case "h":
				pen.X += a
			case "v":
				pen.Y += a
			case "H":
				pen.X = a
			case "z":
				pen = first
				for y := box.Min.Y * scale; y < box.Max.Y*scale; y++ {
					for x := box.Min.X * scale; x < box.Max.X*scale; x++ {
						picture.SetGray(x, y, ground)
					}
				}
			}
			box.Min.X, box.Max.X = min(box.Min.X, pen.X), max(box.Max.X, pen.X)
			box.Min.Y, box.Max.Y = min(box.Min.Y, pen.Y), max(box.Max.Y, pen.Y)
		}
	}
	return picture
}

// TestCodesAreReadByAnotherLibrary draws the codes of CODES random slugs in random styles.
func TestCodesAreReadByAnotherLibrary(t *testing.T) {
	codes, err := strconv.Atoi(cmp.Or(os.Getenv("CODES"), "100"))
	if err != nil {
		t.Fatal(err)
	}
	w := newFastWorld(t)
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	random := rand.New(rand.NewPCG(20260301, 7))
	for i := range codes {
		slug := make([]byte, 2+random.IntN(62))
		for i := range slug {
			slug[i] = alphabet[random.IntN(len(alphabet))]
		}
		slug[0] = alphabet[random.IntN(36)]
		w.put(string(slug), `{"app":"`+appA+`","path":"p"}`)
		style := fmt.Sprintf("?size=%d&margin=%d&level=%c", 180+random.IntN(150), 4+random.IntN(4), "LMQH"[random.IntN(4)])
		want := "https://go.example.com/l/" + string(slug)
		if i%10 == 0 {
			cq := "cq=" + url.QueryEscape("a=%20+&b="+strings.Repeat("x", random.IntN(60)))
			style, want = style+"&"+cq, want+"?"+cq
		}
		address := "/l/" + string(slug)
		if got := readCode(t, readPNG(t, w.ask("GET", address+"/qr.png"+style, ""))); got != want {
			t.Fatalf("the PNG of %s%s says %q", slug, style, got)
		}
		if got := readCode(t, readSVG(t, w.ask("GET", address+"/qr.svg"+style, ""), 4)); got != want {
			t.Fatalf("the SVG of %s%s says %q", slug, style, got)
		}
	}
}

func TestACodeIsDrawnAsAsked(t *testing.T) {
	w := newVisitedWorld(t)
	for query, want := range map[string]struct{ size, scale, dark int }{ // of 29 modules, or 25: the first dark pixel lies at
		"":                           {512, 13, 67}, // (512 - 29·13) / 2
		"?size=64":                   {64, 1, 17},
		"?size=2048&margin=0":        {2048, 70, 9},
		"?size=333&margin=16":        {333, 5, 94},
		"?size=100&margin=4&level=L": {100, 3, 12},
	} {
		picture := readPNG(t, w.ask("GET", "/l/sale/qr.png"+query, ""))
		dark := 0
		for ; dark < want.size && !isBlack(picture.At(dark, dark)); dark++ {
		}
		scale := 0
		for ; isBlack(picture.At(dark+scale, dark)); scale++ {
		}
		if picture.Bounds() != image.Rect(0, 0, want.size, want.size) || dark != want.dark || scale != 7*want.scale {
			t.Errorf("%s: %v, dark from %d on, the corner %d wide", query, picture.Bounds(), dark, scale)
		}
		svg := w.ask("GET", "/l/sale/qr.svg"+query, "").text()
		if !strings.Contains(svg, fmt.Sprintf(`width="%d" height="%d" shape-rendering="crispEdges"`, want.size, want.size)) {
			t.Errorf("%s: %.200s", query, svg)
		}
	}
}

func isBlack(c color.Color) bool {
	r, g, b, _ := c.RGBA()
	return r+g+b == 0
}

func TestCodesThatAreRefused(t *testing.T) {
	w := newVisitedWorld(t)
	for query, want := range map[string]string{
		"size=63": "malformed", "size=2049": "malformed", "size=big": "malformed", "size=": "malformed", "margin=-1": "malformed", "margin=17": "malformed",
		"level=X": "malformed", "level=m": "malformed", "format=png": "malformed", "size=64&size=65": "malformed", "cq=%zz": "malformed", "cq=a&cq=b": "malformed",
		"cq=%E9%A1%B5": "invalid_query", "cq=" + strings.Repeat("a", 257): "invalid_argument", "cq=" + strings.Repeat("a", 2000): "invalid_query",
		"size=64&level=H&cq=" + strings.Repeat("a", 256): "invalid_argument",
	} {
		out := w.ask("GET", "/l/sale/qr.png?"+query, "")
		wantCode(t, out, want)
		if strings.HasPrefix(want, "invalid") && out.Code != 422 {
			t.Errorf("%.50s: %d", query, out.Code)
		}
		if cc := out.Header().Get("Cache-Control"); cc != "no-store" {
			t.Errorf("%.50s may be kept: %s", query, cc)
		}
	}
	out := w.ask("GET", "/l/queried/qr.svg?cq=a", "")
	wantCode(t, out, "invalid_argument")
	if !strings.Contains(out.text(), "query of its own") {
		t.Error(out.text())
	}
	if w.weChat.calls() != 0 {
		t.Error("a code has a link generated")
	}
}

func TestACodeNeedsThePublicAddress(t *testing.T) {
	w := newVisitedWorld(t)
	w.config.PublicURL = ""
	w.listen()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/l/sale/qr.svg", nil)
	r.Host = "evil.com"
	out := reply{w.serve(w.public, r, "X-Forwarded-Host: evil.com")}
	wantCode(t, out, "conflict")
	if out.Code != 409 || !strings.Contains(out.text(), "public_url") || strings.Contains(out.text(), "evil") {
		t.Errorf("%d %s", out.Code, out.text())
	}
}

func TestACodeCanBeKept(t *testing.T) {
	w := newVisitedWorld(t)
	for _, format := range []string{"svg", "png"} {
		out := w.ask("GET", "/l/sale/qr."+format, "")
		etag := out.Header().Get("ETag")
		if out.Header().Get("Cache-Control") != "public, max-age=3600" || etag == "" {
			t.Errorf("%s: %v", format, out.Header())
		}
		again := w.ask("GET", "/l/sale/qr."+format, "", "If-None-Match: "+etag)
		if again.Code != 304 || again.text() != "" || again.Header().Get("ETag") != etag || again.Header().Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%s again: %d %v", format, again.Code, again.Header())
		}
		if other := w.ask("GET", "/l/sale/qr."+format+"?level=H", "", "If-None-Match: "+etag); other.Code != 200 {
			t.Errorf("%s of another style: %d", format, other.Code)
		}
	}
}

func TestCodesHaveTheRateOfTheirAddress(t *testing.T) {
	w := newVisitedWorld(t)
	w.config.Limits = fixed(handlers.Limits{AddressRequestsPerSecond: 2})
	w.listen()
	for i, want := range []int{200, 200, 429} {
		if out := w.from("192.0.2.1:1", "GET", "/l/sale/qr.svg", ""); out.Code != want {
			t.Errorf("code %d: %d", i, out.Code)
		}
	}
	if out := w.from("192.0.2.2:1", "GET", "/l/sale/qr.svg", ""); out.Code != 200 {
		t.Errorf("from elsewhere: %d", out.Code)
	}
	w.pass(time.Second) // in which two requests of another kind would come back
	if out := w.from("192.0.2.1:1", "GET", "/l/sale/qr.svg", ""); out.Code != 429 || out.Header().Get("Retry-After") != "4" {
		t.Errorf("a second later: %d %v", out.Code, out.Header())
	}
	w.pass(4 * time.Second)
	if out := w.from("192.0.2.1:1", "GET", "/l/sale/qr.svg", ""); out.Code != 200 {
		t.Errorf("five seconds later: %d", out.Code)
	}
	wantLocation(t, w.from("192.0.2.1:1", "GET", "/l/sale", ""), "https://wxaurl.cn/t1")
}

func TestAnAliasIsPrintedBeforeItOpens(t *testing.T) {
	w := newVisitedWorld(t)
	w.put("soon", `{"path":"p","starts_at":"2026-04-01T00:00:00Z"}`)
	wantCode(t, w.ask("GET", "/l/soon/qr.png", ""), "not_found")
	out := w.administer("GET", "/api/v1/aliases/SOON/qr.png")
	if got := readCode(t, readPNG(t, out)); got != "https://go.example.com/l/soon" || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%q, %v", got, out.Header())
	}
	if got := readCode(t, readSVG(t, w.administer("GET", "/api/v1/aliases/soon/qr.svg?cq=a%3D1"), 4)); got != "https://go.example.com/l/soon?cq=a%3D1" {
		t.Errorf("%q", got)
	}
	wantCode(t, w.administer("GET", "/api/v1/aliases/absent/qr.png"), "not_found")
}

func TestALinkHasACodeWhileItLives(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA})
	link := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey)))
	address := "/api/v1/links/" + link.Key
	if got := readCode(t, readPNG(t, w.administer("GET", address+"/qr.png"))); got != link.URL {
		t.Errorf("the PNG says %q", got)
	}
	if got := readCode(t, readSVG(t, w.administer("GET", address+"/qr.svg?margin=2"), 4)); got != link.URL {
		t.Errorf("the SVG says %q", got)
	}
	wantCode(t, w.administer("GET", address+"/qr.svg?cq=a"), "malformed")
	wantCode(t, w.administer("GET", "/api/v1/links/"+strings.Repeat("0", 32)+"/qr.svg"), "not_found")
	w.pass(30 * 24 * time.Hour)
	wantCode(t, w.administer("GET", address+"/qr.svg"), "conflict")
}
