package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/cache/redistest"
)

const (
	patience    = 4 * time.Second // the brokers' deadline for a request
	slowest     = 5 * time.Second // that recovery may take
	propagation = time.Second     // within which each broker has heard of a change
	scarce      = 300             // the quota of one app, and the budget of one client
)

// chaosLength is how long a kind of Redis has trouble: a quarter of a minute at a desk, a third of what CHAOS says, such as 15m, in the
// long proof.
func chaosLength(t *testing.T) time.Duration {
	t.Helper()
	if length, err := time.ParseDuration(os.Getenv("CHAOS")); err == nil {
		return length / 3
	}
	return 15 * time.Second
}

// trouble is one that a Redis has. It returns once it has caused it; since then the brokers should be about to recover.
type trouble struct {
	name  string
	cause func()
	mend  func() // what is left to do once they have recovered; may be nil
}

// chaos is traffic over three brokers of which one dies every few seconds, on a Redis that has its troubles.
type chaos struct {
	*brokers

	t      *testing.T
	ctx    context.Context
	places [3]atomic.Pointer[program] // where a load balancer finds the brokers; some are dead
	dirs   [3]string
	within time.Duration // which new links are to be stored again
	ended  chan struct{} // closed when the traffic is to end
	all    sync.WaitGroup

	mu      sync.Mutex
	figures map[string]int // by what is counted
	took    map[string]time.Duration
	promise map[wanted]answered // links answered as stored, which nobody has deleted or renewed
	doubt   []span              // when Redis was in trouble
}

// answered is a link, and when it was answered as such.
type answered struct {
	url string
	at  time.Time
}

// span is how long a trouble lasted; the zero time = it has not ended yet.
type span struct {
	trouble  string
	from, to time.Time
}

// TestChaos lets traffic go on while brokers are killed and Redis is restarted, paused and failed over. No dead, deleted
// or wrong link may be handed out, no budget be overspent, nothing be lost that was answered as stored, and links that
// are stored be had throughout.
func TestChaos(t *testing.T) {
	t.Run("one server", func(t *testing.T) {
		redis := redistest.Start(t)
		newChaos(t, redis.URL()).run(
			trouble{"Redis killed and started", func() { redis.Kill(); redis.Start(t) }, nil},
			trouble{"Redis paused for 2 s", func() { redis.Pause(); <-time.After(2 * time.Second); redis.Resume() }, nil},
		)
	})
	t.Run("a master with two replicas", func(t *testing.T) {
		set := startRedisSet(t)
		master := set.whole(t)
		miss := func() { set.missesAfter(t, redistest.MissesAfter) }
		follow := func() {
			old := master
			master = set.promoted(t, old)
			set.missesAfter(t, soon)
			old.Kill()
			old.Master, master.Master = master, nil
			old.Start(t)
			set.whole(t)
		}
		newChaos(t, set.url(1)).run(
			trouble{"the master killed, a replica promoted", func() { miss(); master.Kill() }, follow},
			trouble{"the master killed and started before it is missed", func() { master.Kill(); master.Start(t) }, func() { set.whole(t) }},
			// The old master wakes up in the belief that it still is one.
			trouble{"the master paused until a replica was promoted", func() { miss(); master.Pause() }, func() {
				set.promoted(t, master)
				master.Resume()
				<-time.After(2 * time.Second)
				follow()
			}},
		)
	})
	// For a second the old master has the other replica behind it, which takes what the promoted one never hears of. Whoever asks
	// for both has it as not stored, until the old master follows the new one.
	t.Run("a master that is back while a replica is promoted, and both replicas asked for", func(t *testing.T) {
		set := startRedisSet(t)
		set.whole(t)
		c := newChaos(t, set.url(2))
		c.within = soon // Sentinels look after what they hold for a replica every ten seconds, and let it be a master for eight
		c.run(trouble{"the master killed and started after it is missed", func() {
			master := set.whole(t)
			set.missesAfter(t, redistest.MissesAfter)
			master.Kill()
			<-time.After(redistest.MissesAfter + 500*time.Millisecond)
			master.Start(t)
		}, func() {
			set.whole(t)
			set.missesAfter(t, soon)
		}})
	})
}

func newChaos(t *testing.T, store string) *chaos {
	t.Helper()
	w := newWitness(t, 20*time.Millisecond)
	c := &chaos{
		t: t, ctx: t.Context(), within: slowest, ended: make(chan struct{}),
		figures: maps.Clone(forbidden), took: make(map[string]time.Duration), promise: make(map[wanted]answered),
	}
	ofApp := fmt.Sprintf("  - {appid: %s, secret: \"${SECRET}\", base_url: %q, daily_quota: %d}", scarceApp, w.server.URL, scarce)
	further := fmt.Sprintf("  - {name: thrifty, key: %s, role: generate, generations_per_day: %d}\n", thriftyKey, scarce)
	c.brokers = serveThree(t, w, store, ofApp, further)
	for i, p := range c.programs {
		c.places[i].Store(p)
		c.dirs[i] = p.cmd.Dir
	}
	return c
}

// run causes the troubles one after the other, as long as it lasts, and each at least once.
func (c *chaos) run(troubles ...trouble) {
	c.t.Helper()
	c.startTraffic()
	began := time.Now()
	killers := c.killBrokers()
	for i := 0; i < len(troubles) || time.Since(began) < chaosLength(c.t); i++ {
		<-time.After(2 * time.Second)
		c.cause(troubles[i%len(troubles)])
	}
	killers.Wait()
	close(c.ended)
	c.all.Wait()
	c.judge(time.Since(began))
}

// cause causes a trouble and waits until links are generated and stored again.
func (c *chaos) cause(trouble trouble) {
	c.mu.Lock()
	c.doubt = append(c.doubt, span{trouble: trouble.name, from: time.Now()})
	c.mu.Unlock()
	began := time.Now()
	trouble.cause()
	if strings.Contains(trouble.name, "paused for") {
		began = time.Now() // how long that was is ours
	}
	c.recover(trouble.name, began)
	if trouble.mend != nil {
		trouble.mend()
		c.recover("", time.Now())
	}
	c.mu.Lock()
	c.doubt[len(c.doubt)-1].to = time.Now()
	c.mu.Unlock()
}

// recover waits until a new link is stored.
func (c *chaos) recover(from string, began time.Time) {
	for n := 0; ; n++ {
		target := wanted{Path: "probe", Query: fmt.Sprintf("n=%d-%d", began.UnixNano(), n)}
		if _, stored, ok := c.balanced(target, shopKey); ok && stored {
			break
		}
		if time.Since(began) > soon {
			c.t.Errorf("%s: no link is stored again within %v", from, soon)
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	if from == "" {
		return
	}
	took := time.Since(began)
	c.count(from, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.took[from] = max(c.took[from], took); took > c.within {
		c.t.Errorf("%s: it takes %v until a new link is stored, want %v at most", from, took.Round(time.Millisecond), c.within)
	}
}

// killBrokers kills one of the brokers every few seconds and starts it again, until the traffic ends.
func (c *chaos) killBrokers() (killers *sync.WaitGroup) {
	killers = new(sync.WaitGroup)
	stop := time.NewTimer(chaosLength(c.t))
	killers.Go(func() {
		defer stop.Stop()
		for {
			select {
			case <-stop.C:
				return
			case <-time.After(3 * time.Second):
			}
			place := rand.IntN(len(c.places))
			c.places[place].Load().kill()
			c.count("a broker killed", 1)
			c.revive(place)
		}
	})
	return killers
}

// revive starts a broker again, as often as that takes, which is what systemd does.
func (c *chaos) revive(place int) {
	for {
		p := start(c.t, c.dirs[place], secrets, "serve")
		for deadline := time.Now().Add(soon); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
			if strings.Contains(p.stdout.String(), "and administrators at") {
				p.awaitAnswering()
				c.places[place].Store(p)
				return
			}
			if p.gone() {
				break
			}
		}
		if c.ctx.Err() != nil {
			return
		}
		c.count("a broker did not start", 1)
		<-time.After(100 * time.Millisecond)
	}
}

// gone reports whether the program has ended.
func (p *program) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// balanced asks the brokers in turn, as a load balancer does, until one answers.
func (c *chaos) balanced(target wanted, key string) (a answer, stored, ok bool) {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	first := rand.IntN(len(c.places))
	for i := range c.places {
		p := c.places[(first+i)%len(c.places)].Load()
		got, err := c.post(ctx, p.public, target.body(), key)
		if err != nil || got.status >= http.StatusInternalServerError {
			continue
		}
		if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &a) != nil {
			return a, false, false
		}
		c.check(target, a.URL)
		return a, got.header.Get("Linkbroker-Stored") == "", true
	}
	return a, false, false
}

// check sees to it that a link was made for what it is the answer to.
func (c *chaos) check(target wanted, url string) {
	target.App = ""
	if of, made := c.madeFor(url); !made || of != target {
		c.count("WRONG LINKS", 1)
	}
}
