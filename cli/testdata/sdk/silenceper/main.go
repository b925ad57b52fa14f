// Asks for links through github.com/silenceper/wechat: a question a line in, an answer a line out (cli/sdk_test.go).
package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/miniprogram"
	"github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/miniprogram/qrcode"
	"github.com/silenceper/wechat/v2/miniprogram/urllink"
	"github.com/silenceper/wechat/v2/miniprogram/urlscheme"
	"github.com/silenceper/wechat/v2/util"
)

type question struct {
	Kind    string // empty for a URL Link
	Path    string
	Queries []string // asked all at once
}

type answer struct {
	Token string `json:"token"`
	Links []link `json:"links"`
}

type link struct {
	URL     string `json:"url"`
	ErrCode int64  `json:"errcode"`
	Error   string `json:"error"`
}

func main() {
	broker := os.Getenv("LINKBROKER_URL") // https://go.example.com/k/API_KEY
	util.SetURIModifier(func(uri string) string {
		return strings.Replace(uri, "https://api.weixin.qq.com", broker, 1)
	})
	if os.Getenv("TRANSPORT") != "" {
		util.SetURIModifier(nil)
		wechat.NewWechat().SetHTTPClient(&http.Client{Transport: moved{broker}})
	}
	mini := wechat.NewWechat().GetMiniProgram(&config.Config{
		AppID:       os.Getenv("WECHAT_APPID"),
		AppSecret:   os.Getenv("WECHAT_SECRET"),
		Cache:       cache.NewMemory(),
		UseStableAK: os.Getenv("STABLE") != "",
	})

	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var q question
		if err := in.Decode(&q); err != nil {
			log.Fatal(err)
		}
		token, err := mini.GetContext().GetAccessToken()
		if err != nil {
			log.Print(err)
		}
		if err := out.Encode(answer{token, ask(mini, q)}); err != nil {
			log.Fatal(err)
		}
	}
}

// moved sends to the broker what is meant for WeChat.
type moved struct{ broker string }

func (m moved) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "api.weixin.qq.com" {
		address, err := url.Parse(m.broker + req.URL.RequestURI())
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.URL, req.Host = address, address.Host
	}
	return http.DefaultTransport.RoundTrip(req)
}

func ask(mini *miniprogram.MiniProgram, q question) []link {
	links := make([]link, len(q.Queries))
	var all sync.WaitGroup
	for i, query := range q.Queries {
		all.Go(func() {
			got, err := generate(mini, q.Kind, q.Path, query)
			links[i].URL = got
			var refused *util.CommonError
			if errors.As(err, &refused) {
				links[i].ErrCode = refused.ErrCode
			}
			if err != nil {
				links[i].Error = err.Error()
			}
		})
	}
	all.Wait()
	return links
}

func generate(mini *miniprogram.MiniProgram, kind, path, query string) (string, error) {
	switch kind {
	case "scheme":
		return mini.GetSURLScheme().Generate(&urlscheme.USParams{JumpWxa: &urlscheme.JumpWxa{Path: path, Query: query}})
	case "short_link":
		return mini.GetShortLink().GenerateShortLinkTemp(path+"?"+query, "An item")
	case "query":
		found, err := mini.GetURLLink().Query(path)
		if err != nil {
			return "", err
		}
		return found.URLLinkInfo.Path + "?" + found.URLLinkInfo.Query, nil
	case "code":
		picture, err := mini.GetQRCode().GetWXACodeUnlimit(qrcode.QRCoder{Page: path, Scene: query})
		if err != nil {
			return "", err
		}
		return http.DetectContentType(picture), nil
	}
	return mini.GetURLLink().Generate(&urllink.ULParams{Path: path, Query: query})
}
