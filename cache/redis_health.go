package cache

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// trouble says what is wrong with Redis. The worse comes later.
type trouble int32

const (
	well     trouble = iota
	full             // it has no more memory, and refuses what would take more
	readOnly         // it refuses to write: a replica, or a disk that is full, or too few replicas
	loading          // it reads its file
	away             // it does not answer
)

var troubles = [...]string{well: "", full: "full", readOnly: "read-only", loading: "loading", away: "away"}

func (t trouble) String() string { return troubles[t] }

// silent reports whether nothing can be asked.
func (t trouble) silent() bool { return t >= loading }

// errAway is what is answered at once while Redis is silent.
var errAway = errors.New("the store in Redis does not answer")

// troubleOf tells by the outcome of a command what is wrong.
func troubleOf(err error) trouble {
	if err == nil || rueidis.IsRedisNil(err) || errors.Is(err, context.Canceled) {
		return well
	}
	said, ok := rueidis.IsRedisErr(err)
	if !ok {
		return away
	}
	switch kind, _, _ := strings.Cut(said.Error(), " "); kind {
	case "OOM":
		return full
	case "READONLY", "MISCONF", "NOREPLICAS":
		return readOnly
	case "LOADING":
		return loading
	case "CLUSTERDOWN", "MASTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM":
		return away
	default:
		return well
	}
}

// slotParts is how many parts the slots of a Cluster are divided in. Each is well or not by itself: while one node is
// away, what lies on the others goes on. (Where a part lies on two nodes, some of its commands wait for their time.)
const slotParts = 64

// health asks Redis all the time how it is. While it is silent, nobody else waits for it.
type health struct {
	client rueidis.Client
	probes []string // a key in each part
	parts  []atomic.Int32
	worst  atomic.Int32
	since  atomic.Int64 // when that began, in milliseconds
	pace   pace
	clock  broker.Clock
	log    *slog.Logger
	kick   signal
	short  func(context.Context) error // says that there are fewer replicas than writes wait for; nil = they wait for none
}

// newHealth looks after a client. What is wrong shows with the first look.
func newHealth(client rueidis.Client, r *Redis) *health {
	h := &health{client: client, pace: r.pace, clock: r.clock, log: r.log, kick: newSignal()}
	h.probes = []string{r.key(redisProbe, "")}
	if client.Mode() == rueidis.ClientModeCluster {
		h.probes = make([]string, slotParts)
		for n := range redisShards {
			key := r.inShard(redisProbe, n)
			h.probes[partOf(client.B().Get().Key(key).Build())] = key
		}
	}
	h.parts = make([]atomic.Int32, len(h.probes))
	return h
}

// partOf tells in which part the key of a command lies. What names no key lies in none.
func partOf(cmd rueidis.Completed) int { return int(cmd.Slot()) * slotParts / (1 << 14) }

// refuses reports whether a command would wait for a part that is silent.
func (h *health) refuses(cmd rueidis.Completed) bool {
	if !trouble(h.worst.Load()).silent() {
		return false
	}
	part := 0
	if len(h.parts) > 1 {
		part = partOf(cmd)
	}
	return part < len(h.parts) && trouble(h.parts[part].Load()).silent()
}

// heard has a look taken at once where a command went wrong.
func (h *health) heard(err error) {
	if troubleOf(err) != well {
		h.kick.give()
	}
}

// look asks every part, and reports whether one that was silent answers again. What it asks is a write that never finds its key: it
// is refused like any other, but changes nothing and goes to no file and no replica. Before anybody else can ask a part
// that was silent, back is called.
func (h *health) look(ctx context.Context, back func()) bool {
	ctx, cancel := context.WithTimeout(ctx, h.pace.bound)
	defer cancel()
	found, failure := h.ask(ctx)
	if slices.Max(found) == away && ctx.Err() == nil {
		found, failure = h.ask(ctx) // over a new connection: that the old one was cut is no trouble yet
	}
	woken := false
	for i := range found {
		woken = woken || trouble(h.parts[i].Load()).silent() && !found[i].silent()
	}
	if woken {
		back()
	}
	for i := range found {
		h.parts[i].Store(int32(found[i]))
	}
	state := slices.Max(found)
	if state == well && h.short != nil {
		if failure = h.short(ctx); failure != nil {
			state = readOnly
		}
	}
	h.settle(state, failure)
	return woken
}

// ask asks every part, and gives one of the failures.
func (h *health) ask(ctx context.Context) (found []trouble, failure error) {
	cmds := make([]rueidis.Completed, len(h.probes))
	for i, key := range h.probes {
		cmds[i] = h.client.B().Set().Key(key).Value("").Xx().Build()
	}
	found = make([]trouble, len(cmds))
	for i, result := range h.client.DoMulti(ctx, cmds...) {
		if found[i] = troubleOf(result.Error()); found[i] != well {
			failure = result.Error()
		}
	}
	return found, failure
}

// settle says once what has changed.
func (h *health) settle(now trouble, failure error) {
	was := trouble(h.worst.Swap(int32(now)))
	if was == now {
		return
	}
	at := h.clock()
	lasted := at.Sub(time.UnixMilli(h.since.Swap(at.UnixMilli())))
	switch {
	case now == well:
		h.log.Warn("store in Redis is well again", "was", was.String(), "lasted", lasted)
	case was == well:
		h.log.Error("store in Redis is in trouble", "state", now.String(), "error", failure)
	default:
		h.log.Error("store in Redis is in other trouble", "state", now.String(), "error", failure, "was", was.String(), "lasted", lasted)
	}
}

// guard is a client that waits for nobody who is known to be silent.
type guard struct {
	rueidis.Client

	health *health
}

func (g guard) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if g.health.refuses(cmd) {
		return rueidis.NewErrorResult(errAway)
	}
	result := g.Client.Do(ctx, cmd)
	g.health.heard(result.Error())
	return result
}

func (g guard) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if slices.ContainsFunc(cmds, g.health.refuses) {
		return alike(len(cmds), rueidis.NewErrorResult(errAway))
	}
	results := g.Client.DoMulti(ctx, cmds...)
	for i := range results {
		g.health.heard(results[i].Error())
	}
	return results
}
