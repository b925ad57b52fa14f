package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// Forwarding is what of WeChat's interface is passed on beside what is answered here.
type Forwarding struct {
	To       Forwarder
	Paths    map[string][]string // by appid; each has passed CheckForwarded
	Deadline time.Duration       // within which WeChat has to begin its answer
}

// Forwarder makes calls of WeChat's interface in an app's name.
type Forwarder interface {
	// Forward sends the request's method, path, query, headers and body with the app's token, and gives WeChat's answer,
	// whose body the caller closes. It may send the request again if GetBody gives its body again. Errors are
	// *broker.Error.
	Forward(appid string, req *http.Request) (*http.Response, error)
}

// Bounds of what is passed on, in bytes and time.
const (
	maxForwarded       = 2 << 20   // a request's body
	maxForwardedAnswer = 20 << 20  // an answer's
	heldForwarded      = 256 << 10 // a body up to which a request is held in memory, and so can be sent again
	forwardedTransfer  = 10 * time.Second
)

// What is passed on of the headers. All others are the caller's and ours, or WeChat's and ours: credentials, cookies,
// what is between one hop and the next.
//
//nolint:gochecknoglobals // constant tables
var (
	headersToWeChat   = []string{"Content-Type", "Accept", "Accept-Language"}
	headersFromWeChat = []string{"Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language"}
)

// neverForwarded are the calls of WeChat's that generate, which would go past the ledger of quota, and those that give
// its token away.
//
//nolint:gochecknoglobals // a constant table
var neverForwarded = []string{
	"/wxa/generate_urllink", "/wxa/generatescheme", "/wxa/generatenfcscheme", "/wxa/genwxashortlink",
	"/cgi-bin/token", "/cgi-bin/stable_token",
}

var forwardable = regexp.MustCompile(`^/[A-Za-z0-9_-]+(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$`)

// CheckForwarded refuses a path that cannot be passed on to WeChat.
func CheckForwarded(path string) error {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	lower := strings.ToLower(path)
	switch {
	case !forwardable.MatchString(path) || strings.Contains(path, "..") || len(path) > 200:
		return errors.New("must be paths of WeChat's interface such as /wxa/getwxacodeunlimit, without a query or a pattern")
	case slices.Contains(neverForwarded, lower) || strings.HasPrefix(lower, "/cgi-bin/component/"):
		return errors.New("names a call that generates links, which would go past the daily quota kept here, or that gives tokens away")
	case strings.HasPrefix(lower, "/sns/"):
		return errors.New("names a call with another credential than the mini program's token: it carries the AppSecret, or a visitor's token")
	case slices.Contains([]string{"api", "k", "l", "openapi"}, first):
		return errors.New("names an address that means something else here")
	}
	for _, r := range facadeRoutes(&api{}) {
		if strings.EqualFold(r.path, path) {
			return errors.New("names a call that is answered here anyway")
		}
	}
	return nil
}

// forwardRoutes are the routes of all that is passed on for any app.
func (a *api) forwardRoutes() []route {
	paths := make(map[string]bool)
	for _, listed := range a.Forwarding.Paths {
		for _, path := range listed {
			paths[path] = true
		}
	}
	var routes []route
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			routes = append(routes, route{method, path, broker.RoleGenerate, a.forward(path), "", 0})
		}
	}
	return routes
}

// forwards reports whether a path is passed on for any app.
func (a *api) forwards(path string) bool {
	for _, listed := range a.Forwarding.Paths {
		if slices.Contains(listed, path) {
			return true
		}
	}
	return false
}

// forward passes a call on to WeChat and its answer back, both as streams.
func (a *api) forward(path string) func(c *gin.Context, who caller) error {
	return func(c *gin.Context, who caller) error {
		app, err := a.chooseApp(who, param(c.Request.URL.RawQuery, "appid"))
		switch {
		case err != nil:
			return err
		case !who.Grant.PassThrough:
			return broker.Errorf(broker.Forbidden, "the key may not have calls passed on: its client needs pass_through: true")
		case !slices.Contains(a.Forwarding.Paths[app], path):
			return errNotForwarded()
		}
		ctx, cancel := context.WithCancelCause(c.Request.Context())
		defer cancel(nil)
		out, err := outgoing(ctx, c, path)
		if err != nil {
			return err
		}
		late := time.AfterFunc(a.Forwarding.Deadline, func() { cancel(context.DeadlineExceeded) })
		defer late.Stop()
		resp, err := a.Forwarding.To.Forward(app, out)
		if err != nil {
			a.Metrics.countForwarded(app, "failed")
			return err
		}
		defer resp.Body.Close()
		late.Reset(forwardedTransfer)
		return a.passBack(c, app, resp)
	}
}

func errNotForwarded() error {
	return broker.Errorf(notForwarded, "this call is not passed on to WeChat: the operator can name it under pass_through of the mini program")
}

// outgoing makes the request that WeChat gets. Its body has to have a length: WeChat takes none in chunks.
func outgoing(ctx context.Context, c *gin.Context, path string) (*http.Request, error) {
	in := c.Request
	query, err := withoutCredential(in.URL.RawQuery)
	switch {
	case err != nil:
		return nil, err
	case in.ContentLength > maxForwarded:
		return nil, broker.Errorf(tooLarge, "the body is larger than %d bytes", maxForwarded)
	}
	out := (&http.Request{
		Method: in.Method, URL: &url.URL{Path: path, RawQuery: query}, Header: picked(in.Header, headersToWeChat),
	}).WithContext(ctx)
	if in.ContentLength > heldForwarded {
		out.Body, out.ContentLength = http.MaxBytesReader(c.Writer, in.Body, maxForwarded), in.ContentLength
		return out, nil
	}
	held, err := io.ReadAll(io.LimitReader(in.Body, heldForwarded+1))
	switch {
	case err != nil:
		return nil, broker.Errorf(malformed, "the body did not arrive whole")
	case len(held) > heldForwarded:
		return nil, broker.Errorf(tooLarge, "a body larger than %d bytes needs a Content-Length", heldForwarded)
	case len(held) > 0:
		out.ContentLength = int64(len(held))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(held)), nil }
	}
	return out, nil
}

// notForwardedParams say in whose name a call is made, which is said here: the caller's own credentials (an SDK has its
// API key in the place of the secret), and the app that the open interface service takes beside, or instead of, the one
// that it knows.
//
//nolint:gochecknoglobals // a constant table
var notForwardedParams = []string{"access_token", "cloudbase_access_token", "from_appid", "secret"}

// withoutCredential takes out of a raw query what says who asks, and leaves the rest as it is.
func withoutCredential(query string) (string, error) {
	var rest []string
	for segment := range strings.SplitSeq(query, "&") {
		rawName, _, _ := strings.Cut(segment, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return "", broker.Errorf(malformed, "the name of a parameter is badly percent-encoded")
		}
		if segment != "" && !slices.Contains(notForwardedParams, name) {
			rest = append(rest, segment)
		}
	}
	return strings.Join(rest, "&"), nil
}

func picked(all http.Header, names []string) http.Header {
	some := make(http.Header, len(names))
	for _, name := range names {
		if values := all.Values(name); len(values) > 0 {
			some[name] = values
		}
	}
	return some
}

// passBack streams an answer. What breaks off or grows too long ends the connection: half an answer must not look like
// a whole one.
func (a *api) passBack(c *gin.Context, app string, resp *http.Response) error {
	if resp.ContentLength > maxForwardedAnswer {
		a.Metrics.countForwarded(app, "failed")
		return broker.Errorf(broker.Unavailable, "WeChat's answer is larger than %d bytes", maxForwardedAnswer)
	}
	h := c.Writer.Header()
	maps.Copy(h, picked(resp.Header, headersFromWeChat))
	h.Set("Cache-Control", "no-store")
	if resp.ContentLength >= 0 {
		h["Content-Length"] = resp.Header["Content-Length"]
	}
	c.Writer.WriteHeader(http.StatusOK)
	n, err := io.Copy(c.Writer, io.LimitReader(resp.Body, maxForwardedAnswer+1))
	if err != nil || n > maxForwardedAnswer {
		a.Metrics.countForwarded(app, "broken")
		panic(http.ErrAbortHandler)
	}
	a.Metrics.countForwarded(app, "answered")
	return nil
}
