package cli

import (
	"log/slog"
	"sync"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// logEvery is how often one kind of trouble of one app is logged. A full disk fails each request.
const logEvery = time.Minute

// eventLog logs what an operator should know of. It is told of every request, so all the rest it lets pass at once.
type eventLog struct {
	logger *slog.Logger
	clock  broker.Clock

	mu   sync.Mutex
	last map[eventKind]time.Time
}

// eventKind is what may be logged once in a while.
type eventKind struct {
	name broker.EventName
	app  string
}

func newEventLog(logger *slog.Logger, clock broker.Clock) *eventLog {
	return &eventLog{logger: logger, clock: clock, last: make(map[eventKind]time.Time)}
}

func (e *eventLog) observe(event broker.Event) {
	if isRoutine(event.Name) || !e.due(eventKind{event.Name, event.App}) {
		return
	}
	logger := e.logger.With("app", event.App, "error", event.Err)
	switch event.Name {
	case broker.QuotaClosed:
		logger.Warn("WeChat says that the day's quota is used up: stored links go on being served")
	case broker.RateLowered:
		logger.Warn("WeChat says too fast: asking more slowly", "calls_per_second", event.Rate)
	case broker.StoreFailing:
		logger.Warn("the store cannot be written: what it should hold is kept in memory and retried")
	case broker.LinkLost:
		logger.Error("a link that could not be stored had to make room for newer ones")
	case broker.LinkRefused:
		logger.Error("WeChat's links are not what they should be, or lead to a host that is not in link_hosts: nothing of the kind is generated for a minute",
			"kind", event.Kind)
	case broker.WentAlone:
		logger.Warn("the store cannot be asked whether another broker generates a link: each goes on for itself with what quota it has reserved")
	case broker.Panicked:
		logger.Error("a defect was caught: please report it")
	default:
		logger.Warn("something happened that has no message yet", "event", event.Name)
	}
}

// observeToken is told of each attempt to get an access token.
func (e *eventLog) observeToken(fetch wechat.TokenFetch) {
	if fetch.Err != nil && e.due(eventKind{"token_refused", fetch.App}) {
		e.logger.Warn("no access token is to be had", "app", fetch.App, "error", fetch.Err)
	}
	if fetch.KeepErr != nil && e.due(eventKind{"token_not_kept", fetch.App}) {
		e.logger.Warn("the access token could not be kept: a restart, or another broker, will fetch another, which with token: legacy ends this one", "app", fetch.App, "error", fetch.KeepErr)
	}
}

// isRoutine reports whether something happens all the time, and is counted instead.
func isRoutine(name broker.EventName) bool {
	switch name {
	case broker.Answered, broker.CallEnded, broker.QueryEnded, broker.Visited:
		return true
	default:
		return false
	}
}

func (e *eventLog) due(kind eventKind) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock()
	if last, seen := e.last[kind]; seen && now.Sub(last) < logEvery {
		return false
	}
	e.last[kind] = now
	return true
}
