package cache_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/cache"
)

func TestAProbeTellsDamageFromTheRest(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numberedUpTo(500)...)
	for who, probe := range map[string]cache.Probe{"here": cache.Inspect, "child": childProbe(t)} {
		for _, depth := range []cache.Depth{cache.Quick, cache.Full} {
			if err := probe(t.Context(), depth, path); !errors.Is(err, cache.ErrInUse) {
				t.Errorf("%s, %s: in use gives %v", who, depth, err)
			}
		}
	}
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		return true, tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("99"))
	}))
	noErr(t, b.Close())
	sound := newPath(t)
	noErr(t, openBolt(t, sound).Close())
	for who, probe := range map[string]cache.Probe{"here": cache.Inspect, "child": childProbe(t)} {
		for _, depth := range []cache.Depth{cache.Quick, cache.Full} {
			noErr(t, probe(t.Context(), depth, sound))
			if err := probe(t.Context(), depth, path); !errors.Is(err, cache.ErrNewer) {
				t.Errorf("%s, %s: a later version gives %v", who, depth, err)
			}
			err := probe(t.Context(), depth, sound+"x")
			if err == nil || errors.Is(err, cache.ErrDamaged) || errors.Is(err, cache.ErrInUse) {
				t.Errorf("%s, %s: a missing file gives %v", who, depth, err)
			}
		}
		if err := probe(t.Context(), "deep", sound); err == nil || errors.Is(err, cache.ErrDamaged) {
			t.Errorf("%s: an unknown depth gives %v", who, err)
		}
	}
}

func TestAChildThatCrashesTakesTheFileForDamaged(t *testing.T) {
	self, err := os.Executable()
	noErr(t, err)
	err = cache.Subprocess(self, "child", "crash")(t.Context(), cache.Quick, "links.db")
	if !errors.Is(err, cache.ErrDamaged) || !strings.Contains(err.Error(), "panic: a damaged file") {
		t.Errorf("error %v", err)
	}
}

func TestAChildThatHangsIsNotWaitedFor(t *testing.T) {
	self, err := os.Executable()
	noErr(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = cache.Subprocess(self, "child", "hang")(ctx, cache.Quick, "links.db")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cache.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

func TestAChildThatCannotRunSaysNothingAboutTheFile(t *testing.T) {
	for _, probe := range []cache.Probe{
		cache.Subprocess("/does/not/exist"),
		func(ctx context.Context, depth cache.Depth, path string) error {
			self, _ := os.Executable()
			return cache.Subprocess(self, "child", "no such role")(ctx, depth, path)
		},
	} {
		if err := probe(t.Context(), cache.Quick, "links.db"); err == nil || errors.Is(err, cache.ErrDamaged) {
			t.Errorf("error %v", err)
		}
	}
}
