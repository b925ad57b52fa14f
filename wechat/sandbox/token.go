package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"slices"
	"strings"
	"time"
)

const (
	tokenOverlap = 5 * time.Minute // for which an old token and the one that replaced it are both good
	forceSpacing = 30 * time.Second
	forcePerDay  = 20
	keptTokens   = 16 // enough to tell an expired token from one that never was
)

// tokens are an app's access tokens. Those of stable_token and those of token do not touch each other.
type tokens struct {
	life   time.Duration
	issued []*accessToken // the newest last
	stable *accessToken
	legacy *accessToken

	forcedAt  time.Time
	forcedDay string
	forced    int // in that day
}

// accessToken is good until the earlier of its two ends.
type accessToken struct {
	value   string
	expires time.Time // the end of its life
	killed  time.Time // when another took its place; zero = none did
}

func (t *accessToken) goodAt(now time.Time) bool {
	return now.Before(t.expires) && (t.killed.IsZero() || now.Before(t.killed))
}

func (t *tokens) issue(now time.Time) *accessToken {
	issued := &accessToken{value: "90_" + strings.Repeat(rand.Text(), 5), expires: now.Add(t.life)}
	if t.issued = append(t.issued, issued); len(t.issued) > keptTokens {
		t.issued = slices.Clone(t.issued[1:])
	}
	return issued
}

// check says what is wrong with a token.
func (t *tokens) check(value string, now time.Time) errcode {
	for _, issued := range t.issued {
		switch {
		case issued.value != value:
		case issued.goodAt(now):
			return ok
		case !now.Before(issued.expires):
			return tokenExpired
		}
	}
	return tokenInvalid
}

// renew gives the token of stable_token: the same one until five minutes before its end, then the next, while the old
// one goes on to its end.
func (t *tokens) renew(now time.Time) *accessToken {
	if t.stable == nil || t.stable.expires.Sub(now) <= tokenOverlap {
		t.stable = t.issue(now)
	}
	return t.stable
}

// force gives a new token and kills the one before. What WeChat answers beyond the limits is assumed.
func (t *tokens) force(now time.Time) (*accessToken, errcode) {
	if day := quotaDay(now); day != t.forcedDay {
		t.forcedDay, t.forced = day, 0
	}
	switch {
	case t.forced >= forcePerDay:
		return nil, callsUsedUp
	case now.Sub(t.forcedAt) < forceSpacing:
		return nil, callsTooFast
	}
	t.forcedAt = now
	t.forced++
	return t.replace(now), ok
}

// replace kills the stable token in favour of a new one.
func (t *tokens) replace(now time.Time) *accessToken {
	if t.stable != nil {
		t.stable.killed = now
	}
	t.stable = t.issue(now)
	return t.stable
}

// robOld has another server ask by the old call, and the token before it end at once, as at the end of its grace.
func (t *tokens) robOld(now time.Time) {
	if t.legacy != nil {
		t.legacy.killed = now
		t.legacy = t.issue(now)
	}
}

// old gives the token of the old call, which kills the one before with five minutes of grace.
func (t *tokens) old(now time.Time) *accessToken {
	if t.legacy != nil && t.legacy.killed.IsZero() {
		t.legacy.killed = now.Add(tokenOverlap)
	}
	t.legacy = t.issue(now)
	return t.legacy
}

// stableToken answers POST /cgi-bin/stable_token.
func (w *WeChat) stableToken(c *call) (fields, errcode) {
	var body struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if code := c.decode(&body); code != ok {
		return nil, code
	}
	a, code := w.login(body.GrantType, body.AppID, body.Secret)
	if code != ok {
		return nil, code
	}
	if !body.ForceRefresh {
		return w.granted(a.tokens.renew(c.now), c.now), ok
	}
	token, code := a.tokens.force(c.now)
	if code != ok {
		return nil, code
	}
	return w.granted(token, c.now), ok
}

// legacyToken answers GET /cgi-bin/token.
func (w *WeChat) legacyToken(c *call) (fields, errcode) {
	a, code := w.login(c.query.Get("grant_type"), c.query.Get("appid"), c.query.Get("secret"))
	if code != ok {
		return nil, code
	}
	return w.granted(a.tokens.old(c.now), c.now), ok
}

func (w *WeChat) login(grant, appid, secret string) (*app, errcode) {
	a, known := w.apps[appid]
	switch {
	case grant != "client_credential":
		return nil, grantInvalid
	case !known:
		return nil, appidInvalid
	case subtle.ConstantTimeCompare([]byte(secret), []byte(a.Secret)) != 1:
		return nil, secretInvalid
	default:
		return a, ok
	}
}

func (w *WeChat) granted(t *accessToken, now time.Time) fields {
	w.stats.Tokens++
	return fields{"access_token": t.value, "expires_in": int(t.expires.Sub(now).Seconds())}
}

// caller finds the app of a call by its token.
func (w *WeChat) caller(c *call) (*app, errcode) {
	value := c.query.Get("access_token")
	if value == "" {
		value = c.query.Get("cloudbase_access_token")
	}
	if value == "" {
		if a, open := w.apps[w.openApp]; open {
			return a, ok
		}
		return nil, tokenMissing
	}
	worst := tokenInvalid
	for _, a := range w.apps {
		code := a.tokens.check(value, c.now)
		if code == ok {
			return a, ok
		}
		if code == tokenExpired {
			worst = tokenExpired
		}
	}
	return nil, worst
}

// Issue gives a token of an app that is good beside its others, as a third-party platform has one of its own; empty if
// the app is not known.
func (w *WeChat) Issue(appid string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, known := w.apps[appid]
	if !known {
		return ""
	}
	return a.tokens.issue(w.clock()).value
}

// Steal invalidates an app's present tokens as another server would that forces a refresh and asks by the old call. If
// it is stuck, stable_token goes on handing out the dead one until a refresh is forced. It reports whether the app is
// known.
func (w *WeChat) Steal(appid string, stuck bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, known := w.apps[appid]
	if !known {
		return false
	}
	now := w.clock()
	a.tokens.robOld(now)
	switch {
	case !stuck:
		a.tokens.replace(now)
	case a.tokens.stable != nil:
		a.tokens.stable.killed = now
	}
	return true
}
