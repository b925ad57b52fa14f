package broker

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// Verdict is what came of asking WeChat about a stored link.
type Verdict string

// The verdicts.
const (
	Confirmed  Verdict = "confirmed"  // WeChat ends it when we thought, or later
	Corrected  Verdict = "corrected"  // WeChat ends it earlier or later: the stored end is put right
	Dropped    Verdict = "dropped"    // WeChat does not know it: it has ended, and the next request has one generated anew
	Superseded Verdict = "superseded" // another link took its place meanwhile
)

// Verification is a verdict and the link as it is stored now.
type Verification struct {
	Verdict Verdict
	Link    Link
}

// Verify asks WeChat about a stored link and puts right what is wrong of it. It spends no generation.
func (b *Broker) Verify(ctx context.Context, key Key) (Verification, error) {
	link, _, err := b.find(ctx, key)
	if err != nil {
		return Verification{}, err
	}
	app, ok := b.apps[link.Target.App]
	if !ok {
		return Verification{}, Errorf(UnknownApp, "the mini program of this link is no longer configured")
	}
	verdict, err := b.verify(ctx, app, link)
	if err != nil {
		return Verification{}, err
	}
	now, _, err := b.find(ctx, key)
	return Verification{Verdict: verdict, Link: now}, err
}

// verify asks first and takes the key's turn afterwards: who needs the link shall not wait for WeChat's answer.
func (b *Broker) verify(ctx context.Context, app *app, link Link) (Verdict, error) {
	verdict, end := Confirmed, link.ExpiresAt
	switch got, err := b.inspect(ctx, app, link.Target.Kind, link.URL); {
	case errors.Is(err, NotFound):
		verdict = Dropped
		if now := b.clock().UTC().Truncate(time.Second); link.Outlives(now) {
			end = now
		}
	case err != nil:
		return "", err
	default:
		end = link.endsBy(got.ExpiresAt)
		if off := end.Sub(link.ExpiresAt).Abs(); off >= safetyMargin { // less is what the margin is for: clocks differ
			verdict = Corrected
		}
	}
	if verdict == Confirmed || end.Equal(link.ExpiresAt) {
		return verdict, nil
	}
	leave, err := b.takeTurn(ctx, link.Key)
	if err != nil {
		return "", err
	}
	defer leave()
	return b.correct(ctx, link, verdict, end)
}

// endsBy gives the effective end of a link that WeChat says to end at a moment. Never later than it would be by what was
// asked: a caller who wanted seven days must not get eight. Where WeChat does not say, what is known stays: a link that was
// imported may be older than it seems.
func (l Link) endsBy(told time.Time) time.Time {
	if told.IsZero() {
		return l.ExpiresAt
	}
	end := l.Target.Expiry.end(l.GeneratedAt)
	if told.Before(end) {
		end = told
	}
	end = l.Target.Expiry.effectiveEnd(end)
	if made := l.GeneratedAt.Truncate(time.Second); end.Before(made) {
		return made // whatever moment WeChat makes up: it is dead, and can be stored
	}
	return end
}

// correct stores the end of a link, if it is still the one that was asked about. Uses and pin are the target's rather
// than the link's, so they stay: PutLink takes them from what it replaces.
func (b *Broker) correct(ctx context.Context, link Link, verdict Verdict, end time.Time) (Verdict, error) {
	current, stored, err := b.current(ctx, link.Key)
	switch {
	case errors.Is(err, NotFound), err == nil && current.URL != link.URL:
		return Superseded, nil
	case err != nil:
		return "", err
	}
	current.ExpiresAt = end
	if !stored {
		b.unstored.put(current)
		return verdict, nil
	}
	return verdict, b.store.PutLink(ctx, current.withoutHistory())
}

// How much one run of VerifyLinks looks at.
const (
	verifyMostUsed = 100
	verifySample   = 100
)

// VerifyLinks asks WeChat about the links that are used most and about a sample of the others, one after the other and
// behind all for whom a link is generated.
func (b *Broker) VerifyLinks(ctx context.Context) (Counts, error) {
	counts := Counts{"confirmed": 0, "corrected": 0, "dropped": 0, "failed": 0}
	chosen, err := b.chooseToVerify(ctx)
	if err != nil {
		return counts, err
	}
	stopped := map[string]bool{} // apps with which it is no use to go on
	for _, link := range chosen {
		app := b.apps[link.Target.App]
		if stopped[app.ID] {
			continue
		}
		verdict, failed := b.verify(ctx, app, link)
		switch {
		case ctx.Err() != nil:
			return counts, errors.Join(err, ctx.Err())
		case failed != nil:
			counts["failed"]++
			stopped[app.ID] = errors.Is(failed, Unavailable) || !aboutOneLink(failed)
			err = errors.Join(err, failed)
		default:
			counts[string(verdict)]++
		}
	}
	return counts, err
}

// chooseToVerify walks over all links, in constant memory and with pauses, and picks those that are used most and as
// many by chance.
func (b *Broker) chooseToVerify(ctx context.Context) ([]Link, error) {
	now := b.clock()
	var most, sample []Link
	seen, walked := 0, 0
	for link, err := range b.allLinks(ctx, Key{}) {
		if err != nil {
			return nil, err
		}
		if walked++; walked%scanPage == 0 && !sleep(ctx, time.Millisecond) {
			return nil, ctx.Err()
		}
		if _, known := b.apps[link.Target.App]; !known || !link.Target.Kind.Queryable() || !link.Outlives(now) {
			continue
		}
		most = amongMostUsed(most, link)
		// A reservoir: each link so far is in it with the same chance.
		if seen++; len(sample) < verifySample {
			sample = append(sample, link)
		} else if place := rand.IntN(seen); place < verifySample { //nolint:gosec // a sample, no secret
			sample[place] = link
		}
	}
	for _, link := range sample {
		if !slices.ContainsFunc(most, func(l Link) bool { return l.Key == link.Key }) {
			most = append(most, link)
		}
	}
	return most, nil
}

// amongMostUsed puts a link in its place among the most used so far.
func amongMostUsed(most []Link, link Link) []Link {
	at, _ := slices.BinarySearchFunc(most, link, func(a, b Link) int { return cmp.Compare(b.Uses, a.Uses) })
	if at >= verifyMostUsed {
		return most
	}
	most = slices.Insert(most, at, link)
	return most[:min(len(most), verifyMostUsed)]
}
