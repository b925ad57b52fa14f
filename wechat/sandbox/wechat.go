package sandbox

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// App is a mini program that the fake WeChat knows.
type App struct {
	ID     string
	Secret string
	Pages  []string // the pages of its released version; empty = every page is there

	DailyQuota int // URL Links and schemes a day; 0 = 500,000
	Rate       int // generate calls a second; 0 = 200

	ShortLinkQuota      int // short links a day; 0 = 1,000,000
	PermanentShortLinks int // permanent short links in all; 0 = 100,000
}

// Config is what a fake WeChat is made of.
type Config struct {
	Apps  []App
	Clock func() time.Time
	State State // nil = forget everything at the end

	// OpenApp is the app for which a call without any token is made, as inside WeChat's cloud hosting with the open
	// interface service switched on; empty = such a call is answered 41001.
	OpenApp string

	TokenLife time.Duration // 0 = 2 h
	MaxLinks  int           // how many links are remembered, the newest; 0 = 4096
}

// WeChat is the fake. It is safe for concurrent use and leaves nothing running.
type WeChat struct {
	clock   func() time.Time
	openApp string
	mux     *http.ServeMux
	state   State

	mu     sync.Mutex // never held while a call waits or the state is written
	apps   map[string]*app
	links  *links
	faults []*Fault
	stats  stats
}

// New makes a fake WeChat and remembers what the state holds.
func New(ctx context.Context, cfg Config) *WeChat {
	w := &WeChat{
		clock: cfg.Clock, openApp: cfg.OpenApp, mux: http.NewServeMux(), state: cfg.State,
		apps: make(map[string]*app, len(cfg.Apps)), links: newLinks(cfg.MaxLinks), stats: newStats(),
	}
	for _, a := range cfg.Apps {
		w.apps[a.ID] = newApp(a, cfg.TokenLife)
	}
	w.restore(ctx)
	w.serve("/cgi-bin/stable_token", http.MethodPost, w.stableToken)
	w.serve("/cgi-bin/token", http.MethodGet, w.legacyToken)
	w.serve(generateRoute, http.MethodPost, w.generate)
	w.serve(schemeRoute, http.MethodPost, w.generateScheme)
	w.serve(shortLinkRoute, http.MethodPost, w.generateShortLink)
	w.serve("/wxa/query_urllink", http.MethodPost, w.queryURLLink)
	w.serve("/wxa/queryscheme", http.MethodPost, w.queryScheme)
	w.serve(codeRoute, http.MethodPost, w.code)
	w.mux.HandleFunc("GET /sandbox/faults", w.listFaults)
	w.mux.HandleFunc("POST /sandbox/faults", w.postFault)
	w.mux.HandleFunc("DELETE /sandbox/faults", w.deleteFaults)
	w.mux.HandleFunc("GET /sandbox/stats", w.getStats)
	w.mux.HandleFunc("POST /sandbox/steal", w.postSteal)
	w.mux.HandleFunc("/sandbox/redirected", w.redirected)
	w.mux.HandleFunc("GET /t/{ticket}", w.ticketPage)
	w.mux.HandleFunc("GET /{$}", w.indexPage)
	return w
}

// ServeHTTP answers as WeChat does, and on /sandbox/ what the fake itself is asked.
func (w *WeChat) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.mux.ServeHTTP(rw, r) }
