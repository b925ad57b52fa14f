package handlers

import (
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// Limits hold addresses to a rate. 0 means no limit. A secret key that is good has none of these: its client's grant
// alone says how often it may ask.
type Limits struct {
	AddressRequestsPerSecond float64 // with publishable keys and signatures, and ten times what codes have
	FailedAuthPerMinute      int     // wrong keys, tokens, signatures and slugs; what is beyond is told 429 instead of 401 or 404
	FailedLoginsPerMinute    int     // of an address, and of the beginning of a key; beyond, a good key is refused, too
}

// DefaultLimits are those of a configuration that names none.
func DefaultLimits() Limits {
	return Limits{AddressRequestsPerSecond: 50, FailedAuthPerMinute: 60, FailedLoginsPerMinute: 10}
}

// mostLimited bounds how many clients or addresses a limiter remembers: some 5 MiB.
const mostLimited = 1 << 16

// limiters are what a listener remembers of the rates of those who ask.
type limiters struct {
	clients   *broker.Limiter[string]
	addresses *broker.Limiter[netip.Prefix]
	codes     *broker.Limiter[netip.Prefix]
	failures  *broker.Limiter[netip.Prefix]

	loginAddresses *broker.Limiter[netip.Prefix]
	loginHints     *broker.Limiter[string]   // of the beginnings of keys
	notes          *broker.Limiter[struct{}] // of failed logins in the audit
}

func newLimiters() limiters {
	return limiters{
		clients:   broker.NewLimiter[string](mostLimited),
		addresses: broker.NewLimiter[netip.Prefix](mostLimited),
		codes:     broker.NewLimiter[netip.Prefix](mostLimited),
		failures:  broker.NewLimiter[netip.Prefix](mostLimited),

		loginAddresses: broker.NewLimiter[netip.Prefix](mostLimited),
		loginHints:     broker.NewLimiter[string](mostLimited),
		notes:          broker.NewLimiter[struct{}](1),
	}
}

// perSecond gives the limit of a rate: as many at once as come in a second, and one at least. Nobody notices a rate
// beyond a million a second, or below one a day.
func perSecond(rate float64) broker.Limit {
	rate = min(max(rate, 1.0/(24*60*60)), 1e6)
	events := max(math.Ceil(rate), 1)
	return broker.Limit{Events: int(events), Per: time.Duration(events / rate * float64(time.Second))}
}

func perMinute(events int) broker.Limit { return broker.Limit{Events: events, Per: time.Minute} }

func (a *api) limits() Limits {
	if a.Limits == nil {
		return Limits{}
	}
	return a.Limits()
}

// limit counts a request against the rates that hold for the caller, and notes his address where that is limited.
func (a *api) limit(c *gin.Context, who *caller) error {
	if who.exposed() {
		who.address = a.address(c)
		if err := a.limitAddress(c); err != nil {
			return err
		}
	}
	if rate := who.Grant.RequestsPerSecond; rate > 0 {
		limit := perSecond(rate)
		ok, left, after := a.limiters.clients.Take(who.Name, limit, a.Clock())
		writeLimit(c.Writer.Header(), "client", limit, left)
		if !ok {
			return tooFast(after, "this client asks too often")
		}
	}
	return nil
}

// limitAddress counts a request against the rate that holds for its address.
func (a *api) limitAddress(c *gin.Context) error { return a.limitAddressIn(c, a.limiters.addresses, 1) }

// codeCost is how many requests of another kind a code counts for. The largest take up to 100 ms to draw, and anybody may
// ask for them.
const codeCost = 10

// limitCode counts a code against a rate of its own: as many at once as other requests, so that a page can show many.
func (a *api) limitCode(c *gin.Context) error { return a.limitAddressIn(c, a.limiters.codes, codeCost) }

func (a *api) limitAddressIn(c *gin.Context, limiter *broker.Limiter[netip.Prefix], cost int) error {
	rate := a.limits().AddressRequestsPerSecond
	if rate <= 0 {
		return nil
	}
	limit := perSecond(rate)
	limit.Per *= time.Duration(cost)
	ok, left, after := limiter.Take(a.address(c), limit, a.Clock())
	writeLimit(c.Writer.Header(), "address", limit, left)
	if !ok {
		return tooFast(after, "this address asks too often")
	}
	return nil
}

// throttled counts a failed authentication, and refuses in its place what comes too often from an address. It is
// called when the credential has been looked at, so that a good one is never held up, and a wrong one costs as much
// time before as after.
func (a *api) throttled(c *gin.Context, err error) error {
	if !errors.Is(err, broker.BadCredential) {
		return err
	}
	return a.failed(c, err, "too many wrong credentials come from this address")
}

// failed counts a guess against its address, and gives its error or, beyond the limit, that there were too many.
func (a *api) failed(c *gin.Context, err error, tooMany string) error {
	most := a.limits().FailedAuthPerMinute
	if most == 0 {
		return err
	}
	if ok, _, after := a.limiters.failures.Take(a.address(c), perMinute(most), a.Clock()); !ok {
		return tooFast(after, tooMany)
	}
	return err
}

func tooFast(after time.Duration, message string) error {
	err := broker.Errorf(broker.RateLimited, "%s", message)
	err.RetryAfter = after
	return err
}

// writeLimit adds a limit to the headers of draft-ietf-httpapi-ratelimit-headers. t is when all of it is there again.
func writeLimit(h http.Header, name string, limit broker.Limit, left int) {
	spacing := limit.Per / time.Duration(limit.Events)
	refill := time.Duration(limit.Events-left) * spacing
	var space [128]byte
	b := appendLimit(space[:0], name, ";r=", left, ";t=", refill)
	end := len(b)
	text := string(appendLimit(b, name, ";q=", limit.Events, ";w=", limit.Per)) // one piece of memory: many requests have it
	values := []string{text[:end], text[end:]}
	appendItem(h, "Ratelimit", values[0:1:1])
	appendItem(h, "Ratelimit-Policy", values[1:2:2])
}

// appendLimit appends an item of such a header: a name with a number and a time.
func appendLimit(b []byte, name, number string, n int, length string, d time.Duration) []byte {
	b = append(append(append(b, '"'), name...), '"')
	b = strconv.AppendInt(append(b, number...), int64(n), 10)
	return appendSeconds(append(b, length...), roundUp(d))
}

// appendItem adds an item to a header that is a list.
func appendItem(h http.Header, name string, item []string) {
	if list := h[name]; len(list) > 0 {
		item = []string{list[0] + ", " + item[0]}
	}
	h[name] = item
}

// roundUp gives whole seconds.
func roundUp(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }
