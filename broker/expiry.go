package broker

import (
	"fmt"
	"time"
)

const (
	day = 24 * time.Hour

	// maxLife is the longest WeChat lets a link live, whatever was asked: since 2022-04-11 a later expire_time is
	// no error, the link silently gets 30 days.
	maxLife = 30 * day

	// safetyMargin is taken off every end of life, for clocks that differ and for the time a visitor needs.
	safetyMargin = time.Minute

	// lastSecond is where an expire_time is cut off: beyond it time.Unix overflows, and milliseconds lie far below.
	lastSecond = 1 << 53

	// roundingHorizon: further away than this an expire_time may be rounded down to the app's grain, because front
	// ends send "now + 7 days" to the second and would never share a link.
	roundingHorizon = 48 * time.Hour
)

// Expiry is when a link shall end, and so part of its key. It is one of four classes: the zero value is the living
// link, generated for 30 days and renewed; Days is a life of that many days; At is a moment, never renewed; Never is a
// life without end, which WeChat gives to short links alone.
type Expiry struct {
	Days  int       // 1 to 29; 30 and more is the living link
	At    time.Time // whole seconds, UTC
	Never bool
}

// never is when links end that do not: all that asks how long one lives can go on asking.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// ParseExpiry reads WeChat's expire_type, expire_interval (days) and expire_time (Unix seconds); nil means absent.
// An interval without a type is type 1. Nothing asked, which is also type 0 alone, is the living link.
func ParseExpiry(expireType, interval, at *int64) (Expiry, error) {
	kind := int64(0)
	switch {
	case expireType != nil:
		kind = *expireType
	case interval != nil:
		kind = 1
	}
	switch {
	case kind != 0 && kind != 1:
		return Expiry{}, Errorf(InvalidExpiry, "expire_type %d is neither 0 (at expire_time) nor 1 (after expire_interval days)", kind)
	case kind == 1 && interval == nil:
		return Expiry{}, Errorf(InvalidExpiry, "expire_type 1 needs expire_interval, a number of days from 1 to 30")
	case kind == 0 && at != nil:
		return Expiry{At: time.Unix(min(max(*at, 0), lastSecond), 0).UTC()}, nil
	case interval == nil:
		return Expiry{}, nil
	case *interval < 1:
		return Expiry{}, Errorf(InvalidExpiry, "expire_interval is %d: it is a number of days from 1 to 30", *interval)
	default:
		return Expiry{Days: int(min(*interval, 1<<16))}, nil
	}
}

// Living reports whether this is the class of the living link.
func (e Expiry) Living() bool { return e == Expiry{} }

// Renewable reports whether a link of this class may be replaced by a fresh one that ends later.
func (e Expiry) Renewable() bool { return e.At.IsZero() && !e.Never }

// String names the class as keys and logs show it.
func (e Expiry) String() string {
	switch {
	case e.Never:
		return "never"
	case !e.At.IsZero():
		return fmt.Sprintf("at %d", e.At.Unix())
	case e.Days != 0:
		return fmt.Sprintf("days %d", e.Days)
	default:
		return "living"
	}
}

func (e Expiry) normalize() (Expiry, error) {
	switch {
	case e.Never && (e.Days != 0 || !e.At.IsZero()):
		return Expiry{}, Errorf(InvalidExpiry, "a permanent link has no end: leave the expire fields out")
	case e.Never:
		return e, nil
	case !e.At.IsZero() && e.Days != 0:
		return Expiry{}, Errorf(InvalidExpiry, "a link ends either at a moment or after days, not both")
	case e.Days < 0:
		return Expiry{}, Errorf(InvalidExpiry, "a link cannot live %d days", e.Days)
	case e.Days >= 30:
		return Expiry{}, nil
	case !e.At.IsZero():
		return Expiry{At: e.At.UTC().Truncate(time.Second)}, nil
	default:
		return Expiry{Days: e.Days}, nil
	}
}

// settle turns what was asked now into the class that answers it, and reports whether it was clamped to WeChat's 30
// days. A time in milliseconds is a time far beyond them.
func (e Expiry) settle(now time.Time, grain time.Duration) (settled Expiry, clamped bool, err error) {
	switch {
	case e.At.IsZero(), e.Never:
		settled, err = e.normalize()
		return settled, e.Days > 30, err
	case !e.At.Add(-safetyMargin).After(now):
		return Expiry{}, false, Errorf(InvalidExpiry, "expire_time must be more than a minute away, in Unix seconds")
	case e.At.After(now.Add(maxLife)):
		return Expiry{}, true, nil
	case grain > 0 && e.At.After(now.Add(roundingHorizon)):
		e.At = e.At.Truncate(grain)
	}
	settled, err = e.normalize()
	return settled, false, err
}

// end is when WeChat ends a link of this class that it was asked for at the moment from.
func (e Expiry) end(from time.Time) time.Time {
	end := from.Add(maxLife)
	switch {
	case e.Never:
		return never
	case !e.At.IsZero() && e.At.Before(end):
		return e.At
	case e.Days != 0:
		return from.Add(time.Duration(e.Days) * day)
	default:
		return end
	}
}

// effectiveEnd is until when a link of this class is handed out that WeChat ends at the moment end.
func (e Expiry) effectiveEnd(end time.Time) time.Time {
	if e.Never {
		return never
	}
	return end.Add(-safetyMargin).Truncate(time.Second).UTC()
}

// leastLife is the life a link of this class must still have to be reused when nobody asks for more.
func (e Expiry) leastLife() time.Duration {
	switch {
	case !e.Renewable():
		return 0 // it ends when its asker wanted; there is no fresher one
	case e.Days != 0:
		return time.Duration(e.Days) * day / 4
	default:
		return maxLife / 10
	}
}

// mostLeastLife is the most a request may ask for: more, and links would be generated faster than they age.
func (e Expiry) mostLeastLife() time.Duration {
	if e.Days != 0 {
		return time.Duration(e.Days) * day * 2 / 3
	}
	return maxLife * 2 / 3
}
