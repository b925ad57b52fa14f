package main

import (
	"math"
	"slices"
	"testing"
)

func TestQuartiles(t *testing.T) {
	for name, test := range map[string]struct {
		figures []float64
		want    quartiles
	}{
		"one figure is all of them":         {[]float64{3}, quartiles{3, 3, 3}},
		"of five each is one, in any order": {[]float64{5, 1, 4, 2, 3}, quartiles{2, 3, 4}},
		"of four they lie between":          {[]float64{1, 2, 3, 4}, quartiles{1.75, 2.5, 3.25}},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.figures)
			if got := quartilesOf(test.figures); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !slices.Equal(test.figures, before) {
				t.Error("the rounds are no longer in their order")
			}
		})
	}
	if got := quartilesOf(nil); !math.IsNaN(got.Median) {
		t.Errorf("nothing has the median %v", got.Median)
	}
}

// When the machine slows down for a round, the ratio of that round stays.
func TestRatiosAreOfTheSameRound(t *testing.T) {
	ours, others := []float64{10, 40, 12}, []float64{5, 20, 6}
	if got := ratios(ours, others); !slices.Equal(got, []float64{2, 2, 2}) {
		t.Errorf("got %v", got)
	}
}
