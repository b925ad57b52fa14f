package handlers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
)

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkHit measures a hit through the whole handler: route, key, decoding, lookup, answer, figures. The store is
// the one in memory without the layer in front of it, which decodes a record for each hit.
func BenchmarkHit(b *testing.B) {
	for name, test := range map[string]struct{ method, address, body string }{
		"facade":        {"POST", "/wxa/generate_urllink?access_token=" + shopKey, `{"path":"pages/index/index","query":"a=1&b=2"}`},
		"facade-fields": {"POST", "/wxa/generate_urllink?access_token=" + shopKey, `{"path":"pages/index/index","query":"a=1&b=2","is_expire":false,"expire_type":0,"expire_time":0,"expire_interval":0}`},
		"facade-prefix": {"POST", "/k/" + shopKey + "/wxa/generate_urllink", `{"path":"pages/index/index","query":"a=1&b=2"}`},
		"native":        {"POST", "/api/v1/links?access_token=" + shopKey, `{"path":"pages/index/index","query":"a=1&b=2"}`},
		"native-get":    {"GET", "/api/v1/link?path=pages/index/index&query=a%3D1%26b%3D2&access_token=" + shopKey, ""},
		"page":          {"GET", "/api/v1/link?path=p&query=id%3D7&key=" + pageKey, ""},
		"nothing":       {"GET", "/healthz", ""},
	} {
		b.Run(name, func(b *testing.B) {
			w := newFastWorld(b)
			if out := w.ask(test.method, test.address, test.body); out.Code != http.StatusOK {
				b.Fatal(out.text())
			}
			address, err := url.Parse(test.address)
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequestWithContext(b.Context(), test.method, test.address, nil)
			body := strings.NewReader(test.body)
			r.Body, r.ContentLength = io.NopCloser(body), int64(len(test.body))
			out := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(test.body)
				*r.URL = *address
				clear(out.header)
				w.public.ServeHTTP(out, r)
			}
		})
	}
}

// BenchmarkRead reads what a body asks for: as it is remembered, as most write it, and strictly.
func BenchmarkRead(b *testing.B) {
	body := []byte(`{"path":"pages/product/detail","query":"id=7&src=sms"}`)
	for name, read := range handlers.StepsOfReading(body) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !read() {
					b.Fatal("it is not read")
				}
			}
		})
	}
}

// BenchmarkAnswer writes the body of an answer and the headers that say where it comes from.
func BenchmarkAnswer(b *testing.B) {
	now := time.Now()
	answer := broker.Answer{At: now, Outcome: broker.Hit, Stored: true, Link: broker.Link{
		Target: broker.Target{App: appA, Kind: broker.URLLink}, URL: "https://wxaurl.cn/AbCdEfGhIjK", GeneratedAt: now, ExpiresAt: now.Add(time.Hour),
	}}
	header, space := http.Header{}, make([]byte, 0, 512)
	b.Run("body", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			handlers.AppendAnswer(space, answer)
		}
	})
	b.Run("headers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(header)
			handlers.WriteCacheFacts(header, &answer)
		}
	})
}
