package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

// crashes is how often the program is killed: a few times at a desk, 200 times where CRASHES says so.
func crashes(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("CRASHES"))
	if err != nil {
		return 8
	}
	return n
}

// promised are the links that were answered as stored, by query.
type promised struct {
	mu    sync.Mutex
	links map[string]string
	more  chan struct{} // one for each promise, while somebody counts
}

func (p *promised) add(query, link string) {
	p.mu.Lock()
	p.links[query] = link
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// TestNoCrashLosesALinkOrAUnit kills the program with SIGKILL under load, again and again. Each link that was ever
// answered as stored must be found afterwards, without another call, and the ledger never be below what WeChat made.
func TestNoCrashLosesALinkOrAUnit(t *testing.T) {
	t.Parallel()
	w := &weChat{WeChat: sandbox.New(t.Context(), sandbox.Config{
		Apps: []sandbox.App{{ID: appID, Secret: appSecret, Rate: 1e6}}, Clock: time.Now, MaxLinks: 1 << 20,
	})}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	dir := configured(t, w.configuration()+`
store: bolt://links.db
`)
	environ := append([]string{"LINKBROKER_APPS_0_RATE=100000"}, secrets...)
	promises := &promised{links: make(map[string]string), more: make(chan struct{}, 1)}
	rounds := crashes(t)
	for round := range rounds {
		p := serve(t, dir, environ)
		killUnderLoad(t, p, promises, round)
	}
	p := serve(t, dir, environ)
	made := w.Stats().Generated
	for query, link := range promises.links {
		got := p.postLink(fmt.Sprintf(`{"path":"p","query":%q}`, query))
		if answer := decoded(t, got); answer.URL != link || answer.Outcome != "hit" {
			t.Fatalf("%s was promised %s, and is now a %s of %s", query, link, answer.Outcome, answer.URL)
		}
	}
	quota := decodedItems(t, call(t, http.MethodGet, p.admin+"/api/v1/quota", "", bearer(opsKey)).body)[0]
	if now := w.Stats().Generated; now != made || quota.Used < int64(made) {
		t.Errorf("%d links were made, then %d; the ledger says %d", made, now, quota.Used)
	}
	t.Logf("%d crashes, %d links promised, %d made, %d units counted", rounds, len(promises.links), made, quota.Used)
}

// killUnderLoad asks for new links from many callers at once, and kills the program after a while.
func killUnderLoad(t *testing.T, p *program, promises *promised, round int) {
	t.Helper()
	var callers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for caller := range 8 {
		callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				query := fmt.Sprintf("n=%d-%d-%d", round, caller, n)
				got, err := try(ctx, http.MethodPost, p.public+"/api/v1/links", fmt.Sprintf(`{"path":"p","query":%q}`, query), bearer(shopKey))
				if err != nil || got.status != http.StatusOK || got.header.Get("Linkbroker-Stored") != "" {
					continue
				}
				promises.add(query, decoded(t, got).URL)
			}
		})
	}
	for range 1 + rand.IntN(60) {
		<-promises.more
	}
	p.kill()
	cancel()
	callers.Wait()
}

// item is an entry of a list that tests look at.
type item struct {
	Used int64 `json:"used"` // of a quota
}

func decodedItems(t *testing.T, body string) []item {
	t.Helper()
	var answer struct {
		Items []item `json:"items"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return answer.Items
}
