package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"go.uber.org/goleak"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
	"linkbroker/web"
)

func TestMain(m *testing.M) {
	for _, contentType := range []string{"text/html", "image/svg+xml", "image/png", "application/x-ndjson"} {
		openapi3filter.RegisterBodyDecoder(contentType, openapi3filter.PlainBodyDecoder)
	}
	goleak.VerifyTestMain(m)
}

// The mini programs and the API keys of every test.
const (
	appA = "wxaaaaaaaaaaaaaaaa"
	appB = "wxbbbbbbbbbbbbbbbb"

	generateKey = "generate-key-0123456789" // all apps
	shopKey     = "shop-key-0123456789abcd" // appA alone
	readKey     = "read-key-0123456789abcd"
	adminKey    = "admin-key-0123456789abc"
	pageKey     = "pk_page-key-0123456789" // publishable, for some pages of appA
	foreignKey  = "foreign-key-0123456789" // appB alone
	expiredKey  = "expired-key-0123456789a"
	wrongKey    = "nobodys-key-0123456789a"
)

// beginning is when each world begins.
//
//nolint:gochecknoglobals // a constant that Go has no constants for
var beginning = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

// loadPages reads the admin page once for all worlds: it takes a while. So moments are shown as from their beginning.
var loadPages = sync.OnceValues(func() (*handlers.Pages, error) {
	return handlers.NewPages(web.Files(), time.FixedZone("Asia/Shanghai", 8*60*60), func() time.Time { return beginning })
})

func readPages(t testing.TB) *handlers.Pages {
	t.Helper()
	pages, err := loadPages()
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// world is a real broker with a real store behind both listeners. Only WeChat and the time are made up.
type world struct {
	t       testing.TB
	store   broker.Store
	broker  *broker.Broker
	tokens  *broker.Tokens
	clients *broker.Clients
	metrics *handlers.Metrics
	weChat  *weChat
	jobs    *jobs
	log     *syncBuffer
	config  handlers.Config
	public  http.Handler
	admin   http.Handler
	spec    *spec

	mu   sync.Mutex
	now  time.Time
	live bool // the time is that of the synctest bubble instead
}

func newWorld(t testing.TB) *world { return newWorldWith(t, cache.NewMemory()) }

// newFastWorld makes a world for millions of requests: without limits, without looking at openapi.yaml, and with a log
// of what is wrong alone.
func newFastWorld(t testing.TB) *world {
	unlimited := func(id string) broker.App { return broker.App{ID: id, Rate: 1e9, DailyQuota: 1 << 50} }
	w := newWorldWith(t, cache.NewMemory(), unlimited(appA), unlimited(appB))
	w.config.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelError}))
	w.listen()
	w.spec = nil // which would take most of the time
	return w
}

func newWorldWith(t testing.TB, store broker.Store, apps ...broker.App) *world {
	t.Helper()
	if len(apps) == 0 {
		apps = []broker.App{{ID: appA}, {ID: appB}}
	}
	w := &world{
		t: t, store: store, weChat: &weChat{}, jobs: &jobs{}, log: &syncBuffer{},
		now: beginning,
	}
	w.weChat.clock = w.clock
	version := handlers.Version{Version: "v1.2.3", Commit: "abcdef", Go: "go1.26"}
	w.metrics = handlers.NewMetrics([]string{appA, appB}, version)
	w.broker = broker.New(store, w.weChat, broker.Policy{
		Apps: apps, Deadline: time.Second, Observe: w.metrics.Observe,
	}, w.clock)
	w.metrics.WatchQuota(w.broker.Quotas)
	w.metrics.WatchJobs(w.jobs.Statuses, w.clock)
	w.clients = newClients(t, store, w.now)
	var err error
	if w.tokens, err = broker.OpenTokens(t.Context(), cache.NewMemory(), w.clients); err != nil {
		t.Fatal(err)
	}
	w.config = handlers.Config{
		Broker: w.broker, Clients: w.clients, Tokens: w.tokens, Jobs: w.jobs, Metrics: w.metrics, Clock: w.clock,
		Logger:  slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Version: version, PublicURL: "https://go.example.com", Pages: readPages(t),
		Ready: func(context.Context) ([]string, error) { return nil, nil }, Backups: &backups{},
	}
	w.config.BatchDesk = handlers.NewBatchDesk(t.TempDir())
	t.Cleanup(func() {
		if err := w.config.BatchDesk.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.listen()
	return w
}

// listen makes both listeners anew, after a change of the configuration.
func (w *world) listen() {
	w.public, w.admin = handlers.Public(w.config), handlers.Admin(w.config)
	w.spec = readSpec(w.t)
}

func newClients(t testing.TB, store broker.ClientStore, now time.Time) *broker.Clients {
	t.Helper()
	key := func(key string) []broker.ClientKey { return []broker.ClientKey{{Digest: broker.DigestKey(key)}} }
	onlyA := broker.Grant{Apps: []string{appA}}
	clients, err := broker.OpenClients(t.Context(), store, []broker.Client{
		{Name: "generate", Role: broker.RoleGenerate, Keys: key(generateKey)},
		{Name: "shop", Role: broker.RoleGenerate, Keys: key(shopKey), Grant: onlyA},
		{Name: "read", Role: broker.RoleRead, Keys: key(readKey), Grant: onlyA},
		{Name: "page", Role: broker.RoleGenerate, Publishable: true, Keys: key(pageKey), Grant: pageGrant()},
		{Name: "foreign", Role: broker.RoleGenerate, Keys: key(foreignKey), Grant: broker.Grant{Apps: []string{appB}}},
		{Name: "admin", Role: broker.RoleAdmin, Keys: key(adminKey)},
		{Name: "expired", Role: broker.RoleAdmin, Keys: key(expiredKey), ExpiresAt: now},
	})
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// pageOrigin is where the pages with the publishable key are.
const pageOrigin = "https://shop.example.com"

func pageGrant() broker.Grant {
	return broker.Grant{
		Apps: []string{appA}, Origins: []string{pageOrigin}, GenerationsPerDay: 5,
		Paths: []broker.PathRule{{Path: "p", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]+"}}}, {Path: "free/*", AnyQuery: true}},
	}
}

// newLiveWorld makes a world inside a synctest bubble, by whose time it goes.
func newLiveWorld(t testing.TB) *world {
	w := newWorld(t)
	w.live = true
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live {
		return time.Now()
	}
	return w.now
}

func (w *world) pass(d time.Duration) {
	if w.live {
		time.Sleep(d)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// reply is an answer over HTTP.
type reply struct {
	*httptest.ResponseRecorder
}

func (r reply) text() string { return r.Body.String() }

// ask sends a request to the public listener, without a credential of its own. What comes back is held against
// openapi.yaml.
func (w *world) ask(method, address, body string, header ...string) reply {
	return w.send(w.public, "public", method, address, body, header)
}

// administer sends a request to the admin listener with the admin's key.
func (w *world) administer(method, address string, header ...string) reply {
	return w.send(w.admin, "admin", method, address, "", append([]string{"Authorization: Bearer " + adminKey}, header...))
}

func (w *world) send(h http.Handler, listener, method, address, body string, header []string) reply {
	r := httptest.NewRequestWithContext(context.Background(), method, address, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	out := w.serve(h, r, header...)
	if w.spec != nil {
		w.spec.check(w.t, listener, r, body, out)
	}
	return reply{out}
}

func (w *world) serve(h http.Handler, r *http.Request, header ...string) *httptest.ResponseRecorder {
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r)
	return out
}

func as(key string) string { return "Authorization: Bearer " + key }

// weChat is a generator at WeChat's edge.
type weChat struct {
	clock broker.Clock

	mu      sync.Mutex
	targets []broker.Target
	fails   error
	before  func()                           // each call; set before the first
	slow    func(query string) time.Duration // how long a call takes; likewise
	extra   string                           // further fields of its answers

	asked   []string // links it was asked about
	visited int
	answer  func(link string) (broker.Inspected, error) // about links; nil = it knows all and ends them in an hour
}

func (g *weChat) Generate(_ context.Context, target broker.Target) (broker.Generated, error) {
	if g.before != nil {
		g.before()
	}
	if g.slow != nil {
		time.Sleep(g.slow(target.Query)) // in a synctest bubble
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.targets = append(g.targets, target)
	if g.fails != nil {
		return broker.Generated{}, g.fails
	}
	url := fmt.Sprintf(map[broker.Kind]string{
		broker.URLLink: "https://wxaurl.cn/t%d", broker.Scheme: "weixin://dl/business/?t=t%d", broker.ShortLink: "#小程序://x/t%d",
	}[target.Kind], len(g.targets))
	return broker.Generated{URL: url, SentAt: g.clock(), Extra: []byte(g.extra)}, nil
}

func (g *weChat) Inspect(_ context.Context, app string, _ broker.Kind, link string) (broker.Inspected, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, link)
	if g.answer != nil {
		return g.answer(link)
	}
	return broker.Inspected{
		ExpiresAt: g.clock().Add(time.Hour),
		Answer:    []byte(`{"errcode":0,"errmsg":"ok","newer":[1],"url_link_info":{"appid":"` + app + `","env_version":"release"}}`),
	}, nil
}

func (g *weChat) Openings(context.Context, string) (int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.visited++
	return 5_999_999, g.fails
}

func (g *weChat) questions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

func (g *weChat) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = err
}

func (g *weChat) calls() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.targets)
}

// jobs stand in for the real ones, which have tests of their own.
type jobs struct {
	ran  []string
	more []broker.JobStatus
}

func (j *jobs) Statuses() []broker.JobStatus {
	shanghai := time.FixedZone("Asia/Shanghai", 8*60*60)
	return append([]broker.JobStatus{
		{
			Name: "purge", Schedule: "@every 1m", LastTook: 1500 * time.Millisecond, LastCounts: broker.Counts{"purged": 3},
			LastStart:   time.Date(2026, 3, 1, 11, 58, 59, 500, shanghai),
			LastSuccess: time.Date(2026, 3, 1, 11, 59, 0, 500, shanghai),
			NextStart:   time.Date(2026, 3, 1, 12, 1, 0, 0, shanghai), Runs: 2, Failures: 1,
		},
		{Name: "backup", Schedule: "30 3 * * *", LastError: "disk full", Runs: 1, Failures: 1},
		{Name: "check"},
	}, j.more...)
}

func (j *jobs) Run(_ context.Context, name string) (broker.JobStatus, error) {
	switch name {
	case "purge":
		j.ran = append(j.ran, name)
		return j.Statuses()[0], nil
	case "backup":
		return broker.JobStatus{}, broker.Errorf(broker.Busy, "job %q is running already", name)
	case "panics":
		panic("oh dear")
	default:
		return broker.JobStatus{}, broker.Errorf(broker.NotFound, "there is no job %q", name)
	}
}

// syncBuffer is a buffer for logs.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// full is a store on a full disk.
type full struct{ broker.Store }

func (full) PutLink(context.Context, broker.Link) error {
	return broker.Errorf(broker.StoreFailed, "the store cannot be written: %w", errDisk)
}

// failing is a store whose links cannot be read.
type failing struct{ broker.Store }

var errDisk = errors.New("read /var/lib/linkbroker/links.db: input/output error")

func (failing) Link(context.Context, broker.Key) (broker.Link, error) {
	return broker.Link{}, broker.Errorf(broker.StoreFailed, "the store cannot be read: %w", errDisk)
}
