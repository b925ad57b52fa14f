package cli_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// sandboxApp is the mini program that the sandbox serves.
const sandboxApp = "wx5a4db0c5a4db0c5a"

// seed is a store of the sandbox before its first start, so that it has a past.
type seed struct {
	t      *testing.T
	store  *cache.Store
	random *rand.Rand // always the same numbers
	now    time.Time
	at     time.Time // the moment at which something is done
}

// seeded makes a folder with a store that has what plant puts into it.
func seeded(t *testing.T, plant func(*seed)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := cache.Open(t.Context(), "bolt://"+filepath.Join(dir, "data", "sandbox.db"), cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	plant(&seed{t: t, store: store, random: rand.New(rand.NewPCG(1, 2)), now: now, at: now})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *seed) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// link gives a link as WeChat would have made it, so long ago. What the target has not is the sandbox's.
func (s *seed) link(target broker.Target, age time.Duration) broker.Link {
	s.t.Helper()
	target.App = sandboxApp
	target, err := target.Normalize()
	s.must(err)
	made := s.now.Add(-age)
	return broker.Link{
		Key: target.Key(), Target: target, URL: "https://wxaurl.cn/" + s.name(11),
		GeneratedAt: made, ExpiresAt: made.Add(30*24*time.Hour - time.Minute),
	}
}

func (s *seed) name(length int) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	name := make([]byte, length)
	for i := range name {
		name[i] = letters[s.random.IntN(len(letters))]
	}
	return string(name)
}

// put stores links, many at a time, since a store writes together what comes together.
func (s *seed) put(links []broker.Link) {
	s.t.Helper()
	queue := make(chan broker.Link)
	var all sync.WaitGroup
	for range 2048 {
		all.Go(func() {
			for link := range queue {
				if err := s.store.PutLink(context.Background(), link); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	for _, link := range links {
		queue <- link
	}
	close(queue)
	all.Wait()
}

// broker is one whose clock shows s.at. It has nobody to ask for links.
func (s *seed) broker() *broker.Broker {
	policy := broker.Policy{Apps: []broker.App{{ID: sandboxApp, DailyQuota: 500_000, Rate: 1}}, Deadline: time.Second}
	return broker.New(s.store, nil, policy, func() time.Time { return s.at })
}

func (s *seed) alias(alias broker.Alias) {
	s.t.Helper()
	alias.Target.App = sandboxApp
	_, _, err := s.broker().PutAlias(s.t.Context(), alias, broker.Precondition{})
	s.must(err)
}

func (s *seed) client(client broker.Client) {
	s.t.Helper()
	clients, err := broker.OpenClients(s.t.Context(), s.store, nil)
	s.must(err)
	_, err = clients.Create(s.t.Context(), client, s.at)
	s.must(err)
}

func (s *seed) audit(actor, action, object string) {
	s.t.Helper()
	s.must(s.store.AppendAudit(s.t.Context(), broker.AuditEntry{
		At: s.at.UTC().Truncate(time.Millisecond), Actor: actor, Address: "127.0.0.1", Action: action, Object: object,
	}))
}

// shanghai is where days begin.
func shanghai() *time.Location { return time.FixedZone("", 8*60*60) }

// hour counts what happened in an hour, and on its day.
func (s *seed) hour(at time.Time, series string, counts map[string]uint64) {
	s.t.Helper()
	local := at.In(shanghai())
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, local.Location())
	s.must(s.store.AddStats(s.t.Context(), []broker.Stat{
		{Series: series, Grain: broker.Hourly, At: at.UTC(), Counts: counts},
		{Series: series, Grain: broker.Daily, At: day.UTC(), Counts: counts},
	}))
}

// shopPages are the pages of a shop that is nobody's: how many links each has, and how much of the use.
var shopPages = []struct {
	path, query string
	links       int
	share       float64
	kind        broker.Kind
	prefix      string
}{
	{"pages/item/detail", "id=%d", 96, .46, broker.URLLink, "https://wxaurl.cn/"},
	{"pages/shop/index", "", 1, .17, broker.URLLink, "https://wxaurl.cn/"},
	{"pages/coupon/claim", "code=AUTUMN-%d&from=sms", 48, .12, broker.URLLink, "https://wxaurl.cn/"},
	{"pages/order/track", "no=2026%d", 40, .08, broker.URLLink, "https://wxaurl.cn/"},
	{"pages/event/signup", "event=%d&channel=poster", 18, .06, broker.URLLink, "https://wxaurl.cn/"},
	{"packages/live/room", "room_id=%d", 12, .05, broker.Scheme, "weixin://dl/business/?t="},
	{"pages/member/card", "", 1, .03, broker.Scheme, "weixin://dl/business/?t="},
	{"pages/article/read", "id=%d", 22, .02, broker.URLLink, "https://wxaurl.cn/"},
	{"pages/item/detail", "id=%d", 8, .01, broker.ShortLink, "#小程序://商店/"},
}

// shop is a month of that shop.
func shop(s *seed) {
	s.shopLinks()
	s.shopClients()
	s.shopAliases()
	s.shopHistory()
	for i, entry := range [][3]string{
		{"ops", "login", ""},
		{"ops", "client.create", "crm"},
		{"command", "client.create", "wecom-bot"},
		{"ops", "login", ""},
		{"ops", "alias.create", "autumn-sale"},
		{"ops", "alias.put", "autumn-sale"},
		{"ops", "link.pin", "pages/shop/index"},
		{"nobody", "login.failed", ""},
		{"ops", "login", ""},
		{"ops", "client.rotate", "shop-web"},
		{"ops", "job.run", "census"},
	} {
		s.at = s.now.Add(time.Duration(i-12) * 7 * time.Hour)
		s.audit(entry[0], entry[1], entry[2])
	}
}

func (s *seed) shopLinks() {
	s.t.Helper()
	var links []broker.Link
	askers := []string{"shop-web", "crm", "wecom-bot", "poster-printer"}
	for _, page := range shopPages {
		for n := range page.links {
			target := broker.Target{Path: page.path, Kind: page.kind}
			if page.query != "" {
				target.Query = fmt.Sprintf(page.query, 1000+37*n)
			}
			age := time.Duration(s.random.Float64() * float64(30*24*time.Hour))
			link := s.link(target, age)
			link.URL = page.prefix + s.name(11)
			link.AskedBy = askers[n%len(askers)]
			link.Pinned = page.path == "pages/shop/index"
			link.Rotations = uint64(s.random.IntN(4))
			weight := page.share * 60_000 / float64(page.links) * 2 * s.random.Float64()
			for day := range 14 {
				if used := s.now.AddDate(0, 0, day-13).Add(-time.Duration(s.random.IntN(300)) * time.Minute); used.After(link.GeneratedAt) {
					link = link.Touched(broker.Use{Key: link.Key, Count: uint64(weight * (.5 + s.random.Float64()) / 14), UsedAt: used})
				}
			}
			links = append(links, link)
		}
	}
	s.put(links)
}

func (s *seed) shopClients() {
	s.t.Helper()
	s.at = s.now.AddDate(0, -2, 0)
	s.client(broker.Client{Name: "shop-web", Role: broker.RoleGenerate, Publishable: true, Grant: broker.Grant{
		Origins: []string{"https://shop.example.com"}, GenerationsPerDay: 5000,
		Paths: []broker.PathRule{{Path: "pages/item/detail", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]+"}}}},
	}})
	s.client(broker.Client{Name: "crm", Role: broker.RoleGenerate, Grant: broker.Grant{GenerationsPerDay: 20_000, RequestsPerSecond: 50}})
	s.client(broker.Client{Name: "wecom-bot", Role: broker.RoleGenerate, Grant: broker.Grant{GenerationsPerMinute: 60}})
	s.client(broker.Client{Name: "dashboard", Role: broker.RoleRead})
	s.client(broker.Client{Name: "poster-printer", Role: broker.RoleGenerate, Disabled: true})
	s.client(broker.Client{Name: "ops", Role: broker.RoleAdmin})
}

func (s *seed) shopAliases() {
	s.t.Helper()
	for i, alias := range []broker.Alias{
		{Slug: "autumn-sale", Title: "秋季促销海报", Tags: []string{"poster", "sale"}, Target: broker.Target{Path: "pages/event/signup", Query: "event=1037&channel=poster"}},
		{Slug: "card", Title: "会员卡", Tags: []string{"receipt"}, Target: broker.Target{Path: "pages/member/card"}},
		{Slug: "live", Title: "Live room of the week", Target: broker.Target{Path: "packages/live/room", Query: "room_id=1074"}},
		{Slug: "menu", Title: "Menu on the tables", Tags: []string{"table"}, Target: broker.Target{Path: "pages/shop/index"}},
		{Slug: "new-year", Title: "新年活动", Tags: []string{"poster", "sale"}, Target: broker.Target{Path: "pages/event/signup", Query: "event=1999"}, StartsAt: s.now.AddDate(0, 1, 0)},
		{Slug: "summer-sale", Title: "Summer sale", Tags: []string{"sale"}, Target: broker.Target{Path: "pages/coupon/claim", Query: "code=SUMMER-1"}, EndsAt: s.now.AddDate(0, -1, 0)},
		{Slug: "tasting", Title: "Tasting, 200 guests at most", VisitLimit: 200, Target: broker.Target{Path: "pages/event/signup", Query: "event=1111"}, Disabled: true},
	} {
		s.at = s.now.AddDate(0, -2, i)
		s.alias(alias)
		total := make(map[string]uint64)
		for hour := s.now.Truncate(time.Hour).Add(-30 * 24 * time.Hour); !hour.After(s.now); hour = hour.Add(time.Hour) {
			busy := s.busy(hour) * 40 / float64(i+1)
			counts := map[string]uint64{"wechat": uint64(busy), "ios": uint64(busy / 6), "android": uint64(busy / 9)}
			if busy < 1 || i > 3 {
				continue
			}
			s.hour(hour, "visits/"+alias.Slug, counts)
			for what, n := range counts {
				total[what] += n
			}
		}
		s.must(s.store.AddStats(s.t.Context(), []broker.Stat{{Series: "visits/" + alias.Slug, Grain: broker.Total, Counts: total}}))
	}
}

// busy is how much happens in an hour: little in the night, most in the evening, and never quite the same.
func (s *seed) busy(at time.Time) float64 {
	hour := float64(at.In(shanghai()).Hour())
	around := func(peak, width float64) float64 { return math.Exp(-(hour - peak) * (hour - peak) / width) }
	return (.08 + .6*around(12.5, 10) + around(20, 7)) * (.8 + .4*s.random.Float64())
}

// shopHistory counts a month of answers, calls and clients, and spends today's quota accordingly.
func (s *seed) shopHistory() {
	s.t.Helper()
	spent := int64(0)
	this := s.now.Truncate(time.Hour)
	for hour := this.Add(-30 * 24 * time.Hour); !hour.After(this); hour = hour.Add(time.Hour) {
		requests := 180_000 * s.busy(hour)
		if hour.Equal(this) { // which is not over
			requests *= s.now.Sub(this).Hours()
		}
		miss := uint64(requests * .05 * (.7 + .6*s.random.Float64()))
		counts := map[string]uint64{"hit": uint64(requests) - miss, "miss": miss, "failed": uint64(requests * .002), "stale": 0}
		calls := map[string]uint64{"ok": miss, "took_ms": miss * uint64(85+s.random.IntN(40))}
		if s.random.IntN(20) == 0 { // WeChat was away for a while
			counts["stale"], calls["-1"] = uint64(requests*.02), uint64(requests*.02)
		}
		if s.random.IntN(4) == 0 {
			calls["40165"] = uint64(s.random.IntN(9))
		}
		s.hour(hour, broker.AnswersOf+sandboxApp, counts)
		s.hour(hour, broker.CallsOf+sandboxApp, calls)
		for i, client := range []string{"shop-web", "crm", "wecom-bot", "dashboard"} {
			share := []float64{.62, .24, .11, .03}[i]
			s.hour(hour, broker.AskedBy+client, map[string]uint64{
				"hit": uint64(float64(counts["hit"]) * share), "miss": uint64(float64(miss) * share), "failed": uint64(float64(counts["failed"]) * share),
			})
		}
		if hour.In(shanghai()).Day() == s.now.In(shanghai()).Day() {
			spent += int64(miss + calls["-1"])
		}
	}
	for account, n := range map[string]int64{sandboxApp: spent, "client/shop-web": 3180, "client/crm": 12_406} {
		_, _, err := s.store.ReserveQuota(s.t.Context(), account, s.now.In(shanghai()).Format(time.DateOnly), n, 500_000)
		s.must(err)
	}
}
