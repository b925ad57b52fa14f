package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// crew is what makes a store in Redis one that several brokers share: who tells of changes, who keeps turns, who looks
// whether Redis is there.
type crew struct {
	name    string // of this broker
	pace    pace
	waiters *waiters
	watch   *watch
	health  *health
	work    gate // who is inside may use the client
	once    sync.Once

	abandoned chan struct{} // as many turns as are being given back
	closing   chan struct{}
}

// pace is how fast things go.
type pace struct {
	probe   time.Duration // between two looks at Redis
	bound   time.Duration // how long one may take
	turn    time.Duration // how long a turn lasts that nobody renews
	renewal time.Duration // between two renewals
	share   time.Duration // how long somebody counts who has said that he uses something
}

// redisPace is the usual one. A command's patience bounds a look at Redis too.
func redisPace(patience time.Duration) pace {
	return pace{
		probe: 250 * time.Millisecond, bound: min(patience, time.Second),
		turn: 3 * time.Second, renewal: time.Second, share: 5 * time.Second,
	}
}

func newCrew(prefix string, pace pace) crew {
	waiters := newWaiters()
	return crew{
		name: rand.Text(), pace: pace, waiters: waiters, watch: newWatch(prefix, waiters), closing: make(chan struct{}),
		abandoned: make(chan struct{}, abandonedAtOnce),
	}
}

// connect makes the client, and begins to look after it.
func (r *Redis) connect(place redisPlace) error {
	client, err := rueidis.NewClient(r.connection(place))
	if err != nil {
		return place.notConnected(err)
	}
	r.health = newHealth(client, r)
	r.client = guard{client, r.health}
	if err := r.connectWriter(place); err != nil {
		client.Close()
		return place.notConnected(err)
	}
	if r.replicas > 0 && client.Mode() != rueidis.ClientModeCluster { // of which each node has its own
		r.health.short = r.shortOf
	}
	return nil
}

// background runs something that ends when the store is closed, which waits for it. It reports whether the store is open.
func (r *Redis) background(run func()) bool {
	open := r.work.enter()
	if open {
		go func() {
			defer r.work.leave()
			run()
		}()
	}
	return open
}

// lookAfter looks after Redis from time to time, and at once when something goes wrong.
func (r *Redis) lookAfter() {
	looks := time.NewTicker(r.pace.probe)
	defer looks.Stop()
	for unsure := false; ; {
		if r.health.look(context.Background(), r.watch.doubt) {
			unsure = true
		}
		if unsure && r.health.worst.Load() == int32(well) {
			unsure = !r.foundLayout() || r.restoreGrants(context.Background()) != nil
		}
		select {
		case <-r.closing:
			return
		case <-r.watch.lost:
			unsure = true
		case <-r.health.kick:
		case <-looks.C:
		}
	}
}

// foundLayout reports whether it is known what a server that was away has come back with.
func (r *Redis) foundLayout() bool {
	fresh, err := r.layOut(context.Background())
	switch {
	case errors.Is(err, broker.StoreFailed):
		return false
	case err != nil:
		r.log.Error("store in Redis has come back as another", "error", err)
	case fresh:
		r.log.Error("store in Redis has come back empty: its links, aliases, keys and ledger are gone, and today's quota counts as spent only as far as brokers that still run have spent it; " +
			"it needs appendonly yes, or a replica that takes over")
	}
	return true
}

// watchClients calls back after each change of a client by whomever, when one may have been missed, and again a while after it
// could not be taken over.
func (r *Redis) watchClients(changed func() error) {
	r.background(func() {
		for {
			select {
			case <-r.closing:
				return
			case <-r.watch.clients:
			}
			if changed() == nil {
				continue
			}
			r.watch.clients.give()
			pause := time.NewTimer(r.pace.renewal)
			select {
			case <-r.closing:
				pause.Stop()
				return
			case <-pause.C:
			}
		}
	})
}

// Close ends what goes on in the background, and closes the connections.
func (r *Redis) Close() error {
	r.once.Do(func() { close(r.closing) })
	r.work.close()
	r.client.Close()
	if r.writer != nil {
		r.writer.Close()
	}
	return nil
}
