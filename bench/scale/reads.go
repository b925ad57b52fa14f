package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"linkbroker/broker"
)

// reads asks for a million random links.
func (s *scale) reads(ctx context.Context) error {
	const n = 1_000_000
	keys := make([]broker.Key, n)
	for i := range keys {
		keys[i] = s.anyKey()
	}
	began := time.Now()
	for _, key := range keys {
		if _, err := s.store.Link(ctx, key); err != nil {
			return err
		}
	}
	took := time.Since(began)
	s.say("a million random reads", "%.2f µs each", float64(took.Microseconds())/n)
	return s.sayMemory()
}

// sayMemory says what the process holds of the machine's memory, and how much of that are pages of files.
func (s *scale) sayMemory() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name == "RssAnon" || name == "RssFile" {
			s.say(name, "%s", strings.TrimSpace(value))
		}
	}
	return nil
}

// touches writes uses of random links, as a flush does.
func (s *scale) touches(ctx context.Context) error {
	var took []time.Duration
	for range 100 {
		uses := make([]broker.Use, 500)
		for i := range uses {
			uses[i] = broker.Use{Key: s.anyKey(), Count: 1, UsedAt: time.Now()}
		}
		began := time.Now()
		if err := s.store.TouchLinks(ctx, uses); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	s.say("uses of 500 links written", "%s", latencies(took))
	return nil
}

// lists asks for pages of links as an administrator does.
func (s *scale) lists(ctx context.Context) error {
	b := newBroker(s.store, time.Now)
	for _, list := range []struct {
		name  string
		query broker.Query
		pages int
	}{
		{"a page of 50", broker.Query{}, 1},
		{"a page of 500", broker.Query{Limit: 500}, 1},
		{"the hundredth page of 500", broker.Query{Limit: 500}, 100},
		{"of an app", broker.Query{App: s.corpus.App}, 1},
		{"of an app that has none", broker.Query{App: "wx0"}, 1},
		{"by their ends", broker.Query{Sort: "expires"}, 1},
		{"by their ends, the hundredth", broker.Query{Sort: "expires"}, 100},
		{"that end within three days", broker.Query{ExpiringWithin: 72 * time.Hour}, 1},
		{"a search that many match", broker.Query{Text: "src=sms"}, 1},
		{"a search in vain", broker.Query{Text: "nothing"}, 1},
		{"the most used", broker.Query{Sort: "-uses"}, 1},
	} {
		took, found := time.Duration(0), 0
		for range list.pages {
			began := time.Now()
			page, err := b.Links(ctx, list.query)
			if err != nil {
				return fmt.Errorf("%s: %w", list.name, err)
			}
			took, found, list.query.Cursor = time.Since(began), len(page.Links), page.NextCursor
		}
		s.say("list: "+list.name, "%v, %d links", took.Round(10*time.Microsecond), found)
	}
	return nil
}

// census counts all links.
func (s *scale) census(ctx context.Context) error {
	b := newBroker(s.store, time.Now)
	counts, err := b.TakeCensus(ctx)
	if err != nil {
		return err
	}
	census, _ := b.Census(ctx)
	s.say("census", "%v, %d links", census.Took.Round(time.Millisecond), counts["links"])
	return nil
}

// anyKey is that of a random link.
func (s *scale) anyKey() broker.Key {
	return s.corpus.Target(rand.IntN(s.corpus.Links)).Key()
}
