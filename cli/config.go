package cli

import (
	"time"

	"linkbroker/handlers"
	"linkbroker/wechat"
)

// Config is everything an operator can set. Each field's koanf tag is its key in config.yaml, which explains it.
type Config struct {
	Listen         string         `koanf:"listen"`
	TLS            TLSConfig      `koanf:"tls"`
	PublicURL      string         `koanf:"public_url"`
	TrustedProxies []string       `koanf:"trusted_proxies"`
	Deadline       time.Duration  `koanf:"deadline"`
	MaxConnections int            `koanf:"max_connections"`
	Admin          AdminConfig    `koanf:"admin"`
	Store          StoreURL       `koanf:"store"`
	Cache          CacheConfig    `koanf:"cache"`
	Apps           []AppConfig    `koanf:"apps"`
	Clients        []ClientConfig `koanf:"clients"`
	Limits         LimitsConfig   `koanf:"limits"`
	Jobs           JobsConfig     `koanf:"jobs"`
	Backup         BackupConfig   `koanf:"backup"`
	Audit          AuditConfig    `koanf:"audit"`
	Log            LogConfig      `koanf:"log"`
}

// AdminConfig is the listener for administrators.
type AdminConfig struct {
	Listen    string    `koanf:"listen"`
	TLS       TLSConfig `koanf:"tls"`
	PublicURL string    `koanf:"public_url"`
}

// TLSConfig is the certificate of a listener. Without one it speaks plain HTTP.
type TLSConfig struct {
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`
}

func (t TLSConfig) on() bool { return t.CertFile != "" }

// CacheConfig is the memory in front of the store.
type CacheConfig struct {
	MemoryLinks int `koanf:"memory_links"`
}

// AppConfig is one mini program.
type AppConfig struct {
	AppID           string           `koanf:"appid"`
	Secret          wechat.Secret    `koanf:"secret"`
	BaseURL         string           `koanf:"base_url"`
	FallbackURLs    []string         `koanf:"fallback_urls"`
	Token           wechat.TokenMode `koanf:"token"`
	TokenSource     SourceConfig     `koanf:"token_source"`
	FromAppID       string           `koanf:"from_appid"`
	Rate            float64          `koanf:"rate"`
	DailyQuota      int64            `koanf:"daily_quota"`
	Share           string           `koanf:"share"`
	Expiry          string           `koanf:"expiry"`
	ExpireTimeGrain time.Duration    `koanf:"expire_time_grain"`
	Splice          bool             `koanf:"splice"`
	LinkHosts       []string         `koanf:"link_hosts"`
	FallbackHosts   []string         `koanf:"fallback_hosts"`
	QuotaTimezone   string           `koanf:"quota_timezone"`
	BatchReserve    float64          `koanf:"batch_reserve"`
	PrewarmReserve  float64          `koanf:"prewarm_reserve"`
	PassThrough     []string         `koanf:"pass_through"`

	ShortLinkQuota      int64 `koanf:"short_link_quota"`
	PermanentShortLinks int64 `koanf:"permanent_short_links"`
	PlainScheme         bool  `koanf:"plain_scheme"`
}

// SourceConfig is where an access token comes from that is not asked of WeChat: a server or a file.
type SourceConfig struct {
	URL            tokenURL       `koanf:"url"`
	Headers        []HeaderConfig `koanf:"headers"`
	TokenField     string         `koanf:"token_field"`
	ExpiresInField string         `koanf:"expires_in_field"`
	File           string         `koanf:"file"`
}

// HeaderConfig is a header of a call to a token server.
type HeaderConfig struct {
	Name  string        `koanf:"name"`
	Value wechat.Secret `koanf:"value"`
}

// LimitsConfig bounds what an address may do that shows a key which everybody knows, or a wrong one.
type LimitsConfig struct {
	AddressRequestsPerSecond    float64 `koanf:"address_requests_per_second"`
	AddressGenerationsPerMinute int     `koanf:"address_generations_per_minute"`
	FailedAuthPerMinute         int     `koanf:"failed_auth_per_minute"`
	FailedLoginsPerMinute       int     `koanf:"failed_logins_per_minute"`
}

func defaultLimits() LimitsConfig {
	limits := handlers.DefaultLimits()
	return LimitsConfig{
		AddressRequestsPerSecond:    limits.AddressRequestsPerSecond,
		AddressGenerationsPerMinute: 30,
		FailedAuthPerMinute:         limits.FailedAuthPerMinute,
		FailedLoginsPerMinute:       limits.FailedLoginsPerMinute,
	}
}

// JobsConfig says when upkeep runs, each job in cron's syntax.
type JobsConfig struct {
	Timezone string `koanf:"timezone"`
	Purge    string `koanf:"purge"`
	Prewarm  string `koanf:"prewarm"`
	Flush    string `koanf:"flush"`
	Verify   string `koanf:"verify"`
	Census   string `koanf:"census"`
	Backup   string `koanf:"backup"`
}

// jobSchedule is one job of the configuration.
type jobSchedule struct{ name, schedule string }

func (j JobsConfig) all() []jobSchedule {
	return []jobSchedule{
		{"purge", j.Purge}, {"prewarm", j.Prewarm}, {"flush", j.Flush}, {"verify", j.Verify}, {"census", j.Census}, {"backup", j.Backup},
	}
}

// BackupConfig says where backups go.
type BackupConfig struct {
	Dir  string `koanf:"dir"`
	Keep int    `koanf:"keep"`
}

// AuditConfig says how long is kept who did what.
type AuditConfig struct {
	Retention time.Duration `koanf:"retention"`
}

// LogConfig says what is logged, and how.
type LogConfig struct {
	Level  string `koanf:"level"`
	Format string `koanf:"format"`
}

// The values of settings that choose.
const (
	shareAlways   = "always"
	shareNever    = "never"
	expiryExact   = "exact"
	expiryAtLeast = "at_least"
	formatText    = "text"
	formatJSON    = "json"
)

// DefaultConfig gives the value of every setting that nobody sets.
func DefaultConfig() Config {
	return Config{
		Listen:   "127.0.0.1:8080",
		Deadline: 4 * time.Second, MaxConnections: 10_000,
		Admin: AdminConfig{Listen: "127.0.0.1:8081"},
		Store: "bolt://data/links.db",
		Cache: CacheConfig{MemoryLinks: 100_000},
		Jobs: JobsConfig{
			Timezone: "Asia/Shanghai",
			Purge:    "@every 1m",
			Prewarm:  "@every 5m",
			Flush:    "@every 5s",
			Census:   "@every 1m",
			Backup:   "30 3 * * *",
		},
		Limits: defaultLimits(),
		Backup: BackupConfig{Dir: "data/backups", Keep: 7},
		Audit:  AuditConfig{Retention: 400 * 24 * time.Hour},
		Log:    LogConfig{Level: "info", Format: formatText},
	}
}

// DefaultApp gives the value of every setting of an app that nobody sets. Each call makes its own lists, because
// what the operator sets is decoded over them.
func DefaultApp() AppConfig {
	return AppConfig{
		BaseURL:         wechat.DefaultBaseURL,
		Token:           wechat.TokenStable,
		TokenSource:     SourceConfig{TokenField: "access_token"},
		Rate:            150,
		DailyQuota:      500_000,
		Share:           shareAlways,
		Expiry:          expiryExact,
		ExpireTimeGrain: time.Hour,
		LinkHosts:       []string{"wxaurl.cn", "wxmpurl.cn"},
		QuotaTimezone:   "Asia/Shanghai",
		BatchReserve:    0.2,
		PrewarmReserve:  0.5,

		ShortLinkQuota:      1_000_000,
		PermanentShortLinks: 100_000,
	}
}
