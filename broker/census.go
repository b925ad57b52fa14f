package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Census is what stands in the store, counted by reading all of it.
type Census struct {
	At    time.Time
	Took  time.Duration
	Links int

	// ByTimeLeft counts the links by what they have left at the moment of counting: dead, less than 1, 3 and 10 days,
	// and more.
	ByTimeLeft [5]int

	// RenewedSoon counts those that pre-warming will renew within a day if they stay in demand.
	RenewedSoon int

	// Pages are those with the most uses, at most 20.
	Pages []PageUses
}

// PageUses is how much a page of an app is used.
type PageUses struct {
	App, Path string
	Links     int
	Uses      uint64
}

const (
	mostPages = 20

	// maxPagesCounted bounds the memory: pages beyond so many are not told apart.
	maxPagesCounted = 1 << 14

	// censusShare is the part of the time that counting may take: counting a million links takes a second or two.
	censusShare = 50
)

// timesLeft are the borders between the classes of Census.ByTimeLeft.
var timesLeft = [...]time.Duration{0, day, 3 * day, 10 * day}

// TakeCensus counts what stands in the store, unless that was done so lately that doing it again would cost more than a
// fiftieth of the time.
func (b *Broker) TakeCensus(ctx context.Context) (Counts, error) {
	began := b.clock()
	if last := b.lastCensus(ctx); last != nil && began.Sub(last.At) < censusShare*last.Took {
		return Counts{"put_off": 1}, nil
	}
	census := Census{At: began}
	type place struct{ app, path string }
	pages := make(map[place]PageUses)
	for link, err := range b.allLinks(ctx, Key{}) {
		if err != nil {
			return nil, err
		}
		census.count(link, began)
		page := place{link.Target.App, link.Target.Path}
		if sum, known := pages[page]; known || len(pages) < maxPagesCounted {
			sum.App, sum.Path = page.app, page.path
			sum.Links++
			sum.Uses += link.Uses
			pages[page] = sum
		}
	}
	census.Pages = slices.SortedFunc(maps.Values(pages), func(a, b PageUses) int {
		return cmp.Or(cmp.Compare(b.Uses, a.Uses), cmp.Compare(a.App, b.App), cmp.Compare(a.Path, b.Path))
	})
	census.Pages = slices.Clip(census.Pages[:min(len(census.Pages), mostPages)])
	census.Took = b.clock().Sub(began)
	b.census.Store(&census)
	return Counts{"links": census.Links}, b.keepCensus(ctx, census)
}

// censusName is the blob from which the brokers on a store have the count that one of them has made.
const censusName = "census"

func (b *Broker) keepCensus(ctx context.Context, census Census) error {
	if b.leaser == nil {
		return nil
	}
	text, err := json.Marshal(census)
	if err != nil {
		return err
	}
	return b.store.PutBlob(ctx, censusName, text)
}

// lastCensus gives what was counted last, by whatever broker; nil if nothing was. One that cannot be had is made up for by
// this broker's own.
func (b *Broker) lastCensus(ctx context.Context) *Census {
	own := b.census.Load()
	if b.leaser == nil {
		return own
	}
	text, err := b.store.Blob(ctx, censusName)
	var kept Census
	if err != nil || json.Unmarshal(text, &kept) != nil || own != nil && own.At.After(kept.At) {
		return own
	}
	return &kept
}

func (c *Census) count(link Link, now time.Time) {
	c.Links++
	class := 0
	for class < len(timesLeft) && link.Outlives(now.Add(timesLeft[class])) {
		class++
	}
	c.ByTimeLeft[class]++
	if link.Outlives(now) && link.InDemand(now) && link.DueForRenewal(now.Add(day)) {
		c.RenewedSoon++
	}
}

// A store that is counted in no time is counted anew for whoever looks, so that he sees what he has just done.
const (
	quickCensus = 20 * time.Millisecond
	freshCensus = 2 * time.Second
)

// Census gives what was counted last, if anything was.
func (b *Broker) Census(ctx context.Context) (Census, bool) {
	last := b.lastCensus(ctx)
	if last == nil {
		return Census{}, false
	}
	if last.Took < quickCensus && b.clock().Sub(last.At) > freshCensus {
		if _, err := b.TakeCensus(ctx); err == nil { // else the last will do
			last = b.lastCensus(ctx)
		}
	}
	return *last, true
}
