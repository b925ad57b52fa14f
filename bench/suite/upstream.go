package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// upstream is what all contestants ask on a miss: a WeChat without rules and limits to the brokers, and a web server to
// the caches. From each link's number it makes the same link again and again, so that a wrong answer is seen.
type upstream struct {
	url    string
	server *http.Server
	calls  atomic.Int64 // that asked for a link
	delay  atomic.Int64 // before each of them, as a time.Duration
	down   atomic.Bool  // the connection ends without an answer
	page   answer       // what the web server answers, but for its link
}

// answer is what linkbroker answered once: its headers and its body.
type answer struct {
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

func startUpstream(ctx context.Context) (*upstream, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{url: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cgi-bin/stable_token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"bench-token","expires_in":7200}`)
	})
	mux.HandleFunc("POST /wxa/generate_urllink", u.generate)
	mux.HandleFunc("GET /api/v1/link", u.webPage)
	u.server = &http.Server{Addr: listener.Addr().String(), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = u.server.Serve(listener) }() // until it is closed
	return u, nil
}

func (u *upstream) host() string { return u.server.Addr }

func (u *upstream) stop() { _ = u.server.Close() }

// linkNumber finds the number in a body or an address.
var linkNumber = regexp.MustCompile(`id(?:=|%3D)([0-9]+)`) //nolint:gochecknoglobals // a constant

func numberIn(text string) (int, error) {
	found := linkNumber.FindStringSubmatch(text)
	if found == nil {
		return 0, errors.New("no link has this address")
	}
	return strconv.Atoi(found[1])
}

func (u *upstream) generate(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	u.calls.Add(1)
	if !u.answers(r) {
		panic(http.ErrAbortHandler)
	}
	link, err := numberIn(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json; encoding=utf-8")
	fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","url_link":"%s"}`, linkURL(link))
}

// answers waits as long as it should, and reports whether there is to be an answer.
func (u *upstream) answers(r *http.Request) bool {
	if u.down.Load() {
		return false
	}
	if delay := time.Duration(u.delay.Load()); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

// webPage answers what linkbroker would, with another link in it.
func (u *upstream) webPage(w http.ResponseWriter, r *http.Request) {
	u.calls.Add(1)
	link, err := numberIn(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for name, values := range u.page.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Cache-Control", "public, max-age=2592000")
	_, _ = w.Write(linkInBody.ReplaceAll(u.page.Body, []byte(linkURL(link))))
}

var linkInBody = regexp.MustCompile(`https://wxaurl\.cn/B[0-9]{10}`) //nolint:gochecknoglobals // a constant
