package broker

import (
	"net/netip"
	"net/url"
	"time"
)

// Request is a target plus what the asker wants of the answer.
type Request struct {
	Target

	LeastLife    time.Duration // the answer must live this much longer; 0 = the default of its class
	OnlyIfCached bool          // never generate (HTTP's only-if-cached): a miss is NotCached
	Splice       *bool         // append the query to the link of the page without one; nil = as the app says
	Batched      bool          // a line of a batch: it stands back behind those for whom somebody waits

	Client  *Client      // who asks; its grant and budget hold. nil = linkbroker itself
	Signed  bool         // the client's server has signed path and query: its rules for queries do not hold
	Address netip.Prefix // from where, if that is limited: a publishable key is in everybody's hands

	Prepared *Prepared // in place of all that is asked for; nil = the request is still to be read
}

func (r *Request) purpose() Purpose {
	if r.Batched {
		return Batched
	}
	return Interactive
}

// Outcome is how a request was answered.
type Outcome string

// The outcomes.
const (
	Hit   Outcome = "hit"   // from the store
	Miss  Outcome = "miss"  // generated now
	Stale Outcome = "stale" // generating failed, but the stored link is still alive

	Composed Outcome = "composed" // put together here: neither WeChat nor the store was asked
)

// Answer is a link and how it came about.
type Answer struct {
	Link      Link      // of the page without a query where CQ is set
	CQ        string    // the query spliced onto the link; empty = none is
	Unspliced string    // why it is not, although that was asked
	At        time.Time // when it was answered
	Outcome   Outcome
	LeastLife time.Duration // the life with which the link is reused; what lives no longer is generated anew
	Stored    bool          // false if WeChat generated it and the store could not take it yet
	Collapsed bool          // a miss that shared somebody else's generation
	Clamped   bool          // more than WeChat's 30 days were asked
	Reason    error         // why a stale answer is no fresh one
}

// URL is the address to hand out: that of the link, with what is spliced onto it.
// The query is encoded as a whole.
func (a Answer) URL() string {
	if a.CQ == "" {
		return a.Link.URL
	}
	return a.Link.URL + a.Link.Target.Kind.Splice() + url.QueryEscape(a.CQ)
}

// Age is how long ago the link was generated.
func (a Answer) Age() time.Duration { return max(a.At.Sub(a.Link.GeneratedAt), 0) }

// TTL is how much longer the link is good.
func (a Answer) TTL() time.Duration { return a.Link.ExpiresAt.Sub(a.At) }

// Fresh is how much longer the same request will be answered with this link: HTTP's freshness lifetime less age.
func (a Answer) Fresh() time.Duration { return max(a.TTL()-a.LeastLife, 0) }
