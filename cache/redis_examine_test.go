package cache_test

import (
	"regexp"
	"strings"
	"testing"

	"linkbroker/cache"
)

const wellInfo = "redis_version:7.0.15\r\nrole:master\r\nused_memory:100\r\nmaxmemory:1000\r\naof_last_write_status:ok\r\n"

func TestAReportTellsWhyAServerTakesNoWrites(t *testing.T) {
	for claim, test := range map[string]struct {
		info string
		says func(cache.RedisReport) bool
	}{
		"a replica":                    {"role:slave", func(r cache.RedisReport) bool { return r.Replica }},
		"one that is full":             {"used_memory:1000", cache.RedisReport.Full},
		"one whose file takes nothing": {"aof_last_write_status:err", func(r cache.RedisReport) bool { return r.AppendFails }},
		"one that is too old":          {"redis_version:6.2.14", func(r cache.RedisReport) bool { return r.TooOld != nil }},
	} {
		if test.says(cache.ReportOf(wellInfo)) {
			t.Errorf("%s: a server that is well is taken for it", claim)
		}
		name, _, _ := strings.Cut(test.info, ":")
		info := regexp.MustCompile(`(?m)^`+name+`:\S*`).ReplaceAllString(wellInfo, test.info)
		if !test.says(cache.ReportOf(info)) {
			t.Errorf("%s is not told of", claim)
		}
	}
	if cache.ReportOf("redis_version:7.0.15\r\nused_memory:1000\r\nmaxmemory:0\r\n").Full() {
		t.Error("a server without maxmemory is full")
	}
}
