package cache

import (
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// watch is told by Redis what was changed, by whomever, and passes it on. Redis tells every connection, whatever was read over
// it (BCAST): to remember that would cost Redis memory, and us reads once it has no more room. It tells after the change
// was made, so an answer with the old record is on the connection ahead of the notice; the stripes of the layer see to
// answers that are taken up after it.
//
// What is told arrives where a connection reads its answers: nothing here may wait.
type watch struct {
	prefix  string
	layer   atomic.Pointer[Layer] // nil where nothing is kept
	waiters *waiters
	clients signal
	lost    signal // a connection was lost, or everything was deleted
}

func newWatch(prefix string, waiters *waiters) *watch {
	return &watch{prefix: prefix, waiters: waiters, clients: newSignal(), lost: newSignal()}
}

// tracking is what Redis is asked to tell of.
func (w *watch) tracking() []string {
	return []string{
		"BCAST", "PREFIX", w.prefix + redisLink, "PREFIX", w.prefix + redisTurn,
		"PREFIX", w.prefix + redisAlias, "PREFIX", w.prefix + redisClients,
	}
}

// told takes the keys that were changed. Nil means that a connection is gone, and what it would have told with it; or
// that everything was deleted.
func (w *watch) told(keys []rueidis.RedisMessage) {
	if keys == nil {
		w.doubt()
		w.lost.give()
		return
	}
	for i := range keys {
		if key, err := keys[i].ToString(); err == nil {
			w.changed(key)
		}
	}
}

func (w *watch) changed(key string) {
	name, ours := strings.CutPrefix(key, w.prefix)
	layer := w.layer.Load()
	switch {
	case !ours:
	case strings.HasPrefix(name, redisTurn):
		w.waiters.wake(key)
	case name == redisClients:
		w.clients.give()
	case layer == nil:
	case strings.HasPrefix(name, redisAlias):
		layer.ForgetAlias(name[len(redisAlias):])
	case strings.HasPrefix(name, redisLink):
		if link, ok := keyAtEnd(name); ok {
			layer.Forget(link)
		}
	}
}

// doubt says that anything may have been changed.
func (w *watch) doubt() {
	if layer := w.layer.Load(); layer != nil {
		layer.Doubt()
	}
	w.waiters.wakeAll()
	w.clients.give()
}

// keyAtEnd reads the key of a link, which follows its shard.
func keyAtEnd(name string) (key broker.Key, ok bool) {
	const before = len(redisLink) + len("{000}")
	if len(name) != before+len(key) {
		return key, false
	}
	return broker.Key([]byte(name[before:])), true
}

// signal is raised once however often it is given, until somebody has taken it.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) give() {
	select {
	case s <- struct{}{}:
	default:
	}
}
