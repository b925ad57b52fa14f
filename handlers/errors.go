package handlers

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// Codes of what is refused before the domain is asked.
const (
	unauthenticated broker.Code = "unauthenticated"
	tokenExpired    broker.Code = "token_expired"
	malformed       broker.Code = "malformed"
	emptyBody       broker.Code = "empty_body"
	tooLarge        broker.Code = "too_large"
	badGrant        broker.Code = "bad_grant"
	noRoute         broker.Code = "no_route"
	notForwarded    broker.Code = "not_forwarded"
	wrongMethod     broker.Code = "wrong_method"
	hungUp          broker.Code = "hung_up"
)

// refusal is how an error of one code is told.
type refusal struct {
	status  int    // on the native interface; the facade says 200 always
	errcode int    // on the facade; 0 = the error's own
	title   string // short, the same for every error of the code
	hint    string // what to do
}

// systemError is WeChat's errcode for trouble of its own, which makes clients try again.
const systemError = -1

// refusals is the one table of what a code means in HTTP. 422: understood and refused, as WeChat would. 502: the
// mini program's administrator must act. 503: try again.
//
//nolint:gochecknoglobals // a constant table
var refusals = map[broker.Code]refusal{
	broker.InvalidPath:        {422, 0, "The path is refused", "Give the page's path without a query; the page must be in the released version."},
	broker.InvalidQuery:       {422, 0, "The query is refused", "Percent-encode what is outside WeChat's alphabet; at most 1024 characters."},
	broker.InvalidExpiry:      {422, 0, "The expiry is refused", "Leave the expire fields out for a link that is renewed by itself."},
	broker.InvalidEnv:         {422, 0, "The env_version is refused", "It is one of release, trial and develop."},
	broker.InvalidArgument:    {422, 0, "A field is refused", "See the detail."},
	broker.InvalidLeastLife:   {422, 0, "The least life is refused", "Ask for less: at most two thirds of the life such a link has."},
	broker.UnknownApp:         {400, 40013, "No such mini program", "Name the appid of a mini program that is configured here."},
	broker.NotFound:           {404, 85403, "Not found", "It may have been deleted or purged."},
	broker.PreconditionFailed: {412, systemError, "The precondition does not hold", "Read it again, and repeat the change with the ETag it has now."},
	broker.NotCached:          {403, 48001, "Not in the cache", "This key may only read. Ask with a key of role generate."},

	broker.AppNotReleased: {502, 0, "The mini program is not released", "Release a version in WeChat's console."},
	broker.AppForbidden:   {502, 0, "The mini program may not do this", "Check its permissions and its standing in WeChat's console."},
	broker.TokenRefused:   {502, systemError, "WeChat refuses this broker", "The operator must check the AppSecret and the IP whitelist."},
	broker.Upstream:       {502, 0, "WeChat refused", "Look the errcode up in WeChat's documentation."},

	broker.Busy:           {503, 45011, "Too much at once", "Try again after the time in Retry-After."},
	broker.QuotaExhausted: {503, 45009, "The day's quota is used up", "Links that are stored are still answered. Try again when the quota day ends."},
	broker.Unavailable:    {503, systemError, "Not available just now", "Try again; the link may be there by then."},
	broker.StoreFailed:    {503, systemError, "The store is failing", "The operator must look at the disk and the log."},
	broker.Internal:       {500, systemError, "A defect in linkbroker", "Please report it with what the log says."},

	unauthenticated:      {401, 41001, "No credential", "Send the API key as Authorization: Bearer, as access_token or under the prefix /k/{key}; a publishable one as key."},
	broker.BadCredential: {401, 40001, "The credential is not valid", "Check the API key, or ask for a new token."},
	tokenExpired:         {401, 42001, "The token has expired", "Ask /cgi-bin/token for a new one."},
	broker.Forbidden:     {403, 48001, "Not allowed", "Ask the operator what this key is for: its role, mini programs, pages, queries and origins."},
	malformed:            {400, 47001, "Malformed request", "See the detail and /docs."},
	emptyBody:            {400, 44002, "Empty body", "Send a JSON object."},
	tooLarge:             {413, 47001, "Too large", "A request for one link is at most 16 KiB."},
	badGrant:             {400, 40002, "Wrong grant_type", "It is client_credential."},
	noRoute:              {404, 40066, "No such address", "See /docs."},
	notForwarded:         {403, 48001, "Not passed on", "Ask the operator, who can name the call under pass_through."},
	wrongMethod:          {405, 43002, "Wrong method", "See the Allow header."},
	broker.Conflict:      {409, systemError, "Conflict", "See the detail."},
	hungUp:               {499, systemError, "The caller hung up", "What was begun goes on; ask again."}, // nginx's status

	broker.RateLimited:     {429, 45011, "Too fast", "Try again after the time in Retry-After."},
	broker.BudgetExhausted: {429, 45009, "The key's own budget is used up", "Links that are stored are still answered. Try again when the quota day ends."},
}

// refuse tells an error in the language of the address: the one place where an answer becomes an error.
func (a *api) refuse(c *gin.Context, err error) {
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		err = broker.Errorf(hungUp, "the connection was closed before there was an answer") // and no failure of ours
	}
	r, e := judge(err)
	if e.Code == broker.Internal {
		a.Logger.Error("a request met a defect", "route", c.FullPath(), "error", err)
	}
	if wait := retryAfter(r, e); wait > 0 {
		c.Writer.Header().Set("Retry-After", seconds(wait))
	}
	if a.facade && a.speaksWeChat(c.Request.URL.Path) {
		refuseAsWeChat(c, r, e)
		return
	}
	if !a.tellVisitor(c, r.status) && !a.tellAdministrator(c, r, e) {
		a.refuseWithProblem(c, r, e)
	}
}

// judge says how an error is told. One of no known code is a defect.
func judge(err error) (refusal, *broker.Error) {
	e, ok := errors.AsType[*broker.Error](err)
	if !ok {
		e = broker.Errorf(broker.Internal, "%w", err)
	}
	r, ok := refusals[e.Code]
	if !ok {
		e, r = broker.Errorf(broker.Internal, "an error of the unknown code %q: %w", e.Code, err), refusals[broker.Internal]
	}
	return r, e
}

// problem is a problem of RFC 9457.
type problem struct {
	Type       string      `json:"type,omitempty"` // absent in a line of a stream, as whose member it stands
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Detail     string      `json:"detail"`
	Code       broker.Code `json:"code"`
	ErrCode    int         `json:"errcode,omitzero"`
	RID        string      `json:"rid,omitempty"`
	Hint       string      `json:"hint"`
	RetryAfter int64       `json:"retry_after,omitzero"` // seconds; elsewhere a header says so
}

func (r refusal) problem(e *broker.Error) problem {
	return problem{
		Title: r.title, Status: r.status, Detail: r.detail(e), Code: e.Code, ErrCode: shownErrCode(e.ErrCode), RID: e.RID, Hint: r.hint,
	}
}

func (a *api) refuseWithProblem(c *gin.Context, r refusal, e *broker.Error) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	if r.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	p := r.problem(e)
	p.Type = a.PublicURL + "/docs#" + string(e.Code)
	writeBytes(c, r.status, contentProblem, encode(p))
}

// refuseAsWeChat tells an error as WeChat would. Its clients know errcode and errmsg alone, and look into nothing
// that does not come with HTTP 200.
func refuseAsWeChat(c *gin.Context, r refusal, e *broker.Error) {
	errcode, message := r.errcode, r.detail(e)
	if errcode == 0 {
		errcode = shownErrCode(e.ErrCode)
	}
	if errcode == 0 || errcode == systemError {
		errcode, message = systemError, "system error: "+r.title
	}
	if e.RID != "" {
		message += " rid: " + e.RID
	}
	c.Writer.Header().Set("Cache-Control", "no-store")
	b := strconv.AppendInt([]byte(`{"errcode":`), int64(errcode), 10)
	b = append(appendString(append(b, `,"errmsg":`...), message), '}')
	if strings.HasPrefix(withoutPrefix(c.Request.URL.Path), cloudPath) {
		b = withCamelNames(b, cloudMethod(c), "fail "+message)
	}
	writeBytes(c, http.StatusOK, contentJSON, b)
}

// detail keeps what only the operator can mend, and what may name files or this machine's address, between him and
// the log.
func (r refusal) detail(e *broker.Error) string {
	switch e.Code {
	case broker.StoreFailed, broker.Internal, broker.TokenRefused:
		return r.title
	default:
		return e.Message
	}
}

// shownErrCode keeps WeChat's complaints about the token between WeChat and us: SDKs that read one throw away their
// own token, which is good, and ask for another.
func shownErrCode(errcode int) int {
	switch errcode {
	case 40001, 40014, 41001, 42001:
		return 0
	}
	return errcode
}

// retryAfter is never less than a second where trying again makes sense.
func retryAfter(r refusal, e *broker.Error) time.Duration {
	if r.status != http.StatusServiceUnavailable && r.status != http.StatusTooManyRequests {
		return 0
	}
	return max(roundUp(e.RetryAfter), time.Second)
}

// families are how the addresses of WeChat's interface begin. An SDK whose whole base URL has moved here asks for any.
//
//nolint:gochecknoglobals // a constant table
var families = []string{
	"wxa", "cgi-bin", "wxaapi", "sns", "datacube", "tcb", "wxva", "product", "shop", "card", "business", "channels",
}

// speaksWeChat reports whether an address is one of WeChat's, under the path prefix or not. It is asked for errors
// only, and so for addresses that no route has as well.
func (a *api) speaksWeChat(address string) bool {
	address = withoutPrefix(address)
	family, _, below := strings.Cut(strings.TrimPrefix(address, "/"), "/")
	return below && slices.Contains(families, family) || a.forwards(address) || strings.HasPrefix(address, cloudPath)
}

// withoutPrefix gives an address without the path prefix that carries a key.
func withoutPrefix(address string) string {
	address = path.Clean(address)
	if rest, ok := strings.CutPrefix(address, "/k/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		return "/" + rest
	}
	return address
}
