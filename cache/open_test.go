package cache_test

import (
	"strings"
	"testing"
	"time"

	"linkbroker/cache"
)

func options() cache.Options {
	return cache.Options{Clock: func() time.Time { return noon }}
}

func open(t *testing.T, path string, opts cache.Options) *cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), "bolt://"+path, opts)
	noErr(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAStoreIsOpenedByItsURL(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, url := range []string{"bolt://links.db", "bolt://data/links.db", "bolt://" + newPath(t), "memory://"} {
		t.Run(url, func(t *testing.T) {
			s, err := cache.Open(t.Context(), url, options())
			noErr(t, err)
			put(t, s, numbered(1))
			wantLink(t, s, numbered(1))
			if s.Recovery() != nil || s.Damaged() != 0 {
				t.Errorf("recovery %v, %d damaged", s.Recovery(), s.Damaged())
			}
			if restored, err := s.Restored(); restored || err != nil {
				t.Errorf("restored %v, %v", restored, err)
			}
			noErr(t, s.ConfirmRestored(t.Context()))
			noErr(t, s.Close())
		})
	}
}

func TestAnotherURLIsRefused(t *testing.T) {
	for url, says := range map[string]string{
		"redis://user:hunter2@127.0.0.1:1":                 "connecting to Redis",
		"redis://user:hunter2@127.0.0.1:1?timeout=hunter2": "timeout is how long",
		"redis://user:hunter2%@127.0.0.1:1":                "is something in the password to be escaped",
		"mysql://user:hunter2@localhost":                   "known are bolt://path, redis://host:port, rediss://host:port, valkey://host:port, valkeys://host:port and memory://",
		"mysql:hunter2":                                    "known are bolt://path, ",
		"bolt://":                                          "known are bolt://path, ",
		"data/links.db":                                    "known are bolt://path, ",
		"":                                                 "known are bolt://path, ",
	} {
		_, err := cache.Open(t.Context(), url, options())
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %v, want one that says %q", url, err, says)
		}
	}
	if _, err := cache.Open(t.Context(), "memory://", cache.Options{}); err == nil {
		t.Error("a store without a clock was opened")
	}
}

func TestSizeIsWhatIsInUse(t *testing.T) {
	s := open(t, newPath(t), options())
	before := s.Size()
	put(t, s, numberedUpTo(1000)...)
	if after := s.Size(); before <= 0 || after < before+100_000 {
		t.Errorf("%d bytes before, %d after a thousand links", before, after)
	}
}
