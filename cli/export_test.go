package cli

import (
	"log/slog"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// NewEventLog gives what Policy.Observe and the WeChat client tell the log.
func NewEventLog(logger *slog.Logger, clock broker.Clock) (func(broker.Event), func(wechat.TokenFetch)) {
	e := newEventLog(logger, clock)
	return e.observe, e.observeToken
}
