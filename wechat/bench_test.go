package wechat_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// The steps of a call to WeChat. What a whole one costs beside them is net/http's, and the server's in the same process.

func BenchmarkEncodeCall(b *testing.B) {
	goal := normalized(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := wechat.Call(goal); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	for name, link := range map[string]string{"plain": "https://wxaurl.cn/AbCdEfGhIjK", "escaped": `https:\/\/wxaurl.cn\/AbCdEfGhIjK`} {
		b.Run(name, func(b *testing.B) {
			body := fmt.Appendf(nil, `{"errcode":0,"errmsg":"ok","url_link":"%s"}`, link)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wechat.ParseError(body, canaryToken); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCall(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, good) }))
	b.Cleanup(server.Close)
	client, err := wechat.New([]wechat.App{{ID: shop, BaseURL: server.URL, Token: wechat.TokenNone}}, time.Now, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	goal := normalized(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Generate(context.Background(), goal); err != nil {
			b.Fatal(err)
		}
	}
}

func normalized(b *testing.B) broker.Target {
	b.Helper()
	goal, err := broker.Target{App: shop, Path: "pages/product/detail", Query: "id=7&src=sms"}.Normalize()
	if err != nil {
		b.Fatal(err)
	}
	return goal
}
