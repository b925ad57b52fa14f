package broker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// The steps of a miss that are the domain's own.

func BenchmarkLedgerSpend(b *testing.B) {
	ledger := broker.NewLedger(cache.NewMemory(), 1<<40)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := ledger.Spend(context.Background(), time.Now); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkPaceWait(b *testing.B) {
	pace := broker.NewPace(1e12)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := pace.Wait(context.Background(), time.Now); err != nil {
				b.Error(err)
			}
		}
	})
}

// at answers at once, so that what is left of a miss is the broker's.
type at struct{ calls *atomic.Int64 }

func (a at) Generate(context.Context, broker.Target) (broker.Generated, error) {
	return broker.Generated{URL: fmt.Sprint("https://wxaurl.cn/", a.calls.Add(1)), SentAt: time.Now()}, nil
}

// BenchmarkMiss is a miss without disk and WeChat: the door, the ledger, the pace. A never-share app stores each link
// under a key of its own; the store keeps none here, so that its size does not matter.
func BenchmarkMiss(b *testing.B) {
	policy := broker.Policy{Apps: []broker.App{{ID: appid, Rate: 1e12, DailyQuota: 1 << 40, NeverShare: true}}}
	links := broker.New(forgetful{cache.NewMemory()}, at{new(atomic.Int64)}, policy, time.Now)
	req := query("id=7&src=sms")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := links.Get(context.Background(), req); err != nil {
				b.Error(err)
			}
		}
	})
}

// forgetful is a store that keeps no links.
type forgetful struct{ broker.Store }

func (forgetful) PutLink(context.Context, broker.Link) error { return nil }

func (forgetful) TouchLinks(context.Context, []broker.Use) error { return nil }
