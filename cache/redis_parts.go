package cache

// quotaParts is how much of a day each broker has reserved, by its name.
type quotaParts map[string]uint64

const (
	// partOfOthers is what no broker is known to have: what was moved here from another store, and what was put together.
	partOfOthers = "others"

	// mostParts bounds a record: a broker has a new name each time that it starts.
	mostParts = 256
)

// decodeParts reads the record of a day. Without one nothing is reserved; a damaged one is an error. One that is a mere count was
// moved here.
func decodeParts(key, record []byte) (quotaParts, error) {
	if record == nil {
		return quotaParts{}, nil
	}
	if n, err := decodeCount(key, record); err == nil {
		parts := quotaParts{}
		parts.set(partOfOthers, n)
		return parts, nil
	}
	return decodeCounts(key, record)
}

func (p quotaParts) set(name string, n int64) {
	if n <= 0 {
		delete(p, name)
		return
	}
	p[name] = uint64(n)
}

func (p quotaParts) sum() (n int64) {
	for _, part := range p {
		n += int64(part) //nolint:gosec // was an int64
	}
	return n
}

// encode makes the record. Where there are too many parts, all but one's own are put together: most are of brokers that have long
// ended. One that has not counts twice from then on, which wastes units and overspends none.
func (p quotaParts) encode(key []byte, own string) []byte {
	if len(p) > mostParts {
		mine, sum := p[own], p.sum()
		p = quotaParts{}
		p.set(own, int64(mine))              //nolint:gosec // was an int64
		p.set(partOfOthers, sum-int64(mine)) //nolint:gosec // was an int64
	}
	if len(p) == 0 {
		return encodeCount(key, 0)
	}
	return encodeCounts(key, p)
}
