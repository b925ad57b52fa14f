package wechat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"linkbroker/wechat"
)

func TestSecretNeverShows(t *testing.T) {
	s := wechat.Secret(secret)
	app := wechat.App{ID: shop, Secret: s}
	client := newClient(t, "http://127.0.0.1:1", newClock().Now, wechat.TokenStable)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%b"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", app)
		fmt.Fprintf(&out, verb+"\n", &app)
		fmt.Fprintf(&out, verb+"\n", client)
	}
	fmt.Fprintln(&out, s.String(), s.GoString())
	if err := json.NewEncoder(&out).Encode(app); err != nil {
		t.Fatal(err)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("secrets", "bare", s, "app", app, "client", client)
	}
	if strings.Contains(out.String(), "canary") || strings.Contains(out.String(), fmt.Sprintf("%x", secret)) {
		t.Errorf("the secret shows:\n%s", out.String())
	}
	if string(s) != secret {
		t.Error("a conversion does not reveal it")
	}
}
