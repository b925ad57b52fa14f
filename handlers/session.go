package handlers

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// A session ends when nothing is asked in it for sessionIdle, and sessionLife after its login in any case.
const (
	sessionIdle  = 30 * time.Minute
	sessionLife  = 12 * time.Hour
	mostSessions = 1024
)

// sessions are those of the admin page. They are in memory alone: a restart asks for another login.
type sessions struct {
	mu   sync.Mutex
	byID map[broker.KeyDigest]session // under the digest: what is in memory opens nothing
}

// session is one login. It ends with the key that it was opened with.
type session struct {
	client      string
	key         broker.KeyDigest
	begun, seen time.Time
	flash       *flash // what the next page tells
}

// flash is how the last form went: a message for the next page, which shows it once.
type flash struct {
	kind string // good, warn, bad or info: a class of the style sheet
	key  string
	args []any
}

// flashView is a flash in a language.
type flashView struct{ Kind, Text string }

func (s session) live(now time.Time) bool {
	return now.Sub(s.seen) < sessionIdle && now.Sub(s.begun) < sessionLife
}

// open begins a session, and gives the id that its cookie carries.
func (s *sessions) open(who caller, now time.Time) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= mostSessions {
		s.forget(now)
	}
	s.byID[broker.DigestKey(id)] = session{client: who.Name, key: who.key, begun: now, seen: now}
	return id
}

// forget drops the sessions that have ended; if none has, the one that was idle the longest.
func (s *sessions) forget(now time.Time) {
	var oldest broker.KeyDigest
	for id, one := range s.byID {
		if !one.live(now) {
			delete(s.byID, id)
		} else if first, ok := s.byID[oldest]; !ok || one.seen.Before(first.seen) {
			oldest = id
		}
	}
	if len(s.byID) >= mostSessions {
		delete(s.byID, oldest)
	}
}

// use finds a session in which something is asked.
func (s *sessions) use(id string, now time.Time) (session, bool) {
	digest := broker.DigestKey(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byID[digest]
	if !ok || !one.live(now) {
		delete(s.byID, digest)
		return session{}, false
	}
	one.seen = now
	s.byID[digest] = one
	return one, true
}

// setFlash leaves a message for the session's next page. Who has no session sees none.
func (s *sessions) setFlash(id string, f flash) {
	digest := broker.DigestKey(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.byID[digest]; ok {
		one.flash = &f
		s.byID[digest] = one
	}
}

func (s *sessions) takeFlash(id string) (flash, bool) {
	digest := broker.DigestKey(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byID[digest]
	if !ok || one.flash == nil {
		return flash{}, false
	}
	f := *one.flash
	one.flash = nil
	s.byID[digest] = one
	return f, true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, broker.DigestKey(id))
}

// whoAdministers finds out who asks on the admin listener: by a key in the header, or by the session of a browser. A
// browser sends its cookie whoever made it ask, so what another site has it ask is refused.
func (a *api) whoAdministers(c *gin.Context) (caller, error) {
	if key := bearer(c); key != "" {
		return a.whoHasKey(credential{key, secretKeys})
	}
	who, ok := a.whoLoggedIn(c)
	if !ok {
		return caller{}, broker.Errorf(unauthenticated, "an API key or a session is needed")
	}
	return who, a.sameSite(c)
}

// whoLoggedIn finds out whose session it is. One whose client or key is gone has ended with it.
func (a *api) whoLoggedIn(c *gin.Context) (caller, bool) {
	cookie, err := c.Request.Cookie(a.cookieName(c))
	if err != nil {
		return caller{}, false
	}
	now := a.Clock()
	one, ok := a.sessions.use(cookie.Value, now)
	if !ok {
		return caller{}, false
	}
	client, ok := a.again(one.client, one.key)
	if !ok {
		a.sessions.end(cookie.Value)
		return caller{}, false
	}
	return caller{Client: client, key: one.key, session: cookie.Value}, true
}

// sameSite refuses a change that another site has a browser make.
func (a *api) sameSite(c *gin.Context) error {
	if err := a.crossOrigin.Check(c.Request); err != nil {
		return broker.Errorf(broker.Forbidden, "another site may change nothing here")
	}
	return nil
}

// setCookie hands a session to the browser, or takes it away where the id is empty.
func (a *api) setCookie(c *gin.Context, id string) {
	cookie := http.Cookie{ //nolint:gosec // Secure wherever there is TLS; loopback has none
		Name: a.cookieName(c), Value: id, Path: "/", Secure: a.overTLS(c), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if id == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.Writer, &cookie)
}

// cookieName binds the cookie to this very host where there is TLS. Without it browsers take no such name.
func (a *api) cookieName(c *gin.Context) string {
	if a.overTLS(c) {
		return "__Host-linkbroker"
	}
	return "linkbroker"
}

func (a *api) overTLS(c *gin.Context) bool {
	return c.Request.TLS != nil || strings.HasPrefix(a.AdminURL, "https://")
}

// onLoopback reports whether neither a request nor what its browser calls this place leaves the machine.
func onLoopback(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
