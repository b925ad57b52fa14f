package sandbox

import (
	"crypto/rand"
	"fmt"
	"time"
)

// errcode is one of WeChat's error numbers.
type errcode int

const (
	ok              errcode = 0
	busy            errcode = -1
	tokenInvalid    errcode = 40001
	grantInvalid    errcode = 40002
	appidInvalid    errcode = 40013
	pageInvalid     errcode = 40066
	argumentInvalid errcode = 40097
	secretInvalid   errcode = 40125
	sceneInvalid    errcode = 40129
	ipNotListed     errcode = 40164
	pathInvalid     errcode = 40165
	queryInvalid    errcode = 40212
	titleInvalid    errcode = 40225
	secretFrozen    errcode = 40243
	tokenMissing    errcode = 41001
	codePageInvalid errcode = 41030
	tokenExpired    errcode = 42001
	wantsGET        errcode = 43001
	wantsPOST       errcode = 43002
	shopsOnly       errcode = 43104
	bodyEmpty       errcode = 44002
	tooFast         errcode = 44990
	quotaUsedUp     errcode = 44993
	callsUsedUp     errcode = 45009
	callsTooFast    errcode = 45011
	jsonInvalid     errcode = 47001
	notReleased     errcode = 85079
	permanentUsedUp errcode = 85400
	expiryInvalid   errcode = 85401
	envInvalid      errcode = 85402
	linkUnknown     errcode = 85403
)

var messages = map[errcode]string{ //nolint:gosec // texts about secrets, not secrets
	ok:              "ok",
	busy:            "system error",
	tokenInvalid:    "invalid credential, access_token is invalid or not latest, more details at https://mmbizurl.cn/s/help",
	grantInvalid:    "invalid grant_type",
	appidInvalid:    "invalid appid",
	pageInvalid:     "invalid url",
	argumentInvalid: "invalid args",
	secretInvalid:   "invalid appsecret",
	sceneInvalid:    "invalid scene",
	ipNotListed:     "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
	pathInvalid:     "invalid weapp pagepath",
	queryInvalid:    "invalid query",
	titleInvalid:    "invalid page title",
	secretFrozen:    "appsecret is frozen",
	codePageInvalid: "invalid page",
	tokenMissing:    "access_token missing",
	tokenExpired:    "access_token expired",
	wantsGET:        "require GET method",
	wantsPOST:       "require POST method",
	shopsOnly:       "no permission",
	bodyEmpty:       "empty post data",
	tooFast:         "reach max api minute quota limit",
	quotaUsedUp:     "reach max api daily quota limit",
	callsUsedUp:     "reach max api daily quota limit",
	callsTooFast:    "api minute-quota reach limit, must slower retry next minute",
	jsonInvalid:     "data format error",
	notReleased:     "the weapp has no released version",
	permanentUsedUp: "reach max permanent short link limit",
	expiryInvalid:   "invalid expire_time",
	envInvalid:      "invalid env_version",
	linkUnknown:     "url_link not found",
}

// fields is a JSON object that WeChat answers.
type fields map[string]any

// refused is the answer of an errcode. Like WeChat's it ends in the request id.
func (e errcode) refused(now time.Time) fields {
	message, known := messages[e]
	if !known {
		message = "system error"
	}
	random := rand.Text()
	rid := fmt.Sprintf("%x-%.8s-%.8s", now.Unix(), random, random[8:])
	return fields{"errcode": int(e), "errmsg": message + " rid: " + rid}
}
