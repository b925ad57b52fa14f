package main

import (
	"fmt"
	"math/rand/v2"
)

// draws are the numbers of the links that are asked for, in their order: the same for each contestant.
type draws []int

// drawn is how many are drawn. When all are used it begins anew.
const drawn = 1 << 20

// The distributions that can be drawn from.
const (
	uniform = "uniform" // each link is as likely as any other
	zipf    = "zipf"    // link n is as likely as 1/(n+1)^1.1: few are asked for very often
)

// draw draws from links first to first+keys-1 with a fixed seed.
func draw(distribution string, first, keys int) (draws, error) {
	random := rand.New(rand.NewPCG(1, 2))
	next := func() int { return random.IntN(keys) }
	switch distribution {
	case uniform:
	case zipf:
		z := rand.NewZipf(random, 1.1, 1, uint64(keys-1))
		next = func() int { return int(z.Uint64()) }
	default:
		return nil, fmt.Errorf("distribution %q is neither %s nor %s", distribution, uniform, zipf)
	}
	all := make(draws, drawn)
	for i := range all {
		all[i] = first + next()
	}
	return all, nil
}
