package bench

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Together does something n times, so many at once. Who fails does no more.
func Together(atOnce, n int, do func(i int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, atOnce)
	for at := range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[at] == nil; i = int(next.Add(1)) - 1 {
				errs[at] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
