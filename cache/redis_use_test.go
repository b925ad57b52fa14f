package cache_test

import (
	"reflect"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

func TestUsesInRedisStayBounded(t *testing.T) {
	url, s := twoRedis(t)
	want := numbered(1)
	put(t, s[0], want)
	for day := range 100 {
		use := broker.Use{Key: want.Key, Count: uint64(1 + day), UsedAt: noon.AddDate(0, 0, day)}
		noErr(t, s[day%2].TouchLinks(t.Context(), []broker.Use{use}))
		want = want.Touched(use)
	}
	wantLink(t, s[0], want)
	client := redisClient(t, url)
	fields, err := client.Do(t.Context(), client.B().Hkeys().Key(redisKey(t, client, url, "u:")).Build()).AsStrSlice()
	noErr(t, err)
	if most := cache.UsesDays + 3; len(fields) > most {
		t.Errorf("%d fields, want %d at most: %v", len(fields), most, fields)
	}
}

// FuzzUses reads whatever as the uses of a link. What comes of it can be stored, and is still the same link.
func FuzzUses(f *testing.F) {
	f.Add("last=1772366400123456789\n20513=3\n20512=9\nearlier=7")
	f.Add("last=9223372036854775807\nlast=-1\n99999=1\n-5=2\n=\nearlier=x\n2147483647=9223372036854775807")
	f.Fuzz(func(t *testing.T, text string) {
		fields := make(map[string]string)
		for line := range strings.Lines(text) {
			name, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			fields[name] = number
		}
		link := cache.WithUses(numbered(1), fields)
		record, err := cache.EncodeLink(link)
		if err != nil {
			t.Fatalf("%+v: %v", link, err)
		}
		if got, err := cache.DecodeLink(link.Key, record); err != nil || !reflect.DeepEqual(got, link) {
			t.Fatalf("read as %+v and then as %+v, %v", link, got, err)
		}
		link.Uses, link.UsedAt, link.Recent = 0, numbered(1).UsedAt, ""
		if !reflect.DeepEqual(link, numbered(1)) {
			t.Fatalf("another link: %+v", link)
		}
	})
}
