package broker

import (
	"context"
	"sync"
	"time"
)

// Openings is how often an app's links may still be opened on the quota day: WeChat counts those, and says so when asked.
type Openings struct {
	Left int64
	At   time.Time // when WeChat said so; zero = it never did
}

const (
	// openingsMemory is how long an answer will do, and for how long nobody asks again after a failure.
	openingsMemory = time.Minute

	// openingsPatience is how long those wait who only want to show the number.
	openingsPatience = 2 * time.Second
)

// openings is what an app knows of its own.
type openings struct {
	asking onceLock // held while WeChat is asked

	mu    sync.Mutex
	last  Openings
	asked time.Time
	err   error // of the last call
}

func newOpenings() openings { return openings{asking: newOnceLock()} }

// known gives the last answer.
func (v *openings) known() Openings {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

// recent gives the outcome of the last call if that was lately.
func (v *openings) recent(now time.Time) (last Openings, ok bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked.IsZero() || now.Sub(v.asked) >= openingsMemory {
		return Openings{}, false, nil
	}
	return v.last, true, v.err
}

func (v *openings) note(left int64, err error, now time.Time) (Openings, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked, v.err = now, err
	if err == nil {
		v.last = Openings{Left: left, At: now.UTC()}
	}
	return v.last, err
}

// Openings says how often the links of an app may still be opened today. WeChat is asked once a minute at most.
func (b *Broker) Openings(ctx context.Context, appid string) (Openings, error) {
	app, ok := b.apps[appid]
	if !ok {
		return Openings{}, Errorf(UnknownApp, "no mini program of this appid is configured")
	}
	if last, ok, err := app.openings.recent(b.clock()); ok {
		return last, err
	}
	if err := app.openings.asking.lock(ctx); err != nil {
		return Openings{}, Errorf(Unavailable, "WeChat is being asked: %w", err)
	}
	defer app.openings.asking.unlock()
	if last, ok, err := app.openings.recent(b.clock()); ok {
		return last, err // somebody else's call, for which we have waited
	}
	var left int64
	asked := false
	err := b.query(context.WithoutCancel(ctx), app, func(ctx context.Context) (err error) { // the answer is for the next as well
		asked = true
		left, err = b.inspector.Openings(ctx, appid)
		return err
	})
	if !asked {
		return Openings{}, err
	}
	return app.openings.note(left, err, b.clock())
}

// RefreshOpenings has the openings of all apps asked for that are not known lately, so that Quotas can show them. It does
// not wait long, and whatever fails shows in the age of what is known.
func (b *Broker) RefreshOpenings(ctx context.Context) {
	if b.inspector == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, openingsPatience)
	defer cancel()
	var all sync.WaitGroup
	for _, a := range b.policy.Apps {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = b.Openings(ctx, a.ID)
		}()
		all.Go(func() {
			select {
			case <-done:
			case <-ctx.Done(): // the call goes on, and the next to look finds its answer
			}
		})
	}
	all.Wait()
}
