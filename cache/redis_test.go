package cache_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

func TestADamagedRecordInRedisIsACountedMiss(t *testing.T) {
	url := ownURL(t, sharedRedis(t))
	r, client := openRedis(t, url), redisClient(t, url)
	link := numbered(1)
	put(t, r, link)
	putAlias(t, r, aliasOf("sale"))
	noErr(t, r.PutBlob(t.Context(), "name", []byte("value")))
	addStats(t, r, total("v", visits(7)))
	noErr(t, r.PutClient(t.Context(), broker.Client{Name: "shop"}, ""))
	for _, kind := range []string{"l:", "a:", "b:"} {
		noErr(t, client.Do(t.Context(), client.B().Set().Key(redisKey(t, client, url, kind)).Value("garbage").Build()).Error())
	}
	for kind, field := range map[string]string{"d:": "all", "c:": "shop"} {
		key := redisKey(t, client, url, kind)
		noErr(t, client.Do(t.Context(), client.B().Hset().Key(key).FieldValue().FieldValue(field, "garbage").Build()).Error())
	}
	wantNoLink(t, r, link.Key)
	wantErr(t, second(r.LinkByURL(t.Context(), link.URL)), broker.NotFound)
	wantErr(t, second(r.Alias(t.Context(), "sale")), broker.NotFound)
	wantErr(t, second(r.Blob(t.Context(), "name")), broker.NotFound)
	wantStats(t, r, "v", broker.Total)
	if clients, err := r.ListClients(t.Context()); err != nil || len(clients) != 0 {
		t.Errorf("clients %v, %v", clients, err)
	}
	if got := r.Damaged(); got != 6 {
		t.Errorf("%d damaged records are counted, want 6: the link was read twice", got)
	}
	for _, again := range []error{
		r.PutLink(t.Context(), link), r.PutAlias(t.Context(), aliasOf("sale"), ""), r.PutClient(t.Context(), broker.Client{Name: "shop"}, ""),
		r.AddStats(t.Context(), []broker.Stat{total("v", visits(1))}),
	} {
		noErr(t, again)
	}
	wantLink(t, r, link)
	wantStats(t, r, "v", broker.Total, total("v", visits(1)))
	if kept, err := r.AddBlob(t.Context(), "name", []byte("fresh")); err != nil || string(kept) != "fresh" {
		t.Errorf("got %q, %v", kept, err)
	}
}

func TestADamagedLinkInRedisIsDeletedAndPurged(t *testing.T) {
	url := ownURL(t, sharedRedis(t))
	r, client := openRedis(t, url), redisClient(t, url)
	for _, remove := range []func(broker.Link) error{
		func(link broker.Link) error { return r.DeleteLink(t.Context(), link.Key) },
		func(link broker.Link) error { return second(r.PurgeLinks(t.Context(), date(2200), 10)) },
	} {
		link := numbered(1)
		put(t, r, link)
		noErr(t, client.Do(t.Context(), client.B().Set().Key(redisKey(t, client, url, "l:")).Value("garbage").Build()).Error())
		if err := remove(link); err != nil && !errors.Is(err, broker.NotFound) {
			t.Error(err)
		}
		for _, key := range redisKeys(t, client, url) {
			if key != "meta" && !strings.HasPrefix(key, "w:") {
				t.Errorf("left is %q", key)
			}
		}
	}
}

func TestADamagedCountInRedisReservesNothing(t *testing.T) {
	url := ownURL(t, sharedRedis(t))
	r, client := openRedis(t, url), redisClient(t, url)
	for _, damage := range []string{"garbage", ""} {
		_, _, err := r.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 10)
		noErr(t, err)
		key := redisKey(t, client, url, "q:")
		noErr(t, client.Do(t.Context(), client.B().Hset().Key(key).FieldValue().FieldValue("2026-03-01", damage+"x").Build()).Error())
		if granted, _, err := r.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 10); !errors.Is(err, broker.StoreFailed) || granted != 0 {
			t.Errorf("granted %d, %v", granted, err)
		}
		wantErr(t, second(r.ReservedQuota(t.Context(), "wx1", "2026-03-01")), broker.StoreFailed)
		noErr(t, r.PurgeQuota(t.Context(), "2026-03-02"))
	}
}

func TestAStoreInRedisOfAnotherSchemaIsRefused(t *testing.T) {
	for found, want := range map[string]error{"2": cache.ErrNewer, "0": cache.ErrDamaged, "x": cache.ErrDamaged} {
		url := ownURL(t, sharedRedis(t))
		noErr(t, openRedis(t, url).Close())
		client := redisClient(t, url)
		noErr(t, client.Do(t.Context(), client.B().Set().Key(redisKey(t, client, url, "meta")).Value(found).Build()).Error())
		if _, err := cache.OpenRedis(t.Context(), url, options()); !errors.Is(err, want) {
			t.Errorf("schema %s: %v, want %v", found, err, want)
		}
	}
}

func TestAServerThatIsTooOldIsRefused(t *testing.T) {
	for info, want := range map[string]bool{
		"# Server\r\nredis_version:7.0.15\r\nos:Linux\r\n":                        true,
		"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey:8.0\r\n": true,
		"redis_version:10.0.0\r\n":                                                true,
		"redis_version:6.2.14\r\n":                                                false,
		"redis_version:255.255.255\r\n":                                           true,
		"":                                                                        false,
	} {
		if err := cache.ReportOf(info).TooOld; (err == nil) != want {
			t.Errorf("%q: %v", info, err)
		}
	}
}

func TestAServerThatForgetsIsWarnedOf(t *testing.T) {
	for policy, want := range map[string]bool{"noeviction": false, "allkeys-lru": true, "volatile-ttl": true} {
		var log bytes.Buffer
		opts := options()
		opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r, err := cache.OpenRedis(t.Context(), redistest.Start(t, "--maxmemory-policy", policy).URL(), opts)
		noErr(t, err)
		noErr(t, r.Close())
		if got := strings.Contains(log.String(), policy); got != want {
			t.Errorf("%s: the log says %q", policy, log.String())
		}
	}
}

func TestAWriteThatTooFewReplicasHaveHasFailed(t *testing.T) {
	r := openRedis(t, ownURL(t, strings.Replace(sharedPair(t), "replicas=1", "replicas=2&timeout=300ms", 1)))
	link := numbered(1)
	for name, err := range map[string]error{
		"link":  r.PutLink(t.Context(), link),
		"use":   r.TouchLinks(t.Context(), []broker.Use{{Key: link.Key, Count: 1, UsedAt: noon}}),
		"quota": second2(r.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 10)),
		"value": r.PutBlob(t.Context(), "name", nil),
		"stat":  r.AddStats(t.Context(), []broker.Stat{total("v", visits(1))}),
		"audit": r.AppendAudit(t.Context(), broker.AuditEntry{}),
	} {
		if !errors.Is(err, broker.StoreFailed) || !strings.Contains(err.Error(), "only 1 of 2 replicas") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second2[A, B any](_ A, _ B, err error) error { return err }

// TestAURLThatMeansSomethingElseIsRefused has passwords in places from which they would be shown, and settings that would be passed
// over in silence.
func TestAURLThatMeansSomethingElseIsRefused(t *testing.T) {
	for url, want := range map[string]string{
		"redis://SECRETPW@h:6379":                 "redis://:password@host",
		"redis://SECRETPW:@h:6379":                "redis://:password@host",
		"redis://h:6379?addr=u:SECRETPW@h2:6379":  "addr",
		"redis://h:6379?addr=redis://h2:6379":     "addr",
		"redis://h:6379?addr=":                    "addr",
		"redis://h:6379?addr=SECRETPW":            "addr",
		"redis://h:6379?addr=h2:SECRETPW":         "addr",
		"redis://h:6379?addr=:6379":               "addr",
		"redis://h:6379?master_set=":              "master_set",
		"rediss://h:6379?skip_verify=1":           "certificate",
		"rediss://h:6379?skip_verify":             "certificate",
		"redis://h:6379?replicas=1&replicas=0":    "twice",
		"redis://h:6379?prefix=SECRETPW&prefix=b": "twice",
		"redis://":                                       "host",
		"redis://:SECRETPW@":                             "host",
		"redis://:6379":                                  "host",
		"redis:///0":                                     "host",
		"redis://h:6379?SECRETPW":                        "not known",
		"redis://h:6379?prefix=a;timeout=1s":             "cannot be read",
		"redis://h:6379/0#SECRETPW":                      "escaped",
		"redis://h:6379?addr=h2:6379&addr=h3:6379":       "",
		"redis://h:6379?addr=[::1]:6379&master_set=m":    "",
		"redis://u:p@h/0?prefix=a&replicas=1&timeout=1s": "",
		"redis://:p@[::1]:6379":                          "",
		"redis://h":                                      "",
	} {
		err := cache.CheckURL(url)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", url, err, want)
		case err != nil && strings.Contains(err.Error(), "SECRETPW"):
			t.Errorf("the secret is told: %v", err)
		}
	}
}

// FuzzRedisURL reads URLs that have whatever as a password, escaped by nobody.
func FuzzRedisURL(f *testing.F) {
	for _, password := range []string{"secret", "p@ss/w0rd", "12?pass=word", "12/?pass=word", "x y", "%zz", "1?prefix=%20#a", "1?replicas=secret", "1?timeout=secret"} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if len(password) < 4 {
			return // which any sentence may contain
		}
		for _, url := range []string{"redis://:" + password + "@127.0.0.1:1/0", "redis://user:" + password + "@127.0.0.1:1/x", password} {
			err := cache.ParseRedisURL(url)
			if err != nil && strings.Contains(err.Error(), password) && !strings.Contains(redisComplaints(), password) {
				t.Fatalf("%q: %v", password, err)
			}
		}
	})
}

// redisComplaints are all that is ever said of a URL.
func redisComplaints() (all string) {
	for _, url := range []string{"%zz://", "x://", "redis://h?x=1", "redis://h?prefix=", "redis://h?replicas=x", "redis://h?timeout=x"} {
		all += cache.ParseRedisURL(url).Error() + "\n"
	}
	return all
}
