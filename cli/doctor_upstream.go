package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"linkbroker/wechat"
)

// How far the clock may be off. Links end 60 s before WeChat ends them, which is all the room there is.
const (
	clockOdd  = 20 * time.Second
	clockMost = 60 * time.Second
)

// eachTry bounds one call of doctor's.
const eachTry = 8 * time.Second

// examineUpstream goes the way of a call step by step, once for each server, and then tries each app's token.
func (d *diagnosis) examineUpstream(ctx context.Context, cfg Config) {
	reached := d.examineServers(ctx, cfg)
	client, err := wechat.New(probed(cfg.wechatApps(nil)), time.Now, nil)
	if err != nil {
		d.add(failing, "apps", err.Error(), "")
		return
	}
	defer client.Close()
	for _, app := range cfg.Apps {
		if slices.ContainsFunc(app.bases(), func(base string) bool { return reached[base] }) {
			d.examineToken(ctx, client, app)
		}
	}
}

// examineServers says which servers are reached. That one is not which is only asked when another fails is no failure.
func (d *diagnosis) examineServers(ctx context.Context, cfg Config) (reached map[string]bool) {
	reached = make(map[string]bool)
	for _, fallbacks := range []bool{false, true} {
		for _, app := range cfg.Apps {
			for i, base := range app.bases() {
				if _, examined := reached[base]; !examined && fallbacks == (i > 0) {
					reached[base] = d.examineServer(ctx, base, fallbacks)
				}
			}
		}
	}
	return reached
}

func (a AppConfig) bases() []string { return append([]string{a.BaseURL}, a.FallbackURLs...) }

// probed gives the apps in a form whose tokens can be tried without harm. A legacy token would end the one in use; the
// stable one stands beside it and needs the same secret and the same whitelist.
func probed(apps []wechat.App) []wechat.App {
	for i := range apps {
		if apps[i].Token == wechat.TokenLegacy {
			apps[i].Token = wechat.TokenStable
		}
	}
	return apps
}

// examineServer reports whether a server is reached.
func (d *diagnosis) examineServer(ctx context.Context, base string, fallback bool) bool {
	ctx, cancel := context.WithTimeout(ctx, eachTry)
	defer cancel()
	u, err := url.Parse(base)
	if err != nil {
		return false // refused with the configuration
	}
	request := &http.Request{URL: u}
	proxy, _ := http.ProxyFromEnvironment(request) // a broken one fails below
	if proxy == nil && !d.resolve(ctx, u.Hostname(), unreached(fallback)) {
		return false
	}
	began := time.Now()
	date, err := askDate(ctx, base)
	took := time.Since(began)
	where := u.Host
	if proxy != nil {
		where += ", by the proxy " + proxy.Host
	}
	if err != nil {
		d.add(unreached(fallback), "connection to "+where, err.Error(), connectionAdvice(err))
		return false
	}
	d.add(fine, "connection to "+where, fmt.Sprintf("answers within %d ms", took.Milliseconds()), "")
	d.examineClock(date, began, took)
	return true
}

func unreached(fallback bool) verdict {
	if fallback {
		return odd
	}
	return failing
}

// resolve looks a name up.
func (d *diagnosis) resolve(ctx context.Context, host string, otherwise verdict) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		d.add(otherwise, "name "+host, "is not found", "look at /etc/resolv.conf and whether the firewall lets DNS pass; base_url names the host")
		return false
	}
	d.add(fine, "name "+host, strings.Join(addresses, ", "), "")
	return true
}

// askDate makes a call that does nothing, and gives the Date header of its answer, whatever the answer is.
func askDate(ctx context.Context, base string) (string, error) {
	client := http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, base, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return "", err
	}
	defer resp.Body.Close()
	return resp.Header.Get("Date"), nil
}

func connectionAdvice(err error) string {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case untrusted:
		return "install the CA certificates (ca-certificates), and see that no proxy opens TLS on the way"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "base_url says https:// and the server speaks plain HTTP"
	case errors.Is(err, context.DeadlineExceeded):
		return "see whether the firewall lets this machine out to port 443; fallback_urls may name another host"
	default:
		return "see whether the firewall lets this machine out, and whether base_url is right"
	}
}

// examineClock compares ours with the middle of the call. The header has whole seconds.
func (d *diagnosis) examineClock(header string, began time.Time, took time.Duration) {
	const sync = "have it kept right: timedatectl set-ntp true"
	theirs, err := http.ParseTime(header)
	if err != nil {
		d.add(odd, "clock", "the server does not say what time it is", "")
		return
	}
	off := began.Add(took / 2).Sub(theirs.Add(500 * time.Millisecond)).Round(time.Second)
	switch {
	case off.Abs() > clockMost:
		d.add(failing, "clock", fmt.Sprintf("is off by %s: links would be answered that are dead, or be thrown away", off), sync)
	case off.Abs() > clockOdd:
		d.add(odd, "clock", fmt.Sprintf("is off by %s", off), sync)
	default:
		d.add(fine, "clock", fmt.Sprintf("is off by %s", off), "")
	}
}

// namedAddress finds the address that WeChat sees, which the error ends with.
func namedAddress(message string) string {
	_, after, found := strings.Cut(message, "WeChat sees ")
	address, _, _ := strings.Cut(after, " ")
	if ip, err := netip.ParseAddr(address); found && err == nil {
		return ip.String()
	}
	return "the address of this machine"
}
