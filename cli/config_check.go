package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a bare machine has no zone files, and WeChat's day is Shanghai's

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/jobs"
)

// check refuses values that cannot work. What it says ends in what to do.
func (l *loader) check(cfg Config, now time.Time) {
	l.checkListeners(cfg)
	l.checkStore(cfg.Store)
	if cfg.MaxConnections < 1 {
		l.refuse("max_connections", "must be 1 or more")
	}
	if cfg.Deadline < 100*time.Millisecond || cfg.Deadline > time.Minute {
		l.refuse("deadline", "must be from 100ms to 1m: it is the longest a request waits, retries included")
	}
	if cfg.Cache.MemoryLinks < 1 {
		l.refuse("cache.memory_links", "must be 1 or more")
	}
	l.checkApps(cfg.Apps)
	l.checkClients(cfg, now)
	l.checkLimits(cfg.Limits)
	l.checkJobs(cfg)
	if cfg.Audit.Retention < 24*time.Hour {
		l.refuse("audit.retention", "must be 1d or more")
	}
	l.oneOf("log.format", cfg.Log.Format, formatText, formatJSON)
	if new(slog.LevelVar).UnmarshalText([]byte(cfg.Log.Level)) != nil {
		l.refuse("log.level", "must be debug, info, warn or error")
	}
}

// refuse reports the setting of a path.
func (l *loader) refuse(path, format string, args ...any) {
	l.report(l.origins[path], path, format, args...)
}

func (l *loader) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		l.refuse(path, "must be one of %s", strings.Join(allowed, ", "))
	}
}

func (l *loader) checkListeners(cfg Config) {
	l.checkAddress("listen", cfg.Listen)
	l.checkAddress("admin.listen", cfg.Admin.Listen)
	if cfg.Listen == cfg.Admin.Listen && !strings.HasSuffix(cfg.Listen, ":0") {
		l.refuse("admin.listen", "is the same address as listen: administrators have a listener of their own")
	}
	l.checkURL("public_url", cfg.PublicURL)
	l.checkURL("admin.public_url", cfg.Admin.PublicURL)
	l.checkTLS("tls", cfg.TLS)
	l.checkTLS("admin.tls", cfg.Admin.TLS)
	l.checkProxies(cfg.TrustedProxies)
}

func (l *loader) checkURL(path, text string) {
	if u, err := url.Parse(text); text != "" && (err != nil || !isPlain(u) || u.Scheme != "https" && u.Scheme != "http") {
		l.refuse(path, "must be an address such as https://go.example.com, without query")
	}
}

// checkTLS reads the files, so that a broken certificate is found before it is served.
func (l *loader) checkTLS(path string, files TLSConfig) {
	switch {
	case files.CertFile == "" && files.KeyFile == "":
		return
	case files.CertFile == "":
		l.refuse(path+".cert_file", "is missing beside key_file: set both, or neither for plain HTTP")
		return
	case files.KeyFile == "":
		l.refuse(path+".key_file", "is missing beside cert_file: set both, or neither for plain HTTP")
		return
	}
	if _, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile); err != nil {
		l.refuse(path+".cert_file", "cannot be used with its key_file: %s", err)
	}
}

func (l *loader) checkProxies(proxies []string) {
	for _, proxy := range proxies {
		switch prefix, err := parsePrefix(proxy); {
		case err != nil:
			l.refuse("trusted_proxies", "must be addresses such as 10.0.0.7, or ranges such as 10.0.0.0/24")
		case prefix.Bits() == 0:
			l.refuse("trusted_proxies", "would trust everybody, and so whatever address a stranger claims to have")
		}
	}
}

// parsePrefix reads an address or a range of them.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	return netip.ParsePrefix(text)
}

func (l *loader) checkAddress(path, address string) {
	host, port, err := net.SplitHostPort(address)
	number, numeric := strconv.ParseUint(port, 10, 16)
	if err != nil || numeric != nil {
		l.refuse(path, "must be an address and a port such as 127.0.0.1:8080, or :8080 for every address")
		return
	}
	_, notIP := netip.ParseAddr(host)
	if host != "" && host != "localhost" && notIP != nil {
		l.refuse(path, "must begin with an IP address of this machine, not with a name: %d is the port", number)
	}
}

func (l *loader) checkStore(store StoreURL) {
	if err := cache.CheckURL(string(store)); err != nil {
		l.refuse("store", "%s", err)
	}
}

// appID is the form of WeChat's appids.
var appID = regexp.MustCompile(`^wx[0-9a-f]{16}$`)

func (l *loader) checkApps(apps []AppConfig) {
	if len(apps) == 0 {
		l.refuse("apps", "has no app: give appid and secret of a mini program, or try `linkbroker serve --sandbox` without any")
	}
	seen := make(map[string]string)
	for i, app := range apps {
		at := "apps[" + strconv.Itoa(i) + "]"
		switch first := seen[app.AppID]; {
		case !appID.MatchString(app.AppID):
			l.refuse(at+".appid", "must be wx and 16 digits of 0-9 a-f, as the WeChat console shows it")
		case first != "":
			l.refuse(at+".appid", "is the same as %s.appid: list each app once", first)
		}
		seen[app.AppID] = at
		l.checkUpstream(at, app)
		l.checkQuota(at, app)
		l.oneOf(at+".share", app.Share, shareAlways, shareNever)
		l.oneOf(at+".expiry", app.Expiry, expiryExact, expiryAtLeast)
		if app.ExpireTimeGrain < 0 || app.ExpireTimeGrain > 24*time.Hour {
			l.refuse(at+".expire_time_grain", "must be from 0 (exact) to 24h")
		}
		if len(app.LinkHosts) == 0 {
			l.refuse(at+".link_hosts", "is empty: no link could be handed out")
		}
		l.checkHosts(at+".link_hosts", app.LinkHosts)
		l.checkPassThrough(at+".pass_through", app.PassThrough)
		l.checkHosts(at+".fallback_hosts", app.FallbackHosts)
	}
}

// isPlain reports whether an address has a host and a path at most.
func isPlain(u *url.URL) bool {
	return u.Host != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (l *loader) checkQuota(at string, app AppConfig) {
	if !(app.Rate > 0 && app.Rate <= 1e6) { // not so for NaN either
		l.refuse(at+".rate", "must be a number of calls a second above 0")
	}
	if app.DailyQuota < 1 {
		l.refuse(at+".daily_quota", "must be 1 or more")
	}
	if app.ShortLinkQuota < 1 {
		l.refuse(at+".short_link_quota", "must be 1 or more")
	}
	if app.PermanentShortLinks < 1 {
		l.refuse(at+".permanent_short_links", "must be 1 or more")
	}
	for name, share := range map[string]float64{"batch_reserve": app.BatchReserve, "prewarm_reserve": app.PrewarmReserve} {
		if !(share > 0 && share <= 1) { // not so for NaN either
			l.refuse(at+"."+name, "must be a share of daily_quota above 0 and up to 1")
		}
	}
	l.checkZone(at+".quota_timezone", app.QuotaTimezone)
}

// checkZone refuses the zones whose meaning depends on the machine.
func (l *loader) checkZone(path, zone string) {
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		l.refuse(path, "must be the name of a time zone such as Asia/Shanghai or UTC")
	}
}

func (l *loader) checkHosts(path string, hosts []string) {
	for _, host := range hosts {
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || host == "" || host != strings.ToLower(host) {
			l.refuse(path, "must be host names such as wxaurl.cn, in lower case and without https://")
		}
	}
}

func (l *loader) checkLimits(limits LimitsConfig) {
	const most = 1_000_000
	for path, value := range map[string]float64{
		"limits.address_requests_per_second":    limits.AddressRequestsPerSecond,
		"limits.address_generations_per_minute": float64(limits.AddressGenerationsPerMinute),
		"limits.failed_auth_per_minute":         float64(limits.FailedAuthPerMinute),
		"limits.failed_logins_per_minute":       float64(limits.FailedLoginsPerMinute),
	} {
		if !(value >= 0 && value <= most) { // not so for NaN either
			l.refuse(path, "must be from 0 (no limit) to %d", most)
		}
	}
	if limits.FailedLoginsPerMinute == 0 {
		l.refuse("limits.failed_logins_per_minute", "must be 1 or more: administrators' keys could be tried without end")
	}
}

func (l *loader) checkJobs(cfg Config) {
	l.checkZone("jobs.timezone", cfg.Jobs.Timezone)
	for _, job := range cfg.Jobs.all() {
		_, err := jobs.New(jobs.Config{Clock: time.Now, Jobs: []jobs.Job{{Name: job.name, Schedule: job.schedule, Run: nothing}}})
		if err != nil {
			l.refuse("jobs."+job.name, `must be a schedule such as "30 3 * * *" or "@every 5m", or "" for never: %s`, errors.Unwrap(err))
		}
	}
	if cfg.Backup.Dir == "" && cfg.Jobs.Backup != "" {
		l.refuse("backup.dir", "is empty: name a folder, or turn the job off with jobs.backup: \"\"")
	}
	if cfg.Backup.Keep < 1 {
		l.refuse("backup.keep", "must be 1 or more")
	}
}

func nothing(context.Context) (broker.Counts, error) { return broker.Counts{}, nil }
