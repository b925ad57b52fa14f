// Asks for links through PowerWeChat: a question a line in, an answer a line out (cli/sdk_test.go).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/ArtisanCloud/PowerWeChat/v3/src/miniProgram"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/miniProgram/urlLink/request"
	scheme "github.com/ArtisanCloud/PowerWeChat/v3/src/miniProgram/urlScheme/request"
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
	ErrCode int    `json:"errcode"`
	Error   string `json:"error"`
}

func main() {
	broker := os.Getenv("LINKBROKER_URL") // https://go.example.com/k/API_KEY
	mini, err := miniProgram.NewMiniProgram(&miniProgram.UserConfig{
		AppID:           os.Getenv("WECHAT_APPID"),
		Secret:          os.Getenv("WECHAT_SECRET"),
		Http:            miniProgram.Http{BaseURI: broker + "/"}, // the slash at the end is needed
		StableTokenMode: os.Getenv("STABLE") != "",
		Log: miniProgram.Log{
			File:  filepath.Join(os.TempDir(), "info.log"),
			Error: filepath.Join(os.TempDir(), "error.log"),
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var q question
		if err := in.Decode(&q); err != nil {
			log.Fatal(err)
		}
		var a answer
		token, err := mini.AccessToken.GetToken(context.Background(), false)
		if err != nil {
			log.Print(err)
		} else {
			a.Token = token.AccessToken
		}
		a.Links = ask(mini, q)
		if err := out.Encode(a); err != nil {
			log.Fatal(err)
		}
	}
}

func ask(mini *miniProgram.MiniProgram, q question) []link {
	links := make([]link, len(q.Queries))
	var all sync.WaitGroup
	for i, query := range q.Queries {
		all.Go(func() {
			got, err := generate(mini, q.Kind, q.Path, query)
			switch {
			case err != nil:
				links[i].Error = err.Error()
			case got.ErrCode != 0:
				links[i] = got
			default:
				links[i].URL = got.URL
			}
		})
	}
	all.Wait()
	return links
}

func generate(mini *miniProgram.MiniProgram, kind, path, query string) (link, error) {
	ctx := context.Background()
	switch kind {
	case "scheme":
		jump := &scheme.JumpWxa{Path: path, Query: query}
		got, err := mini.URLScheme.Generate(ctx, &scheme.URLSchemeGenerate{JumpWxa: jump})
		return link{got.OpenLink, got.ErrCode, got.ErrMsg}, err
	case "short_link":
		got, err := mini.ShortLink.Generate(ctx, path+"?"+query, "An item", false)
		return link{got.Link, got.ErrCode, got.ErrMsg}, err
	case "query":
		return link{}, errors.New("the SDK has no such call")
	}
	got, err := mini.URLLink.Generate(ctx, &request.URLLinkGenerate{Path: path, Query: query})
	return link{got.URLLink, got.ErrCode, got.ErrMsg}, err
}
