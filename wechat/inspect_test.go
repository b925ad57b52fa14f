package wechat_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

func TestWeChatIsAskedAboutALink(t *testing.T) {
	for kind := range kindsOfWeChat {
		if !kind.Queryable() {
			continue
		}
		clock := newClock()
		_, url := serveSandbox(t, clock.Now)
		client := newClient(t, url, clock.Now, wechat.TokenStable)
		made, err := client.Generate(t.Context(), target(t, broker.Target{Kind: kind, Path: "pages/item", Expiry: broker.Expiry{Days: 7}}))
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Inspect(t.Context(), shop, kind, made.URL)
		if err != nil || !got.ExpiresAt.Equal(clock.Now().Add(7*24*time.Hour)) {
			t.Errorf("%s ends at %s, %v", kind, got.ExpiresAt, err)
		}
		if answer := string(got.Answer); !json.Valid(got.Answer) || !strings.Contains(answer, `"path":"pages/item"`) || !strings.Contains(answer, `"errcode":0`) {
			t.Errorf("the whole answer is %s", answer)
		}
		if _, err := client.Inspect(t.Context(), shop, kind, made.URL+"x"); fails(t, err).Code != broker.NotFound || fails(t, err).ErrCode != 85403 {
			t.Errorf("an unknown %s gives %v", kind, err)
		}
		if _, err := client.Inspect(t.Context(), "wxnone", kind, made.URL); !errors.Is(err, broker.UnknownApp) {
			t.Errorf("an unknown app gives %v", err)
		}
	}
}

func TestWhatAnswersNoQuestionIsNotAsked(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1", newClock().Now, wechat.TokenNone)
	if _, err := client.Inspect(t.Context(), shop, broker.ShortLink, "#小程序://x/x"); fails(t, err).Code != broker.Internal {
		t.Errorf("got %v", err)
	}
}

func TestOpenings(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	client := newClient(t, url, clock.Now, wechat.TokenStable)
	if left, err := client.Openings(t.Context(), shop); err != nil || left != 6_000_000 {
		t.Errorf("%d are left, %v", left, err)
	}
	w.Steal(shop, false)
	if _, err := client.Openings(t.Context(), shop); err != nil {
		t.Errorf("a stolen token reaches who asks about visits: %v", err)
	}
	if err := w.SetFault(sandbox.Fault{Name: "busy", Route: "/wxa/query_urllink"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Openings(t.Context(), shop); fails(t, err).Code != broker.Unavailable {
		t.Errorf("got %v", err)
	}
}

// FuzzInquiry answers questions with anything.
func FuzzInquiry(f *testing.F) {
	for _, answer := range []string{
		`{"errcode":0,"url_link_info":{"expire_time":1772424000},"quota_info":{"remain_visit_quota":5}}`, `{"url_link_info":{"expire_time":"0"}}`,
		`{"errcode":"85403"}`, `{"url_link_info":[]}`, `{"url_link_info":{"expire_time":{}}}`, `{"quota_info":{"remain_visit_quota":1e99}}`, `[]`, ``,
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := wechat.ParseInspected(answer)
		if err != nil {
			if _, own := errors.AsType[*broker.Error](err); !own {
				t.Fatalf("an error of another make: %v", err)
			}
		} else if !json.Valid(got.Answer) || got.ExpiresAt.Before(time.Time{}) {
			t.Fatalf("got %+v", got)
		}
		if left, err := wechat.ParseOpenings(answer); err != nil && left != 0 {
			t.Fatalf("%d and %v", left, err)
		}
	})
}
