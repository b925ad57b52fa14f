package cache

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"linkbroker/broker"
)

// statSeries is a series in one of its grains.
type statSeries struct {
	series string
	grain  broker.Grain
}

// statRange is a stretch of a series in the keys of the stats bucket, which are of the forms
//
//	h · moment · series          hours
//	d · series · 0 · moment      days
//	t · series · 0 · 0           totals
//
// with the moment in seconds since 1970 (8 bytes, big-endian). Days lie series by series, since they are read so.
// Hours lie in the order of time, since they are deleted so, and it takes a search for each to read those of a series.
type statRange struct {
	prefix, suffix []byte // of the keys, around the moment
	from, to       uint64 // from <= moment < to
	step           uint64 // moments are multiples of it
}

// rangeOf gives the stretch with from <= At < to. For totals both are without meaning.
func rangeOf(s statSeries, from, to time.Time) statRange {
	r := statRange{from: secondFrom(from), to: secondFrom(to), step: 1}
	switch s.grain {
	case broker.Hourly:
		r.prefix, r.suffix, r.step = []byte("h"), []byte(s.series), uint64(time.Hour/time.Second)
	case broker.Daily:
		r.prefix = []byte("d" + s.series + "\x00")
	case broker.Total:
		r.prefix, r.from, r.to = []byte("t"+s.series+"\x00"), 0, 1
	default:
		r.to = 0 // nothing is counted by anything else
	}
	return r
}

// rangeFor gives the stretch of one stat.
func rangeFor(stat broker.Stat) statRange {
	return rangeOf(statSeries{stat.Series, stat.Grain}, stat.At, stat.At.Add(time.Second))
}

// wholeRange gives all that is kept of a series in a grain.
func wholeRange(s statSeries) statRange { return rangeOf(s, time.Unix(0, 0), time.Unix(lastMoment, 0)) }

// key is the least key that the range may have.
func (r *statRange) key() []byte {
	key := make([]byte, 0, len(r.prefix)+8+len(r.suffix))
	key = binary.BigEndian.AppendUint64(append(key, r.prefix...), r.from)
	return append(key, r.suffix...)
}

// advance moves the beginning of the range behind a key, the first there is from r.key() on. It gives the moment of
// the key and whether it is one of the range: it may be of another series, and if a page is damaged of another form.
// Even then it never moves back, or it would never come to its end.
func (r *statRange) advance(key []byte) (second uint64, mine bool) {
	rest, same := bytes.CutPrefix(key, r.prefix)
	var moment [8]byte
	n := copy(moment[:], rest)
	second = binary.BigEndian.Uint64(moment[:])
	if !same || second < r.from || second >= r.to {
		r.from = r.to
		return 0, false
	}
	order := bytes.Compare(rest[n:], r.suffix)
	if n < len(moment) || order < 0 {
		r.from = max(second, r.from+1) // ours of that moment lies behind it
		return 0, false
	}
	r.from = second - second%r.step + r.step
	return second, order == 0
}

// isStatKey reports whether a key has one of the forms.
func isStatKey(key []byte) bool {
	const least = 1 + 8 + 1 // form, moment, and a series or what ends it
	switch {
	case len(key) < least:
		return false
	case key[0] == 'h':
		return true
	default:
		return (key[0] == 'd' || key[0] == 't') && len(key) > least && key[len(key)-9] == 0
	}
}

// seriesOf gives the series and the moment of a key that has one of the forms.
func seriesOf(key []byte) (s statSeries, second uint64) {
	form, rest := key[0], key[1:]
	if form == 'h' {
		return statSeries{string(rest[8:]), broker.Hourly}, binary.BigEndian.Uint64(rest)
	}
	name, moment := rest[:len(rest)-9], rest[len(rest)-8:]
	if form == 'd' {
		return statSeries{string(name), broker.Daily}, binary.BigEndian.Uint64(moment)
	}
	return statSeries{string(name), broker.Total}, 0
}

// secondFrom gives the first whole second that is not before a moment.
func secondFrom(t time.Time) uint64 {
	second := t.Unix()
	if t.Nanosecond() > 0 && second < math.MaxInt64 {
		second++
	}
	return uint64(max(second, 0))
}

// stat gives the stat of the series that began in a second.
func (s statSeries) stat(second uint64, counts map[string]uint64) broker.Stat {
	stat := broker.Stat{Series: s.series, Grain: s.grain, Counts: counts}
	if s.grain != broker.Total {
		stat.At = time.Unix(int64(second), 0).UTC() //nolint:gosec // below lastMoment
	}
	return stat
}
