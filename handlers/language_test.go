package handlers_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/handlers"
)

func TestTheLanguageIsTheOneThatIsAskedForMost(t *testing.T) {
	for header, want := range map[string]broker.Language{
		"": broker.English, "en": broker.English, "zh": broker.Chinese, "zh-CN,zh;q=0.9,en;q=0.8": broker.Chinese,
		"en-US,en;q=0.9,zh-CN;q=0.8": broker.English, "de-DE,zh;q=0.1": broker.Chinese, "fr": broker.English,
		"zh-TW": broker.Chinese, "zh-Hant-HK": broker.Chinese, "*": broker.English, "zh;q=0,en": broker.English,
		"\x00zh": broker.English, strings.Repeat("zh-", 100_000): broker.English,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Accept-Language", header)
		if got := handlers.LanguageOf(r); got != want {
			t.Errorf("%.40q gives %s, want %s", header, got, want)
		}
	}
}
