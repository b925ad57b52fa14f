package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	warmKeys   = 100
	thriftyKey = "canary-thrifty-key-0123456789abcdef"
)

// startTraffic has links warmed, and then starts all who ask.
func (c *chaos) startTraffic() {
	c.t.Helper()
	for i := range warmKeys {
		c.promise[warmTarget(i)] = answered{c.ask(c.t, i%len(c.programs), warmTarget(i)), time.Now()}
	}
	for range 4 {
		c.every(8*time.Millisecond, func(int) { c.hit() })
	}
	for asker := range 2 {
		c.every(20*time.Millisecond, func(n int) { c.miss(wanted{Path: "new", Query: fmt.Sprintf("n=%d-%d", asker, n)}, shopKey) })
		c.every(50*time.Millisecond, func(n int) { c.miss(wanted{Path: "thrifty", Query: fmt.Sprintf("n=%d-%d", asker, n)}, thriftyKey) })
		c.every(50*time.Millisecond, func(n int) {
			c.miss(wanted{App: scarceApp, Path: "scarce", Query: fmt.Sprintf("n=%d-%d", asker, n)}, shopKey)
		})
		c.every(50*time.Millisecond, func(int) { c.shortLived() })
	}
	for own := range 10 {
		c.every(100*time.Millisecond, func(n int) { c.change(wanted{Path: "changing", Query: fmt.Sprintf("n=%d", own)}, n%2 == 0) })
	}
}

func warmTarget(i int) wanted { return wanted{Path: "warm", Query: fmt.Sprintf("n=%d", i)} }

// every does something again and again until the traffic ends.
func (c *chaos) every(pace time.Duration, do func(n int)) {
	c.all.Go(func() {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-c.ended:
				return
			case <-ticker.C:
				do(n)
			}
		}
	})
}

// hit asks for a link that has been stored from the beginning. A broker that has just been started while Redis is away knows
// of none: it goes alone, and what it had generated takes the place of the earlier link.
func (c *chaos) hit() {
	began := time.Now()
	if _, _, ok := c.balanced(warmTarget(rand.IntN(warmKeys)), shopKey); !ok {
		c.count("hits that failed", 1)
		return
	}
	took := time.Since(began)
	c.count("hits", 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took["hits"] = max(c.took["hits"], took)
}

// miss asks for a link that nobody has asked for before.
func (c *chaos) miss(target wanted, key string) {
	got, stored, ok := c.balanced(target, key)
	switch {
	case !ok && target.Path == "new":
		c.count("misses that failed", 1)
	case !ok:
		c.count("misses beyond a budget, or failed", 1)
	case !stored:
		c.count("misses answered as not stored", 1)
	default:
		c.count("misses", 1)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.promise[target] = answered{got.URL, time.Now()}
	}
}

// shortLived asks for a link that ends a minute from now or a little later, or earlier than may be asked for. The broker
// takes a minute off, so such a link lives for some seconds, for all who ask for the same end.
func (c *chaos) shortLived() {
	const margin = time.Minute
	sent := time.Now()
	end := sent.Add(margin + time.Duration(rand.IntN(20)-5)*time.Second).Truncate(5 * time.Second)
	_, _, ok := c.balanced(wanted{Path: "short", ExpireTime: end.Unix()}, shopKey)
	switch {
	case ok && !end.Add(-margin).After(sent):
		c.count("DEAD LINKS", 1)
	case ok:
		c.count("short-lived links", 1)
	}
}

// change deletes or renews a link, and asks all brokers for it when they must have heard of that. Nobody else changes this
// one.
func (c *chaos) change(target wanted, deletes bool) {
	old, stored, ok := c.balanced(target, shopKey)
	if !ok || !stored || !c.changed(old, deletes) {
		return
	}
	changed := time.Now()
	select {
	case <-c.ended:
		return
	case <-time.After(propagation):
	}
	for i := range c.places {
		got, err := c.post(c.ctx, c.places[i].Load().public, target.body(), shopKey)
		var answer answer
		if err != nil || json.Unmarshal([]byte(got.body), &answer) != nil || answer.URL != old.URL {
			continue
		}
		if c.quiet(changed) {
			c.count("DELETED OR RENEWED LINKS ANSWERED", 1)
			c.t.Logf("%s was changed (deleted: %v), is not stored (%q), and is answered %v later by broker %d", old.URL, deletes,
				got.header.Get("Linkbroker-Stored"), time.Since(changed), i)
		} else {
			c.count("deleted or renewed links answered while Redis was in trouble", 1)
		}
	}
}

// changed has an administrator change a link at one of the brokers. One that knew an older link only, such as one it generated
// while Redis was away, is content with this one as its renewal.
func (c *chaos) changed(old answer, deletes bool) bool {
	method, address := http.MethodPost, c.places[rand.IntN(len(c.places))].Load().admin+"/api/v1/links/"+old.Key+":renew"
	if deletes {
		method, address = http.MethodDelete, strings.TrimSuffix(address, ":renew")
	}
	got, err := try(c.ctx, method, address, "", bearer(opsKey))
	if err != nil || got.status >= http.StatusMultipleChoices || got.header.Get("Linkbroker-Stored") != "" || strings.Contains(got.body, old.URL) {
		return false
	}
	c.count("deletions and renewals", 1)
	return true
}

func sortedKeys(of map[string]int) []string { return slices.Sorted(maps.Keys(of)) }
