package cache_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

const quotaDay = "2026-03-01"

func reserves(t *testing.T, s *cache.Redis, n, granted, total int64) {
	t.Helper()
	g, sum, err := s.ReserveQuota(t.Context(), "wx1", quotaDay, n, 1000)
	noErr(t, err)
	if g != granted || sum != total {
		t.Errorf("granted %d, total %d; want %d, %d", g, sum, granted, total)
	}
}

func TestUnitsThatRedisHasLostAreReservedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := openRedis(t, server.URL()), openRedis(t, server.URL())
	reserves(t, a, 100, 100, 100)
	reserves(t, b, 300, 300, 400)
	server.Await(t, "+OK", "FLUSHALL") // as if it had been started again without its file
	eventually(t, 10*time.Second, "400 are reserved", func() bool {
		sum, err := a.ReservedQuota(t.Context(), "wx1", quotaDay)
		noErr(t, err)
		return sum == 400
	})
	reserves(t, a, 10, 10, 410)
	reserves(t, b, -300, -300, 110)
	reserves(t, b, -1, 0, 110) // what is another's it cannot give back
}

func TestUnitsThatAFailoverHasLostAreReservedAgain(t *testing.T) {
	t.Parallel()
	url := ownURL(t, sharedRedis(t))
	a, b := openRedis(t, url), openRedis(t, url)
	reserves(t, a, 100, 100, 100)
	kept, err := a.Day(t.Context(), "wx1", quotaDay)
	noErr(t, err)
	reserves(t, b, 300, 300, 400)
	noErr(t, a.SetDay(t.Context(), "wx1", quotaDay, kept)) // what b has reserved was not yet at the replica
	reserves(t, a, 10, 10, 110)
	reserves(t, b, 10, 10, 420)
}

// Without a replica each write takes effect, and is told to have failed.
func TestUnitsThatNobodyWasToldOfAreNotLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	plain, strict := openRedis(t, server.URL()), openRedis(t, server.URL()+"?replicas=1&timeout=100ms")
	for range 5 {
		_, _, err := strict.ReserveQuota(t.Context(), "wx1", quotaDay, 64, 1000)
		wantErr(t, err, broker.StoreFailed)
	}
	sum, err := plain.ReservedQuota(t.Context(), "wx1", quotaDay)
	noErr(t, err)
	if sum > 64 {
		t.Errorf("%d are reserved of which nobody has any", sum)
	}
}

func TestTurnsGoOnWithoutAReplica(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	url := server.URL() + "?replicas=1&timeout=100ms"
	a, b := leaser(t, url), leaser(t, url)
	turn := takes(t, a, "jobs")
	waits(t, b, "jobs")
	select {
	case <-turn.Lost:
		t.Error("the turn was lost")
	case <-time.After(4 * time.Second):
	}
	turn.Leave(t.Context(), broker.Note{})
	asksUntil(t, b, "jobs").Leave(t.Context(), broker.Note{})
}

func TestAStoreWithTooFewReplicasSaysSo(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, err := cache.Open(t.Context(), server.URL()+"?replicas=1&timeout=200ms", options())
	noErr(t, err)
	t.Cleanup(func() { noErr(t, s.Close()) })
	eventually(t, 10*time.Second, "it says so", func() bool { return s.Health().State == "read-only" })
}

func TestManyReservationsOfOneBrokerAddUp(t *testing.T) {
	t.Parallel()
	url := ownURL(t, sharedRedis(t))
	a, b := openRedis(t, url), openRedis(t, url)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			s := []*cache.Redis{a, b}[i%2]
			if _, _, err := s.ReserveQuota(context.Background(), "wx1", quotaDay, 5, 1000); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	reserves(t, a, 0, 0, 200)
}
