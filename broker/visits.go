package broker

import (
	"context"
	"sync"
	"time"
)

// Visits is how often an app's links may still be opened on the quota day: WeChat counts those, and says so when asked.
type Visits struct {
	Left int64
	At   time.Time // when WeChat said so; zero = it never did
}

const (
	// visitsMemory is how long an answer will do, and for how long nobody asks again after a failure.
	visitsMemory = time.Minute

	// visitsPatience is how long those wait who only want to show the number.
	visitsPatience = 2 * time.Second
)

// visits is what an app knows of its own.
type visits struct {
	asking onceLock // held while WeChat is asked

	mu    sync.Mutex
	last  Visits
	asked time.Time
	err   error // of the last call
}

func newVisits() visits { return visits{asking: newOnceLock()} }

// known gives the last answer.
func (v *visits) known() Visits {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

// recent gives the outcome of the last call if that was lately.
func (v *visits) recent(now time.Time) (last Visits, ok bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked.IsZero() || now.Sub(v.asked) >= visitsMemory {
		return Visits{}, false, nil
	}
	return v.last, true, v.err
}

func (v *visits) note(left int64, err error, now time.Time) (Visits, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked, v.err = now, err
	if err == nil {
		v.last = Visits{Left: left, At: now.UTC()}
	}
	return v.last, err
}

// Visits says how often the links of an app may still be opened today. WeChat is asked once a minute at most.
func (b *Broker) Visits(ctx context.Context, appid string) (Visits, error) {
	app, ok := b.apps[appid]
	if !ok {
		return Visits{}, Errorf(UnknownApp, "no mini program of this appid is configured")
	}
	if last, ok, err := app.visits.recent(b.clock()); ok {
		return last, err
	}
	if err := app.visits.asking.lock(ctx); err != nil {
		return Visits{}, Errorf(Unavailable, "WeChat is being asked: %w", err)
	}
	defer app.visits.asking.unlock()
	if last, ok, err := app.visits.recent(b.clock()); ok {
		return last, err // somebody else's call, for which we have waited
	}
	var left int64
	asked := false
	err := b.query(context.WithoutCancel(ctx), app, func(ctx context.Context) (err error) { // the answer is for the next as well
		asked = true
		left, err = b.inspector.Visits(ctx, appid)
		return err
	})
	if !asked {
		return Visits{}, err
	}
	return app.visits.note(left, err, b.clock())
}

// RefreshVisits has the visits of all apps asked for that are not known lately, so that Quotas can show them. It does
// not wait long, and whatever fails shows in the age of what is known.
func (b *Broker) RefreshVisits(ctx context.Context) {
	if b.inspector == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, visitsPatience)
	defer cancel()
	var all sync.WaitGroup
	for _, a := range b.policy.Apps {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = b.Visits(ctx, a.ID)
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
