package broker

import (
	"encoding/binary"
	"time"
)

// dailyKept is over how many days a link's uses are told apart.
const dailyKept = 30

// DailyUses is how often a link was used on each of the last days, in Shanghai: the number of the last day since 1970 and
// then, from that day backwards, the uses of each, all as unsigned varints. It is kept in its stored form, because
// links are read a thousand times for each time that somebody looks at it.
type DailyUses string

// UsesOf says how often the link was used on the day of a moment, and on the days before it.
func (d DailyUses) UsesOf(now time.Time) (uses [dailyKept]uint64) {
	last, counts := d.decode()
	shift := DayNumber(now) - last
	for i, n := range counts {
		if at := int64(i) + shift; at >= 0 && at < dailyKept {
			uses[at] = n
		}
	}
	return uses
}

// add counts uses on the day of a moment.
func (d DailyUses) add(now time.Time, n uint64) DailyUses {
	last, _ := d.decode()
	if at := DayNumber(now); at > last {
		last = at
	}
	uses := d.UsesOf(DayNumbered(last))
	if ago := last - DayNumber(now); ago < dailyKept {
		uses[ago] += n
	}
	return encodeDaily(last, uses)
}

// merged adds the uses of another link.
func (d DailyUses) merged(old DailyUses) DailyUses {
	if old == "" {
		return d
	}
	if d == "" {
		return old
	}
	last, _ := d.decode()
	if before, _ := old.decode(); before > last {
		last = before
	}
	uses, others := d.UsesOf(DayNumbered(last)), old.UsesOf(DayNumbered(last))
	for i := range uses {
		uses[i] += others[i]
	}
	return encodeDaily(last, uses)
}

// sound reports whether these are counts as they are kept here. Beyond a last day in the future none would be counted until
// then.
func (d DailyUses) sound(now time.Time) bool {
	if d == "" {
		return true
	}
	last, _ := d.decode()
	return last <= DayNumber(now.Add(safetyMargin)) && d == encodeDaily(last, d.UsesOf(DayNumbered(last)))
}

// decode gives what is there; what makes no sense is no use.
func (d DailyUses) decode() (last int64, counts []uint64) {
	b := []byte(d)
	for i := 0; len(b) > 0 && i <= dailyKept; i++ {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			break
		}
		b = b[size:]
		if i == 0 {
			last = int64(min(n, 1<<31))
			continue
		}
		counts = append(counts, n)
	}
	return last, counts
}

func encodeDaily(last int64, uses [dailyKept]uint64) DailyUses {
	b := binary.AppendUvarint(nil, uint64(last)) //nolint:gosec // after 1970
	end := dailyKept
	for end > 0 && uses[end-1] == 0 {
		end--
	}
	for _, n := range uses[:end] {
		b = binary.AppendUvarint(b, n)
	}
	return DailyUses(b)
}

// DayNumber counts the days since 1970 in Shanghai: uses of one day are counted together.
func DayNumber(t time.Time) int64 { return max(t.Add(shanghaiAhead).Unix()/int64(day/time.Second), 0) }

// DayNumbered is the moment at which a day begins.
func DayNumbered(n int64) time.Time {
	return time.Unix(n*int64(day/time.Second), 0).Add(-shanghaiAhead)
}
