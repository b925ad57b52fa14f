package broker

import (
	"errors"
	"fmt"
	"time"
)

// Code is the class of an error: what a caller can do about it. A Code is itself an error, so that
// errors.Is(err, broker.NotFound) asks for the class.
type Code string

// The classes. The HTTP status of each stands in one table, handlers/errors.go.
const (
	// The caller's: ask differently.
	InvalidPath        Code = "invalid_path"        // WeChat's 40165
	InvalidQuery       Code = "invalid_query"       // WeChat's 40212
	InvalidExpiry      Code = "invalid_expiry"      // WeChat's 85401
	InvalidEnv         Code = "invalid_env"         // WeChat's 85402
	InvalidArgument    Code = "invalid_argument"    // WeChat's 40097: cloud_base, scope, extra fields and the like
	InvalidLeastLife   Code = "invalid_least_life"  // more than 2/3 of the life such a link has
	UnknownApp         Code = "unknown_app"         // no app of that appid is configured
	NotFound           Code = "not_found"           // no such link
	Conflict           Code = "conflict"            // it exists already, or stands where it cannot be changed
	PreconditionFailed Code = "precondition_failed" // If-Match or If-None-Match does not hold
	BadCredential      Code = "bad_credential"      //nolint:gosec // the key, token or signature is not valid
	Forbidden          Code = "forbidden"           // the client may not do this
	RateLimited        Code = "rate_limited"        // the client's or address's own rate is used up
	BudgetExhausted    Code = "budget_exhausted"    // the client's own generations of the day are used up
	NotCached          Code = "not_cached"          // the caller may read only, and nothing that lives is stored

	// The app's: its administrator acts in the WeChat console.
	AppNotReleased Code = "app_not_released" // WeChat's 85079
	AppForbidden   Code = "app_forbidden"    // WeChat's 40002, 40013, 48001

	// The operator's: WeChat gives this machine no access token (40125, 40164, 40243).
	TokenRefused Code = "token_refused"

	// Passing: ask again later.
	Busy           Code = "busy"            // too many waiting, or WeChat says 44990 or 45011
	QuotaExhausted Code = "quota_exhausted" // no generation is left in this quota day, or WeChat says 44993 or 45009
	Unavailable    Code = "unavailable"     // WeChat busy (-1), away, slow or answering garbage
	StoreFailed    Code = "store_failed"    // the store cannot be read, or no quota can be reserved in it

	// Upstream is any other errcode of WeChat's, passed on unchanged.
	Upstream Code = "upstream"
	// Internal is a defect of ours.
	Internal Code = "internal"
)

// Error makes a Code usable as the target of errors.Is.
func (c Code) Error() string { return string(c) }

// Error is the one error type of the domain and of the adapters below it.
// Its message never carries a URL, a token, a secret or an API key.
type Error struct {
	Code    Code
	Message string // says what is wrong and what to do

	ErrCode    int           // WeChat's errcode, or the one WeChat would give; 0 if there is none
	RID        string        // WeChat's request id (the rid: … of its errmsg); its support asks for it
	RetryAfter time.Duration // when to ask again; 0 if nothing is known

	// Unspent says that the call certainly generated nothing: WeChat answered with an errcode other than 0, or
	// the call never left. Everything else (a time-out, a 5xx, garbage) may have spent a unit of quota.
	Unspent bool

	err error
}

// Errorf makes an Error of the code. A %w verb keeps its cause for errors.Is and errors.As.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), ErrCode: code.errCode(), err: errors.Unwrap(err)}
}

// Error gives the message, with WeChat's errcode and request id where there are any.
func (e *Error) Error() string {
	switch {
	case e.ErrCode != 0 && e.RID != "":
		return fmt.Sprintf("%s (errcode %d, rid %s)", e.Message, e.ErrCode, e.RID)
	case e.ErrCode != 0:
		return fmt.Sprintf("%s (errcode %d)", e.Message, e.ErrCode)
	default:
		return e.Message
	}
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.err }

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code) // a plain value, never wrapped
	return ok && code == e.Code
}

// CodeOf gives the class of any error: Internal for one that is not of this package.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// errCode is the errcode with which WeChat reports what the code means, for errors found before WeChat is asked.
func (c Code) errCode() int {
	switch c {
	case InvalidPath:
		return 40165
	case InvalidQuery:
		return 40212
	case InvalidExpiry:
		return 85401
	case InvalidEnv:
		return 85402
	case InvalidArgument, InvalidLeastLife:
		return 40097
	case UnknownApp:
		return 40013
	default:
		return 0
	}
}
