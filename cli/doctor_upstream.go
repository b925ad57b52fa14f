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

	"linkbroker/broker"
	"linkbroker/wechat"
)

// How far the clock may be off. Links end 60 s before WeChat ends them, which is all the room there is.
const (
	clockOdd  = 20 * time.Second
	clockMost = 60 * time.Second
)

// eachTry bounds one call of doctor's.
const eachTry = 8 * time.Second

// examineUpstream goes the way of a call step by step, once for each server, and then asks for each app's token.
func (d *diagnosis) examineUpstream(ctx context.Context, cfg Config) {
	var bases []string
	reached := make(map[string]bool)
	for _, app := range cfg.Apps {
		if !slices.Contains(bases, app.BaseURL) {
			bases = append(bases, app.BaseURL)
			reached[app.BaseURL] = d.examineServer(ctx, app.BaseURL)
		}
	}
	client, err := wechat.New(cfg.wechatApps(nil), time.Now, nil)
	if err != nil {
		d.add(failing, "apps", err.Error(), "")
		return
	}
	defer client.Close()
	for _, app := range cfg.Apps {
		switch {
		case app.Token == wechat.TokenNone:
			d.add(fine, "token of "+app.AppID, "none is asked for (token: none)", "")
		case reached[app.BaseURL]:
			d.examineToken(ctx, client, app.AppID)
		}
	}
}

// examineServer reports whether a server is reached.
func (d *diagnosis) examineServer(ctx context.Context, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, eachTry)
	defer cancel()
	u, err := url.Parse(base)
	if err != nil {
		return false // refused with the configuration
	}
	request := &http.Request{URL: u}
	proxy, _ := http.ProxyFromEnvironment(request) // a broken one fails below
	if proxy == nil && !d.resolve(ctx, u.Hostname()) {
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
		d.add(failing, "connection to "+where, err.Error(), connectionAdvice(err))
		return false
	}
	d.add(fine, "connection to "+where, fmt.Sprintf("answers within %d ms", took.Milliseconds()), "")
	d.examineClock(date, began, took)
	return true
}

// resolve looks a name up.
func (d *diagnosis) resolve(ctx context.Context, host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		d.add(failing, "name "+host, "is not found", "look at /etc/resolv.conf and whether the firewall lets DNS pass; base_url names the host")
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
		return "see whether the firewall lets this machine out to port 443; base_url may name a fallback host"
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

// examineToken has WeChat give an access token, which spends no quota and ends no other token.
func (d *diagnosis) examineToken(ctx context.Context, client *wechat.Client, app string) {
	ctx, cancel := context.WithTimeout(ctx, eachTry)
	defer cancel()
	err := client.Probe(ctx, app)
	refused := errors.Is(err, broker.TokenRefused)
	switch {
	case err == nil:
		d.add(fine, "token of "+app, "WeChat gives one to this machine", "")
	case refused && strings.Contains(err.Error(), "errcode 40164"):
		d.add(failing, "token of "+app, err.Error(),
			"WeChat console > Development > Development settings > IP whitelist: add "+namedAddress(err.Error()))
	case refused:
		d.add(failing, "token of "+app, err.Error(), "WeChat console > Development > Development settings")
	default:
		d.add(failing, "token of "+app, err.Error(), "try again; base_url may name a fallback host")
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
