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
	verdict

	title string // short, the same for every error of the code
	hint  string // what to do
}

// verdict is what a code means in HTTP and to WeChat's clients.
type verdict struct {
	status  int // on the native interface; the facade says 200 always
	errcode int // on the facade; 0 = the error's own
}

// systemError is WeChat's errcode for trouble of its own, which makes clients try again.
const systemError = -1

// verdicts is the one table of what a code means; what is said about it in words stands in explain.go and in the domain.
// 422: understood and refused, as WeChat would. 502: the mini program's administrator must act. 503: try again.
//
//nolint:gochecknoglobals // a constant table
var verdicts = map[broker.Code]verdict{
	broker.InvalidPath:        {422, 0},
	broker.InvalidQuery:       {422, 0},
	broker.InvalidExpiry:      {422, 0},
	broker.InvalidEnv:         {422, 0},
	broker.InvalidArgument:    {422, 0},
	broker.InvalidLeastLife:   {422, 0},
	broker.UnknownApp:         {400, 40013},
	broker.NotFound:           {404, 85403},
	broker.PreconditionFailed: {412, systemError},
	broker.NotCached:          {403, 48001},

	broker.AppNotReleased: {502, 0},
	broker.AppForbidden:   {502, 0},
	broker.TokenRefused:   {502, systemError},
	broker.Upstream:       {502, 0},

	broker.Busy:           {503, 45011},
	broker.QuotaExhausted: {503, 45009},
	broker.Unavailable:    {503, systemError},
	broker.StoreFailed:    {503, systemError},
	broker.Internal:       {500, systemError},

	unauthenticated:      {401, 41001},
	broker.BadCredential: {401, 40001},
	tokenExpired:         {401, 42001},
	broker.Forbidden:     {403, 48001},
	malformed:            {400, 47001},
	emptyBody:            {400, 44002},
	tooLarge:             {413, 47001},
	badGrant:             {400, 40002},
	noRoute:              {404, 40066},
	notForwarded:         {403, 48001},
	wrongMethod:          {405, 43002},
	broker.Conflict:      {409, systemError},
	hungUp:               {499, systemError}, // nginx's status

	broker.RateLimited:     {429, 45011},
	broker.BudgetExhausted: {429, 45009},
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
	if c.Writer.Written() {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
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
	if _, ok := verdicts[e.Code]; !ok {
		e = broker.Errorf(broker.Internal, "an error of the unknown code %q: %w", e.Code, err)
	}
	return refusalOf(e.Code), e
}

func refusalOf(code broker.Code) refusal {
	words, _ := explainCode(code)
	return refusal{verdicts[code], words.Meaning.English, words.Remedy.English}
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
