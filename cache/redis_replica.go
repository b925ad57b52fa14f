package cache

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// waitingAtOnce is how many writes wait for replicas at once, each on a connection of its own.
	waitingAtOnce = 32

	// redirectPause is how long to wait before a server is asked again that has said that others keep the slot now.
	redirectPause = 20 * time.Millisecond
)

// connectWriter makes the client through which is written what waits for replicas. It is told of no changes: each of its connections
// would be told of each.
func (r *Redis) connectWriter(place redisPlace) (err error) {
	if r.replicas == 0 {
		return nil
	}
	option := place.connection()
	option.DisableCache = true
	option.AlwaysPipelining = true // reads all the time, and so learns at once that a connection was cut
	r.writer, err = rueidis.NewClient(option)
	return err
}

// shortOf says that fewer replicas are there than a write waits for. On a connection with no writes under way WAIT counts them.
func (r *Redis) shortOf(ctx context.Context) error {
	wait := r.client.B().Wait().Numreplicas(r.replicas).Timeout(r.pace.probe.Milliseconds() / 2).Build()
	return r.writer.Dedicated(func(own rueidis.DedicatedClient) error {
		have, err := own.Do(ctx, wait).AsInt64()
		if err == nil && have < r.replicas {
			err = fewReplicas(have, r.replicas)
		}
		return err
	})
}

func fewReplicas(have, want int64) error {
	return fmt.Errorf("only %d of %d replicas have it", have, want)
}

// write runs a command that changes something, and waits until the replicas that are asked for have it.
func (r *Redis) write(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return r.writeAll(ctx, []rueidis.Completed{cmd})[0]
}

// writeAll runs commands that change something. WAIT speaks of what its own connection has written, so what has to wait goes
// through a connection of its own, in a Cluster slot by slot.
func (r *Redis) writeAll(ctx context.Context, commands []rueidis.Completed) []rueidis.RedisResult {
	if r.replicas == 0 || len(commands) == 0 {
		return r.doAll(ctx, commands)
	}
	places := make(map[uint16][]int)
	for i := range commands {
		slot := uint16(0)
		if r.client.Mode() == rueidis.ClientModeCluster {
			slot = commands[i].Slot()
		}
		places[slot] = append(places[slot], i)
	}
	results := make([]rueidis.RedisResult, len(commands))
	var all sync.WaitGroup
	for _, indexes := range places {
		all.Go(func() {
			together := make([]rueidis.Completed, 0, len(indexes)+1)
			for _, i := range indexes {
				together = append(together, commands[i].Pin()) // it may be sent again
			}
			for n, result := range r.writeSlot(ctx, together) {
				results[indexes[n]] = result
			}
		})
	}
	all.Wait()
	return results
}

// writeSlot runs commands in one place. A connection of its own follows no redirection: the client learns of it and knows better
// a moment later, and nothing has been done.
func (r *Redis) writeSlot(ctx context.Context, commands []rueidis.Completed) []rueidis.RedisResult {
	if r.health.refuses(commands[0]) {
		return alike(len(commands), rueidis.NewErrorResult(errAway))
	}
	select {
	case r.waiting <- struct{}{}:
		defer func() { <-r.waiting }()
	case <-ctx.Done():
		return alike(len(commands), rueidis.NewErrorResult(ctx.Err()))
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.patience) // once for the commands, once for the replicas
	defer cancel()
	for {
		results := r.writeAndWait(ctx, commands)
		if !redirected(results[0]) {
			return results
		}
		if rest(ctx, redirectPause); ctx.Err() != nil {
			return results
		}
	}
}

func (r *Redis) writeAndWait(ctx context.Context, commands []rueidis.Completed) (results []rueidis.RedisResult) {
	var err error
	_ = r.writer.Dedicated(func(own rueidis.DedicatedClient) error { // gives back what we give it
		results = own.DoMulti(ctx, append(commands[:len(commands):len(commands)], r.waitFor(r.replicas)...)...)
		err = r.haveIt(ctx, own, results[len(commands):])
		return nil
	})
	results = results[:len(commands)]
	r.health.heard(results[0].Error())
	for i := range results {
		if err != nil && results[i].Error() == nil {
			results[i] = rueidis.NewErrorResult(err)
		}
	}
	return results
}

// waitFor are the commands that wait until so many replicas have what their connection has written, and say then who is there.
func (r *Redis) waitFor(replicas int64) []rueidis.Completed {
	return []rueidis.Completed{
		r.client.B().Wait().Numreplicas(replicas).Timeout(r.patience.Milliseconds()).Build(),
		r.client.B().Info().Section("replication").Build(),
	}
}

// haveIt judges what waitFor has brought. Not the first to have it is promoted if the master dies, but any that has kept up: so
// all of these are waited for.
func (r *Redis) haveIt(ctx context.Context, own rueidis.DedicatedClient, said []rueidis.RedisResult) error {
	have, want, err := r.judge(said)
	if err == nil && r.replicas <= have && have < want {
		have, want, err = r.judge(own.DoMulti(ctx, r.waitFor(want)...))
	}
	if err == nil && have < want {
		err = fewReplicas(have, want)
	}
	return err
}

func (r *Redis) judge(said []rueidis.RedisResult) (have, want int64, err error) {
	have, err = said[0].AsInt64()
	if err != nil {
		return 0, 0, err
	}
	info, err := said[1].ToString()
	return have, max(r.replicas, keepingUp(info)), err
}

// mostLag is for how many seconds a replica that keeps up may have said nothing: it does so each second.
const mostLag = 2

// keepingUp counts the replicas that have been given all and have spoken of late, by what INFO says of them.
func keepingUp(info string) (n int64) {
	for line := range strings.Lines(info) {
		name, about, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !strings.HasPrefix(name, "slave") || !strings.Contains(about, ",state=online,") {
			continue
		}
		_, lag, _ := strings.Cut(about, ",lag=")
		if seconds, err := strconv.Atoi(lag); err == nil && 0 <= seconds && seconds <= mostLag {
			n++
		}
	}
	return n
}

func alike(n int, result rueidis.RedisResult) []rueidis.RedisResult {
	return slices.Repeat([]rueidis.RedisResult{result}, n)
}

func redirected(result rueidis.RedisResult) bool {
	err, ok := rueidis.IsRedisErr(result.Error())
	if !ok {
		return false
	}
	_, redirect := err.IsRedirect()
	_, moved := err.IsMoved()
	_, asked := err.IsAsk()
	return redirect || moved || asked || err.IsTryAgain()
}
