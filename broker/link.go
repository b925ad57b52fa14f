package broker

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Link is what WeChat generated for a target.
type Link struct {
	Key         Key
	Target      Target // normalised
	URL         string
	GeneratedAt time.Time // when the call that made it was sent
	ExpiresAt   time.Time // effective: nothing at or past it is ever handed out
	UsedAt      time.Time // last time it answered a request; zero = never
	Uses        uint64    // how many requests it answered
	Recent      DailyUses // how many of them on each of the last days
	Pinned      bool      // kept warm whether or not it is used
	Rotations   uint64    // how often a fresh link took the place of the one before
	AskedBy     string    // the client that had the first one generated; empty = linkbroker itself

	Extra json.RawMessage // fields of WeChat's answer that we do not know, as a JSON object; nil = none
}

// Outlives reports whether the link is still good at the moment t. It is the one predicate of freshness.
func (l *Link) Outlives(t time.Time) bool { return l.ExpiresAt.After(t) }

// Life is how long the link lives in all.
func (l Link) Life() time.Duration { return l.ExpiresAt.Sub(l.GeneratedAt) }

// InDemand reports whether the link is worth renewing: pinned, or used lately. Lately is a week, and less for
// links that live shortly: one used only in the first days of its life is left to die.
func (l Link) InDemand(now time.Time) bool {
	return l.Pinned || !l.UsedAt.IsZero() && now.Sub(l.UsedAt) < min(7*day, l.Life()/3)
}

// DueForRenewal reports whether pre-warming may replace the link. From a third of its life left (the convention of
// certificate renewal), at an instant of the window's first half that differs from link to link: what was
// generated together is not renewed together, and time is left to try again before a caller would have to wait.
func (l Link) DueForRenewal(now time.Time) bool {
	if !l.Target.Expiry.Renewable() {
		return false
	}
	opens := l.Life() / 3
	window := max(opens-l.Target.Expiry.leastLife(), 0)
	return !l.Outlives(now.Add(opens - l.jitter(window/2)))
}

// jitter is a length below the window, drawn once for each generation of a link.
func (l Link) jitter(window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	seed := binary.BigEndian.Uint64(l.Key[:]) ^ uint64(l.GeneratedAt.UnixNano())*0x9E3779B97F4A7C15
	return time.Duration(seed>>1) % window // the sign bit is shifted out
}

// Replacing gives the link with the history and the pin of the one it replaces. Stores apply it in PutLink, inside
// their transaction, so that nothing is lost to a renewal.
func (l Link) Replacing(old Link) Link {
	l.Uses += old.Uses
	l.Recent = l.Recent.merged(old.Recent)
	l.Pinned = l.Pinned || old.Pinned
	l.Rotations = max(l.Rotations, old.Rotations)
	if !l.GeneratedAt.Equal(old.GeneratedAt) {
		l.Rotations++
	}
	if old.AskedBy != "" {
		l.AskedBy = old.AskedBy
	}
	if old.UsedAt.After(l.UsedAt) {
		l.UsedAt = old.UsedAt // or pre-warming would keep itself warm
	}
	return l
}

// withoutHistory gives the link to be put in place of itself: its uses and pin are taken from what it replaces.
func (l Link) withoutHistory() Link {
	l.Uses, l.UsedAt, l.Recent, l.Pinned = 0, time.Time{}, "", false
	return l
}

// Use is what TouchLinks adds to a link: so many uses, the last of them at a moment.
type Use struct {
	Key    Key
	Count  uint64
	UsedAt time.Time
}

// Touched gives the link with the use added.
func (l Link) Touched(u Use) Link {
	l.Uses += u.Count
	l.Recent = l.Recent.add(u.UsedAt, u.Count)
	if u.UsedAt.After(l.UsedAt) {
		l.UsedAt = u.UsedAt
	}
	return l
}

// Generated is what a Generator brings back.
type Generated struct {
	URL    string
	SentAt time.Time // when the call that made it was sent; its life counts from there

	Extra json.RawMessage // further fields of WeChat's answer, as a JSON object; nil = none
}

// maxKept bounds what is kept of an answer besides its link: whatever it is, it is stored with each.
const maxKept = 2 << 10

// keptOf gives the canonical form of an answer's further fields. What cannot be kept is left out: the link is what
// was paid for.
func keptOf(extra json.RawMessage) json.RawMessage {
	if len(extra) == 0 || len(extra) > maxKept {
		return nil
	}
	kept, names, err := canonicalObject(extra)
	if err != nil || len(names) == 0 || slices.ContainsFunc(names, saysWhere) {
		return nil
	}
	return kept
}

// saysWhere reports whether a field tells a client where a link leads, or whether there is one, in snake_case or
// camelCase. Beside ours it could take its place: many decoders take the last of two, or mind no capitals.
func saysWhere(name string) bool {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
	case "errcode", "errmsg", "urllink", "openlink", "link":
		return true
	}
	return false
}
