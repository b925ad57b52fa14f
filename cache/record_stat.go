package cache

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"linkbroker/broker"
)

// The fields of the body of counts, which is a map in protobuf's sense.
const (
	fieldCount protowire.Number = 1 // name and number, for each name

	fieldCountName   protowire.Number = 1
	fieldCountNumber protowire.Number = 2 // never 0
)

// maxSeries bounds the name of a series, in bytes: it is part of a key, and those are bounded.
const maxSeries = 1 << 10

// storableStat refuses what has no place of its own.
func storableStat(stat broker.Stat) error {
	switch {
	case stat.Series == "" || len(stat.Series) > maxSeries || strings.ContainsRune(stat.Series, 0):
		return fmt.Errorf("a series has a name of up to %d bytes without a zero", maxSeries)
	case stat.Grain == broker.Total:
		return nil
	case stat.Grain != broker.Hourly && stat.Grain != broker.Daily:
		return fmt.Errorf("there is no grain %q", stat.Grain)
	case stat.At.Unix() < 0 || stat.At.Unix() >= lastMoment:
		return fmt.Errorf("the year %d is out of range", stat.At.Year())
	case stat.Grain == broker.Hourly && !stat.At.Equal(stat.At.Truncate(time.Hour)), stat.At.Nanosecond() != 0:
		return errors.New("what is counted by the hour begins with it, and what is counted by the day with a second")
	}
	return nil
}

// addCounts adds counts to others. They stay at the greatest number rather than begin again at 0.
func addCounts(to, more map[string]uint64) {
	for name, n := range more {
		if n == 0 {
			continue
		}
		if n > math.MaxUint64-to[name] {
			n = math.MaxUint64 - to[name]
		}
		to[name] += n
	}
}

// encodeCounts makes the record of counts. There is at least one, and none is 0.
func encodeCounts(key []byte, counts map[string]uint64) []byte {
	b := make([]byte, headerSize, headerSize+20*len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		entry := appendText(nil, fieldCountName, name)
		b = appendNested(b, fieldCount, appendNumber(entry, fieldCountNumber, counts[name]))
	}
	return seal(key, b)
}

// decodeCounts reads the record of counts. Its error is a damage.
func decodeCounts(key, record []byte) (map[string]uint64, error) {
	body, err := unseal(key, record)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]uint64)
	err = eachField(body, string(body), func(f field) error {
		if f.number != fieldCount {
			return nil
		}
		name, n, err := f.count()
		if _, twice := counts[name]; err != nil || twice || n == 0 {
			return damagedForm
		}
		counts[name] = n
		return nil
	})
	if err == nil && len(counts) == 0 {
		err = damagedForm
	}
	return counts, err
}

func (f field) count() (name string, n uint64, err error) {
	err = f.each(func(f field) error {
		switch f.number {
		case fieldCountName:
			name = f.text
		case fieldCountNumber:
			n = f.value
		}
		return nil
	})
	return name, n, err
}
