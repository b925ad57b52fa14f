package cache

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// What a turn's key holds begins with what it is.
const (
	turnHeld = "h" // then the holder's token
	turnNote = "n" // then the text
)

// ownLife is how long a holder takes a turn for his without a renewal. He gives up ahead of Redis: his clock may be slower.
func (p pace) ownLife() time.Duration { return p.turn - p.turn/10 }

// takeTurn takes a turn that nobody has, or says what is there and for how many milliseconds.
var takeTurn = newScript(`
local held = redis.call('GET', KEYS[1])
if held then
	return {held, redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`)

var renewTurn = newScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

// leaveTurn gives a turn back, and leaves a note in its place if there is one.
var leaveTurn = newScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
if ARGV[3] == '0' then
	return redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

// Lease takes the turn for a name, or says what is in the way.
func (r *Redis) Lease(ctx context.Context, name string) (broker.Turn, error) {
	if !r.work.enter() {
		return broker.Turn{}, failed("taking a turn", errClosed)
	}
	defer r.work.leave()
	h := &holder{r: r, key: r.turnKey(name), held: turnHeld + rand.Text(), left: make(chan struct{}), lost: make(chan struct{})}
	place := r.waiters.expect(h.key)
	end := time.NewTimer(r.pace.ownLife())
	answer, err := r.runPassing(ctx, takeTurn, []string{h.key}, []string{h.held, millis(r.pace.turn)}).ToArray()
	switch {
	case rueidis.IsRedisNil(err):
		r.waiters.forgo(h.key, place)
		if !r.background(func() { h.keep(end) }) {
			close(h.lost)
		}
		return broker.Turn{Leave: h.leave, Lost: h.lost}, nil
	case err != nil:
		end.Stop()
		r.waiters.forgo(h.key, place)
		if !errors.Is(err, errAway) { // which is said before anything is sent
			r.abandon(h)
		}
		return broker.Turn{}, failed("taking a turn", err)
	}
	end.Stop()
	return r.waitTurn(h.key, place, answer)
}

// waitTurn reads what is in the way of a turn.
func (r *Redis) waitTurn(key string, p *place, answer []rueidis.RedisMessage) (broker.Turn, error) {
	held, _ := answer[0].ToString()
	left, _ := answer[1].AsInt64()
	bound := time.Duration(max(left, 1)) * time.Millisecond
	if text, is := strings.CutPrefix(held, turnNote); is {
		r.waiters.forgo(key, p) // nobody waits for the end of a note
		return broker.Turn{Note: broker.Note{Text: []byte(text), Life: bound}}, nil
	}
	return broker.Turn{Over: r.waiters.wait(key, p, bound)}, nil
}

// PutNote leaves a note under a name.
func (r *Redis) PutNote(ctx context.Context, name string, note broker.Note) error {
	set := r.client.B().Set().Key(r.turnKey(name)).Value(turnNote + string(note.Text)).PxMilliseconds(max(note.Life.Milliseconds(), 1)).Build()
	return failed("leaving a note", r.write(ctx, set).Error())
}

// NoteOf gives what was left under a name.
func (r *Redis) NoteOf(ctx context.Context, name string) (broker.Note, error) {
	results := r.doAll(ctx, []rueidis.Completed{
		r.client.B().Get().Key(r.turnKey(name)).Build(), r.client.B().Pttl().Key(r.turnKey(name)).Build(),
	})
	kept, err := found(results[0])
	if err != nil {
		return broker.Note{}, failed("reading a note", err)
	}
	text, is := strings.CutPrefix(string(kept), turnNote)
	left, err := results[1].AsInt64()
	if !is || err != nil {
		return broker.Note{}, failed("reading a note", err)
	}
	return broker.Note{Text: []byte(text), Life: time.Duration(max(left, 0)) * time.Millisecond}, nil
}

// turnKey is where the turn for a name is kept: that for a link's key lies with the link.
func (r *Redis) turnKey(name string) string {
	var key broker.Key
	if len(name) == hex.EncodedLen(len(key)) {
		if _, err := hex.Decode(key[:], []byte(name)); err == nil {
			return r.ofLink(redisTurn, key)
		}
	}
	return r.key(redisTurn, "{"+name+"}")
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// holder has a turn.
type holder struct {
	r    *Redis
	key  string
	held string // what the key holds
	once sync.Once
	left chan struct{}
	lost chan struct{}
}

// keep renews the turn until it is left or lost. The time in which it ends counts from before it was asked for, so it is given
// up here before anybody else can have it.
func (h *holder) keep(end *time.Timer) {
	defer func() { end.Stop() }()
	renewal := time.NewTicker(h.r.pace.renewal)
	defer renewal.Stop()
	for {
		select {
		case <-h.left:
			return
		case <-h.r.closing:
			close(h.lost) // it ends by itself, as when this broker had died
			return
		case <-end.C:
			close(h.lost)
			return
		case <-renewal.C:
		}
		next := time.NewTimer(h.r.pace.ownLife())
		switch kept, err := h.renew(); {
		case err != nil:
			next.Stop() // it is tried again until the end
		case kept:
			end.Stop()
			end = next
		default:
			next.Stop()
			close(h.lost)
			return
		}
	}
}

// renew reports whether the turn is still his. It takes no longer than there is room for before the end.
func (h *holder) renew() (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), h.r.pace.renewal/2)
	defer cancel()
	return h.r.runPassing(ctx, renewTurn, []string{h.key}, []string{h.held, millis(h.r.pace.turn)}).AsBool()
}

// abandonedAtOnce bounds how many turns are given back that nobody said were taken. Further ones end by themselves.
const abandonedAtOnce = 1 << 10

// abandon gives back a turn that may have been taken though nobody said so: what a server that stood still had been sent, it
// does once it goes on, and everybody would wait for the turn's end.
func (r *Redis) abandon(h *holder) {
	select {
	case r.abandoned <- struct{}{}:
	default:
		return
	}
	if !r.background(func() { h.giveUp(); <-r.abandoned }) {
		<-r.abandoned
	}
}

func (h *holder) giveUp() {
	again := time.NewTicker(h.r.pace.probe)
	defer again.Stop()
	for {
		err := h.give(context.Background(), broker.Note{})
		if _, answered := rueidis.IsRedisErr(err); err == nil || answered {
			return
		}
		select {
		case <-h.r.closing:
			return
		case <-again.C:
		}
	}
}

// leave gives the turn back. Where Redis does not answer, the turn ends by itself.
func (h *holder) leave(ctx context.Context, note broker.Note) {
	h.once.Do(func() {
		close(h.left)
		_ = h.give(ctx, note)
	})
}

func (h *holder) give(ctx context.Context, note broker.Note) error {
	if len(note.Text) == 0 {
		note.Life = 0
	}
	return h.r.runPassing(ctx, leaveTurn, []string{h.key}, []string{h.held, turnNote + string(note.Text), millis(max(note.Life, 0))}).Error()
}
