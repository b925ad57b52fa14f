package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

// slowCommits runs changes as a disk that takes a second for each commit would, and counts the commits.
func slowCommits(commits *int) *cache.Committer {
	return cache.StartCommitter(func(write func(*bolt.Tx) error) error {
		err := write(nil)
		time.Sleep(time.Second)
		*commits++
		return err
	})
}

func applied(*bolt.Tx) (bool, error) { return true, nil }

func TestALoneWriteWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits, begin := 0, time.Now()
		c := slowCommits(&commits)
		noErr(t, c.Do(t.Context(), applied))
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v, one commit takes a second", took)
		}
		c.Close()
	})
}

func TestWritesThatComeTogetherCommitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		c := slowCommits(&commits)
		var all sync.WaitGroup
		all.Go(func() { mustDo(t, c.Do(t.Context(), applied)) })
		synctest.Wait() // the first is being committed
		for range 200 {
			all.Go(func() { mustDo(t, c.Do(t.Context(), applied)) })
		}
		all.Wait()
		if commits != 2 {
			t.Errorf("%d commits, want 2", commits)
		}
		c.Close()
	})
}

func TestAWriteWhoseContextEndsInTheQueueNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		c := slowCommits(&commits)
		go c.Do(t.Context(), applied) //nolint:errcheck // it only keeps the disk busy
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		ran := false
		err := c.Do(ctx, func(*bolt.Tx) (bool, error) {
			ran = true
			return true, nil
		})
		c.Close()
		if !errors.Is(err, context.DeadlineExceeded) || ran {
			t.Errorf("error %v, ran %v", err, ran)
		}
	})
}

func TestAWriteThatHasBegunIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		c := slowCommits(&commits)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := c.Do(ctx, applied); err != nil || commits != 1 {
			t.Errorf("error %v after %d commits; the write was on the disk", err, commits)
		}
		c.Close()
	})
}

func TestClosingCommitsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		c := slowCommits(&commits)
		var done atomic.Int32
		for range 10 {
			go func() {
				mustDo(t, c.Do(t.Context(), applied))
				done.Add(1)
			}()
			synctest.Wait()
		}
		c.Close()
		synctest.Wait()
		if done.Load() != 10 {
			t.Errorf("%d writes were answered, want 10", done.Load())
		}
		if err := c.Do(t.Context(), applied); err == nil {
			t.Error("a closed queue took a write")
		}
	})
}

func TestAFailingWriteDoesNotFailItsNeighbours(t *testing.T) {
	defect := errors.New("a defect")
	for name, fail := range map[string]func(tx *bolt.Tx) (bool, error){
		"an error": func(tx *bolt.Tx) (bool, error) {
			mustDo(t, tx.Bucket([]byte("blobs")).Put([]byte("half"), []byte("done")))
			return true, defect
		},
		"a panic": func(tx *bolt.Tx) (bool, error) {
			mustDo(t, tx.Bucket([]byte("blobs")).Put([]byte("half"), []byte("done")))
			panic(defect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBolt(t, newPath(t))
			release := make(chan struct{})
			var all sync.WaitGroup
			all.Go(func() {
				mustDo(t, b.Change(t.Context(), func(*bolt.Tx) (bool, error) { <-release; return false, nil }))
			})
			for range 3 {
				all.Go(func() {
					err := b.Change(t.Context(), fail)
					wantErr(t, err, broker.StoreFailed)
					if !strings.Contains(err.Error(), defect.Error()) {
						t.Errorf("error %v says nothing of its cause", err)
					}
				})
			}
			links := numberedUpTo(20)
			for _, link := range links {
				all.Go(func() { mustDo(t, b.PutLink(t.Context(), link)) })
			}
			close(release)
			all.Wait()
			for _, link := range links {
				wantLink(t, b, link)
			}
			wantErr(t, second(b.Blob(t.Context(), "half")), broker.NotFound)
			put(t, b, numbered(99)) // and the queue lives on
		})
	}
}

func TestAWriteThatChangesNothingCostsNoCommit(t *testing.T) {
	b := openBolt(t, newPath(t))
	before := b.Commits()
	wantErr(t, b.DeleteLink(t.Context(), numbered(1).Key), broker.NotFound)
	_, _, err := b.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 0)
	noErr(t, err)
	noErr(t, b.PurgeQuota(t.Context(), "2026-03-01"))
	if after := b.Commits(); after != before {
		t.Errorf("%d commits", after-before)
	}
}

// mustDo is noErr for goroutines, which cannot end the test.
func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
