package cli

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
	"linkbroker/wechat"
)

// The configuration in the words of each package. It has been checked, so that nothing here can fail.

func (c Config) policy(observe func(broker.Event)) broker.Policy {
	apps := make([]broker.App, len(c.Apps))
	for i, app := range c.Apps {
		apps[i] = broker.App{
			ID:              app.AppID,
			Rate:            app.Rate,
			DailyQuota:      app.DailyQuota,
			QuotaZone:       zone(app.QuotaTimezone),
			LinkHosts:       app.LinkHosts,
			NeverShare:      app.Share == shareNever,
			AtLeast:         app.Expiry == expiryAtLeast,
			ExactExpiry:     app.ExpireTimeGrain == 0,
			ExpireTimeGrain: app.ExpireTimeGrain,
			Splice:          app.Splice,
			FallbackHosts:   app.FallbackHosts,
			BatchReserve:    app.BatchReserve,
			PrewarmReserve:  app.PrewarmReserve,

			ShortLinkQuota:      app.ShortLinkQuota,
			PermanentShortLinks: app.PermanentShortLinks,
			PlainScheme:         app.PlainScheme,
		}
	}
	return broker.Policy{
		Apps: apps, Deadline: c.Deadline, Observe: observe,
		AddressGenerations: c.Limits.AddressGenerationsPerMinute, AuditRetention: c.Audit.Retention,
	}
}

// wechatApps gives how WeChat is asked. blobs keep legacy tokens over a restart, and all tokens for the other brokers if
// the store is shared; nil = nothing does.
func (c Config) wechatApps(blobs broker.BlobStore) []wechat.App {
	apps := make([]wechat.App, len(c.Apps))
	leases, _ := blobs.(broker.Leaser)
	for i, app := range c.Apps {
		apps[i] = app.upstream()
		apps[i].Blobs, apps[i].Leases = blobs, leases
	}
	return apps
}

// forwarding gives the calls of WeChat's that are passed on, by appid.
func (c Config) forwarding() map[string][]string {
	paths := make(map[string][]string, len(c.Apps))
	for _, app := range c.Apps {
		paths[app.AppID] = app.PassThrough
	}
	return paths
}

func (c Config) appIDs() []string {
	ids := make([]string, len(c.Apps))
	for i, app := range c.Apps {
		ids[i] = app.AppID
	}
	return ids
}

func (c Config) clients() []broker.Client {
	clients := make([]broker.Client, len(c.Clients))
	for i, client := range c.Clients {
		clients[i] = client.client()
	}
	return clients
}

func (c Config) trustedProxies() []netip.Prefix {
	prefixes := make([]netip.Prefix, len(c.TrustedProxies))
	for i, proxy := range c.TrustedProxies {
		prefixes[i], _ = parsePrefix(proxy)
	}
	return prefixes
}

func (l LimitsConfig) limits() *handlers.Limits {
	return &handlers.Limits{
		AddressRequestsPerSecond: l.AddressRequestsPerSecond,
		FailedAuthPerMinute:      l.FailedAuthPerMinute,
		FailedLoginsPerMinute:    l.FailedLoginsPerMinute,
	}
}

// dataFolder is where files lie that are not for others: beside the store, or where the system has its temporary ones.
func (c Config) dataFolder() string {
	if path, isFile := c.Store.file(); isFile {
		return filepath.Dir(path)
	}
	return os.TempDir()
}

func (c Config) adminURL() string { return strings.TrimRight(c.Admin.PublicURL, "/") }

func (c Config) publicURL() string { return strings.TrimRight(c.PublicURL, "/") }

// logger makes a logger and the level that a reload can change.
func (l LogConfig) logger(w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	l.set(level)
	options := &slog.HandlerOptions{Level: level}
	if l.Format == formatJSON {
		return slog.New(slog.NewJSONHandler(w, options)), level
	}
	return slog.New(slog.NewTextHandler(w, options)), level
}

func (l LogConfig) set(level *slog.LevelVar) { _ = level.UnmarshalText([]byte(l.Level)) }

func zone(name string) *time.Location {
	location, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return location
}
