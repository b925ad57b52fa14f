package cli_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"linkbroker/cache/redistest"
)

// brokers are several programs over one store with one configuration, as they stand behind a load balancer.
type brokers struct {
	*witness

	programs []*program
	client   *http.Client
}

// serveThree starts three brokers at the same time. The settings are those of their app and of all else.
func serveThree(t *testing.T, w *witness, store, ofApp, further string) *brokers {
	t.Helper()
	config := strings.Replace(w.withApp("    rate: 100000\n"+ofApp), "level: debug", "level: info", 1)
	config += further + "\nstore: " + store + "\n"
	b := &brokers{witness: w, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 1000, MaxConnsPerHost: 1000}, Timeout: soon,
	}}
	t.Cleanup(b.client.CloseIdleConnections)
	for range 3 {
		b.programs = append(b.programs, start(t, configured(t, config), secrets, "serve"))
	}
	for _, p := range b.programs {
		p.awaitAnswering()
	}
	return b
}

// post asks one of the brokers for a link, over a connection that is kept.
func (b *brokers) post(ctx context.Context, base, body, key string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/links", strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := b.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(read)}, err
}

// ask asks a broker for the link of a target, and sees to it that it is that target's.
func (b *brokers) ask(t *testing.T, broker int, target wanted) (url string) {
	got, err := b.post(t.Context(), b.programs[broker].public, target.body(), shopKey)
	var answer answer
	if err != nil || got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &answer) != nil {
		t.Errorf("broker %d answers %d %s, %v", broker, got.status, got.body, err)
		return ""
	}
	if of, ok := b.madeFor(answer.URL); !ok || of != target {
		t.Errorf("%v is answered with %s, which was made for %v", target, answer.URL, of)
	}
	return answer.URL
}

// body is how a caller asks for the target.
func (w wanted) body() string {
	app, end := cmp.Or(w.App, appID), ""
	if w.ExpireTime != 0 {
		end = fmt.Sprintf(`,"expire_type":0,"expire_time":%d`, w.ExpireTime)
	}
	return fmt.Sprintf(`{"app":%q,"path":%q,"query":%q%s}`, app, w.Path, w.Query, end)
}

// TestThreeBrokersCallOnce asks three brokers at the same moment for what none of them has.
func TestThreeBrokersCallOnce(t *testing.T) {
	for claim, test := range map[string]struct {
		store   func(t *testing.T) string
		callers int // of one cold key
		keys    int
	}{
		"over one server": {func(t *testing.T) string { return redistest.Start(t).URL() }, 3000, 1000},
		"over a Cluster": {func(t *testing.T) string {
			return redistest.ClusterURL(redistest.StartCluster(t, redistest.Start))
		}, 3000, 100},
		"over a master with replicas": {func(t *testing.T) string { return startRedisSet(t).url(1) }, 300, 100},
	} {
		t.Run(claim, func(t *testing.T) {
			b := serveThree(t, newWitness(t, 200*time.Millisecond), test.store(t), "", "")
			b.oneColdKey(t, test.callers)
			b.manyColdKeys(t, test.keys, 30)
		})
	}
}

func (b *brokers) oneColdKey(t *testing.T, callers int) {
	t.Helper()
	target := wanted{Path: "cold", Query: "a=1"}
	began := time.Now()
	urls := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { urls[i] = b.ask(t, i%len(b.programs), target) })
	}
	all.Wait()
	for _, url := range urls {
		if url != urls[0] {
			t.Fatalf("one caller was answered with %s, another with %s", urls[0], url)
		}
	}
	calls, _ := b.called(target.Path)
	if calls != 1 {
		t.Errorf("%d callers of one cold key made %d calls", callers, calls)
	}
	t.Logf("%d callers of one cold key over three brokers: %d call, all were answered within %v", callers, calls, time.Since(began).Round(time.Millisecond))
}

func (b *brokers) manyColdKeys(t *testing.T, keys, callers int) {
	t.Helper()
	asks := make([]wanted, 0, keys*callers)
	for i := range keys * callers {
		asks = append(asks, wanted{Path: "many", Query: fmt.Sprintf("n=%d", i%keys)})
	}
	rand.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
	began := time.Now()
	var all sync.WaitGroup
	const workers = 900
	for worker := range workers {
		all.Go(func() {
			for i := worker; i < len(asks); i += workers {
				b.ask(t, i%len(b.programs), asks[i])
			}
		})
	}
	all.Wait()
	calls, most := b.called("many")
	if calls != keys || most != 1 {
		t.Errorf("%d keys made %d calls, one of them %d", keys, calls, most)
	}
	t.Logf("%d keys x %d callers over three brokers: %d calls, in %v", keys, callers, calls, time.Since(began).Round(time.Millisecond))
}

// TestThreeBrokersAreAsOne has them share what is not a link: the token, the clients, the budgets, what was deleted.
func TestThreeBrokersAreAsOne(t *testing.T) {
	const quota, budget = 100, 40
	w := newWitness(t, 0)
	b := serveThree(t, w, redistest.Start(t).URL(), fmt.Sprintf("    daily_quota: %d", quota), "")

	t.Run("a client that is disabled at one is refused at all", func(t *testing.T) { b.disable(t) })
	t.Run("a link that is deleted at one is not answered by the others", func(t *testing.T) { b.deleteLink(t) })
	t.Run("the budget of a client holds over all", func(t *testing.T) {
		key := b.createClient(t, fmt.Sprintf(`{"name":"thrifty","role":"generate","generations_per_day":%d}`, budget))
		b.spendAll(t, "thrifty", key, "budget_exhausted", budget)
	})
	t.Run("the quota of the app holds over all", func(t *testing.T) {
		before := w.Stats().Generated
		b.spendAll(t, "quota", shopKey, "quota_exhausted", quota-before)
	})
	if n := w.fetched(); n != 1 {
		t.Errorf("the token was fetched %d times", n)
	}
}

// createClient makes a client at one broker, waits until all know it, and gives its key.
func (b *brokers) createClient(t *testing.T, client string) (key string) {
	t.Helper()
	var made struct{ Key string }
	got := call(t, http.MethodPost, b.programs[0].admin+"/api/v1/clients", client, bearer(opsKey))
	if err := json.Unmarshal([]byte(got.body), &made); err != nil || made.Key == "" {
		t.Fatalf("a client is made with %d %s", got.status, got.body)
	}
	return made.Key
}

// within waits a second at most until the brokers agree.
func (b *brokers) within(t *testing.T, claim string, yes func(p *program) bool) {
	t.Helper()
	began := time.Now()
	for _, p := range b.programs {
		for !yes(p) {
			if time.Since(began) > time.Second {
				t.Fatalf("not within a second: %s", claim)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	t.Logf("%s: within %v", claim, time.Since(began).Round(time.Millisecond))
}

func (b *brokers) disable(t *testing.T) {
	t.Helper()
	key := b.createClient(t, `{"name":"guest","role":"read"}`)
	status := func(want int) func(p *program) bool {
		return func(p *program) bool {
			return call(t, http.MethodPost, p.public+"/api/v1/links", `{"path":"none"}`, bearer(key)).status == want
		}
	}
	b.within(t, "all know a new client", status(http.StatusForbidden)) // who may read only, and nothing is stored
	call(t, http.MethodPost, b.programs[0].admin+"/api/v1/clients/guest:disable", "", bearer(opsKey))
	b.within(t, "all refuse a client that was disabled", status(http.StatusUnauthorized))
}

func (b *brokers) deleteLink(t *testing.T) {
	t.Helper()
	for round := range 3 {
		target := wanted{Path: "deleted", Query: fmt.Sprintf("n=%d", round)}
		link := decoded(t, b.programs[0].postLink(target.body()))
		for i := range b.programs { // each has it in memory now
			if url := b.ask(t, i, target); url != link.URL {
				t.Errorf("broker %d answers %s, want %s", i, url, link.URL)
			}
		}
		deleting := b.programs[round]
		if got := call(t, http.MethodDelete, deleting.admin+"/api/v1/links/"+link.Key, "", bearer(opsKey)); got.status != http.StatusNoContent {
			t.Fatalf("deleting is answered %d %s", got.status, got.body)
		}
		b.within(t, "none answers a link that was deleted", func(p *program) bool {
			return call(t, http.MethodPost, p.public+"/api/v1/links", target.body(), bearer(readKey)).status == http.StatusForbidden
		})
	}
}

// spendAll asks all brokers at once for three times as many new links as there may be.
func (b *brokers) spendAll(t *testing.T, path, key, refusal string, want int) {
	t.Helper()
	b.within(t, "all know the client", func(p *program) bool {
		return call(t, http.MethodPost, p.public+"/api/v1/links", `{"path":"a?b"}`, bearer(key)).status == http.StatusUnprocessableEntity
	})
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			target := wanted{Path: path, Query: fmt.Sprintf("n=%d", i)}
			got, err := b.post(t.Context(), b.programs[i%len(b.programs)].public, target.body(), key)
			if err != nil || got.status != http.StatusOK && !strings.Contains(got.body, refusal) {
				t.Errorf("it is answered %d %s, %v", got.status, got.body, err)
			}
		})
	}
	all.Wait()
	if calls, _ := b.called(path); calls != want {
		t.Errorf("%d calls were made, want exactly %d", calls, want)
	}
}
