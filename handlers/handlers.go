package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"linkbroker/broker"
)

// Config is what both listeners need. All of it is required, but for the addresses, the proxies and the limits.
type Config struct {
	Broker  *broker.Broker
	Clients *broker.Clients
	Tokens  *broker.Tokens
	Jobs    Jobs
	Metrics *Metrics
	Clock   broker.Clock
	Logger  *slog.Logger
	Version Version

	// Pages are those of the admin listener; nil if there is none.
	Pages *Pages

	// BatchDesk takes in the files of batches on the admin page. It is stopped by who has made it, once nothing is asked any
	// more. It may be nil where Pages is.
	BatchDesk *BatchDesk

	// UpstreamTokens says how the apps that have access tokens of WeChat stand with them, and Warnings gives the latest of
	// the log, the newest first. Both are for the admin page, which shows none if they are nil.
	UpstreamTokens func() []UpstreamToken
	Warnings       func() []Warning

	// Settings is the configuration that holds, System what runs, and Backups the copies of the store; nil where it has no
	// file. The first two are for the admin page, which shows neither where it is nil.
	Settings func() []Setting
	System   func() System
	Backups  Backups

	// CallFor gives the call with which WeChat would be asked for a normalised target, for the admin page: its path, and
	// its body as JSON. An error means that WeChat is not asked for such a one. nil = it is not shown.
	CallFor func(target broker.Target) (path string, body []byte, err error)

	// PublicURL is where the public listener is reached, without a trailing slash. It is never taken from a
	// request: whoever sends one could make it up. Empty if it is not known.
	PublicURL string

	// AdminURL is where the admin listener is reached, without a trailing slash; empty if it is not known. If it is
	// https, a proxy in front of the listener speaks TLS.
	AdminURL string

	// TrustedProxies may name the address of whom they ask for in X-Forwarded-For. From anybody else that header is
	// not looked at.
	TrustedProxies []netip.Prefix

	// Limits gives those that hold at the moment: a reload of the configuration may change them. nil = there are none.
	Limits func() Limits

	// SpareMemory is told true when a batch begins where none was under way, and false when the last ends; nil = nobody is.
	SpareMemory func(from bool)

	// Forwarding is what else of WeChat's interface is passed on to it; zero = nothing.
	Forwarding Forwarding

	// Ready says whether requests can be answered at all, and names what does not work as it should meanwhile. Both
	// are shown to anybody.
	Ready func(ctx context.Context) (degraded []string, err error)
}

// Jobs are the upkeep that runs on a schedule.
type Jobs interface {
	Statuses() []broker.JobStatus

	// Run runs a job and waits for its end. How it went stands in the status; an error (NotFound, Busy,
	// Unavailable) means that it did not run.
	Run(ctx context.Context, name string) (broker.JobStatus, error)
}

// Warning is a line of the log that an operator should know of. It holds no secrets.
type Warning struct {
	At      time.Time // last
	Error   bool      // it is worse than a warning
	Message string
	Detail  string // its attributes
	Times   int    // how often it came
}

// Public gives the handler of the public listener: the facade, the native interface and its documentation.
func Public(cfg Config) http.Handler {
	a := newAPI(cfg, "public")
	a.facade = true
	return a.engine(publicRoutes(a))
}

// Admin gives the handler of the admin listener.
func Admin(cfg Config) http.Handler {
	a := newAPI(cfg, "admin")
	a.admin = true
	return a.engine(adminRoutes(a))
}

// api is what the handlers of one listener share.
type api struct {
	Config

	facade  bool // some paths speak WeChat's protocol
	admin   bool // no credential may stand in the address: addresses end up in logs on the way
	count   requestCounters
	bodies  bodies
	replies replies
	memo    *memo
	native  nativeIdioms

	limiters limiters
	batches  batches

	sessions    sessions // these are of the admin listener
	crossOrigin *http.CrossOriginProtection
	visitPages  visitPages // and these of the public one
}

func newAPI(cfg Config, listener string) *api {
	crossOrigin := http.NewCrossOriginProtection()
	if u, err := url.Parse(cfg.AdminURL); err == nil && u.Host != "" {
		if err := crossOrigin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil { // as a proxy may change the Host
			panic(err) // not of what was parsed
		}
	}
	return &api{
		Config: cfg, count: cfg.Metrics.requests(listener), limiters: newLimiters(), memo: newMemo(), native: newNativeIdioms(), batches: batches{spareMemory: cfg.SpareMemory},
		sessions: sessions{byID: make(map[broker.KeyDigest]session)}, crossOrigin: crossOrigin,
		visitPages: newVisitPages(),
	}
}
