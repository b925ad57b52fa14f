package main

import (
	"slices"
	"testing"
)

func TestDraws(t *testing.T) {
	const first, keys = 500, 1000
	asked := map[string][]int{}
	for _, distribution := range []string{uniform, zipf} {
		order, err := draw(distribution, first, keys)
		if err != nil {
			t.Fatal(err)
		}
		again, err := draw(distribution, first, keys)
		if err != nil || !slices.Equal(order, again) {
			t.Errorf("%s is drawn otherwise each time", distribution)
		}
		counts := make([]int, keys)
		for _, link := range order {
			if link < first || link >= first+keys {
				t.Fatalf("%s draws link %d", distribution, link)
			}
			counts[link-first]++
		}
		asked[distribution] = counts
	}
	if low, high := slices.Min(asked[uniform]), slices.Max(asked[uniform]); low*5 < high*3 {
		t.Errorf("uniform asks for a link %d to %d times", low, high)
	}
	if share := float64(asked[zipf][0]) / drawn; share < 0.1 || share > 0.3 {
		t.Errorf("zipf asks for its first link with %v of all", share)
	}
	if _, err := draw("normal", first, keys); err == nil {
		t.Error("a distribution that there is not is drawn from")
	}
}
