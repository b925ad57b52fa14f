package cli

import (
	"context"
	"errors"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// refreshPatience bounds how long the clients of a store may take to be read.
const refreshPatience = 10 * time.Second

// refreshClients takes over what another broker on the store has changed. Where the store cannot be read, which is told of
// elsewhere, the clients stay as they are known, and the error has it called again. The key that signs tokens is looked
// for as well: a store that came back empty has got another by whoever was first.
func (s *service) refreshClients() error {
	ctx, cancel := context.WithTimeout(context.Background(), refreshPatience)
	defer cancel()
	err := errors.Join(s.clients.Refresh(ctx), s.tokens.Refresh(ctx))
	if err == nil || errors.Is(err, broker.StoreFailed) {
		return err
	}
	s.logger.Warn("clients that another broker has changed could not be taken over", "error", err)
	return nil
}

// measureShared adds the figures of a store that several brokers share. Over any other they are there as well, and 0: an alert
// on them holds for both.
func (s *service) measureShared(metrics *handlers.Metrics) {
	for _, state := range cache.Troubles() {
		metrics.Gauge("store_trouble", "1 while the shared store is in such trouble: full, read-only, loading or away.",
			map[string]string{"state": state}, func() float64 { return oneIf(s.store.Health().State == state) })
	}
	metrics.Gauge("store_doubts", "How often since the start all that memory holds had to be asked for again: connections to the store were lost.",
		nil, func() float64 { return float64(s.store.Health().Doubts) })
}
