package cli_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

// scarceApp is an app of which brokers may be told that it has little quota.
const scarceApp = "wxfedcba9876543210"

// witness is a fake WeChat that keeps what was asked of it, to be held against what several brokers say.
type witness struct {
	*weChat

	takes time.Duration // a generate call

	mu      sync.Mutex
	calls   map[wanted]int
	flying  map[wanted]int
	crowded []time.Time       // when a second call for one target set out while one was under way
	made    map[string]wanted // by URL
	fetches int               // of access tokens
}

// wanted is what a link leads to, as WeChat is asked for it.
type wanted struct {
	App        string `json:"-"` // the first one where it is empty; WeChat knows it by the token
	Path       string `json:"path"`
	Query      string `json:"query"`
	ExpireTime int64  `json:"expire_time"`
}

func newWitness(t *testing.T, takes time.Duration) *witness {
	t.Helper()
	w := &witness{takes: takes, calls: make(map[wanted]int), flying: make(map[wanted]int), made: make(map[string]wanted)}
	w.weChat = &weChat{WeChat: sandbox.New(t.Context(), sandbox.Config{
		Apps:  []sandbox.App{{ID: appID, Secret: appSecret, Rate: 1e6}, {ID: scarceApp, Secret: appSecret, Rate: 1e6}},
		Clock: time.Now, MaxLinks: 1 << 20,
	})}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "token"):
		w.mu.Lock()
		w.fetches++
		w.mu.Unlock()
	case r.URL.Path == "/wxa/generate_urllink":
		w.generate(rw, r)
		return
	}
	w.weChat.ServeHTTP(rw, r)
}

// generate has the fake make a link, and takes its time. A caller who dies has his call no longer under way.
func (w *witness) generate(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var target wanted
	if err := cmp.Or(err, json.Unmarshal(body, &target)); err != nil {
		return
	}
	target.Path = strings.TrimPrefix(target.Path, "/")
	w.enter(target)
	defer w.leave(target)
	timer := time.NewTimer(w.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	w.weChat.ServeHTTP(answer, r)
	var link struct {
		URL string `json:"url_link"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &link) == nil && link.URL != "" {
		w.mu.Lock()
		w.made[link.URL] = target
		w.mu.Unlock()
	}
	_, _ = rw.Write(answer.Body.Bytes()) // who is gone reads nothing
}

func (w *witness) enter(target wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[target]++
	if w.flying[target]++; w.flying[target] > 1 {
		w.crowded = append(w.crowded, time.Now())
	}
}

func (w *witness) leave(target wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying[target]--
}

// madeFor says for what a link was made, if it was.
func (w *witness) madeFor(url string) (wanted, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	target, ok := w.made[url]
	return target, ok
}

// called counts the generate calls for a page, and those for the target of it that was called for most often.
func (w *witness) called(path string) (all, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for target, n := range w.calls {
		if target.Path == path {
			all, most = all+n, max(most, n)
		}
	}
	return all, most
}

// crowds are the moments when a second call for one target set out while one was under way.
func (w *witness) crowds() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.crowded)
}

func (w *witness) fetched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetches
}
