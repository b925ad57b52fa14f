package cli_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"linkbroker/cli"
)

func TestAStoresPasswordIsNotShown(t *testing.T) {
	for given, shown := range map[string]string{
		"bolt://data/links.db":                       "bolt://data/links.db",
		"memory://":                                  "memory://",
		"redis://127.0.0.1:6379":                     "redis://127.0.0.1:6379",
		"rediss://app:s3cret@10.0.0.5:6380/2?a=b":    "rediss://app:xxxxx@10.0.0.5:6380/2?…",
		"redis://:s3cret@10.0.0.5":                   "redis://:xxxxx@10.0.0.5",
		"redis://s3cret@10.0.0.5":                    "redis://xxxxx@10.0.0.5",
		"redis://10.0.0.5?addr=u:s3cret@h2:6379":     "redis://10.0.0.5?…",
		"redis://10.0.0.5?s3cret&prefix=a":           "redis://10.0.0.5?prefix=a&…",
		"redis://10.0.0.5#s3cret":                    "redis://10.0.0.5",
		"redis://:a/s3cret@h:1":                      "redis://***",
		"redis://10.0.0.5/s3cret":                    "redis://10.0.0.5",
		"redis://a:1/0?timeout=1s&addr=b:1&addr=c:1": "redis://a:1/0?addr=b:1&addr=c:1&timeout=1s",
		"redis://app:s3cret%zz@10.0.0.5/ not a url":  "redis://***",
	} {
		url := cli.StoreURL(given)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("opening", "store", url)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("opening", "store", url)
		if got := url.String(); got != shown || strings.Contains(log.String()+fmt.Sprintf("%s %v %+v %q", url, url, url, url), "s3cret") {
			t.Errorf("%q is shown as %q, and logged as\n%s", given, got, log.String())
		}
	}
}
