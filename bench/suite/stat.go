package main

import (
	"math"
	"slices"
	"time"
)

// quartiles are the middle of some figures and how they spread.
type quartiles struct {
	Low    float64 `json:"q1"`
	Median float64 `json:"median"`
	High   float64 `json:"q3"`
}

// quartilesOf gives those of figures in any order.
func quartilesOf(figures []float64) quartiles {
	sorted := slices.Sorted(slices.Values(figures))
	return quartiles{quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)}
}

// quantile gives what a share of the sorted figures stays below, between two of them in proportion; NaN of none.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := share * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// ratios divides the figures of each round by those of another contestant in the same round, so that what slows the
// whole machine for a while slows both.
func ratios(of, to []float64) []float64 {
	all := make([]float64, min(len(of), len(to)))
	for i := range all {
		all[i] = of[i] / to[i]
	}
	return all
}

// sortedMiddle sorts durations and gives the middle one.
func sortedMiddle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
