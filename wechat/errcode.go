package wechat

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"linkbroker/broker"
)

// refusal is what one of WeChat's errcodes means for us: its class, what it says to people, and when to ask again.
type refusal struct {
	code       broker.Code
	message    string
	retryAfter time.Duration // 0 = asking again changes nothing, or the domain knows better
}

// notWhitelisted is the errcode whose errmsg names the address from which WeChat was called.
const notWhitelisted = 40164

const defect = "WeChat could not read the call: this is a defect of linkbroker, please report it with the request id"

// linkRefusals are the errcodes that all calls for links have. Those not listed are passed on as they are (broker.Upstream).
// In all of them nothing was generated.
var linkRefusals = map[int]refusal{
	-1: {broker.Unavailable, "WeChat is busy", time.Second},

	44990: {broker.Busy, "WeChat says that this mini program calls too fast", time.Second},
	45011: {broker.Busy, "WeChat says that this mini program calls too fast", time.Second},

	44993: {broker.QuotaExhausted, "WeChat's daily quota of links for this mini program is used up", time.Hour},
	45009: {broker.QuotaExhausted, "WeChat's daily quota of calls for this mini program is used up", time.Hour},

	40165: {broker.InvalidPath, "WeChat does not accept the path: it has to be a page of the released version, without a query", 0},
	40212: {broker.InvalidQuery, "WeChat does not accept the query", 0},
	85401: {broker.InvalidExpiry, "WeChat does not accept the expiry: it has to be more than a minute away", 0},
	85402: {broker.InvalidEnv, "WeChat does not accept env_version", 0},

	85079: {broker.AppNotReleased, "the mini program has no released version yet: release one in the WeChat console", time.Minute},
	40002: {broker.AppForbidden, "WeChat does not let this mini program make links: see its state in the WeChat console", time.Minute},
	40013: {broker.AppForbidden, "WeChat does not accept the appid: see the mini program's state in the WeChat console", time.Minute},
	48001: {broker.AppForbidden, "WeChat has not granted this mini program the making of links: see the WeChat console", time.Minute},

	43002: {broker.Internal, defect, 0},
	44002: {broker.Internal, defect, 0},
	47001: {broker.Internal, defect, 0},
	// Of what we send, cloud_base and fields unknown to us alone are not checked before.
	40097: {broker.InvalidArgument, "WeChat does not accept an argument: look at cloud_base and at fields that only WeChat knows", 0},
}

// tokenRefusals are the errcodes of the token calls. Those not listed are broker.TokenRefused with WeChat's words.
var tokenRefusals = map[int]refusal{
	-1:    {broker.Unavailable, "WeChat is busy and gives no access token", time.Second},
	44990: {broker.Unavailable, "WeChat says that access tokens are asked for too fast", time.Second},
	45011: {broker.Unavailable, "WeChat says that access tokens are asked for too fast", time.Second},
	45009: {broker.Unavailable, "WeChat says that access tokens were asked for too often today", time.Minute},

	40125:          {broker.TokenRefused, "WeChat refuses the AppSecret: copy it anew from the WeChat console into the configuration", time.Minute},
	40243:          {broker.TokenRefused, "WeChat has the AppSecret frozen: unfreeze it in the WeChat console", time.Minute},
	notWhitelisted: {broker.TokenRefused, "WeChat does not take calls from this machine: add its IP address to the whitelist in the WeChat console", time.Minute},
	40013:          {broker.TokenRefused, "WeChat does not know the appid: copy it anew from the WeChat console into the configuration", time.Minute},

	43002: {broker.Internal, defect, 0},
	44002: {broker.Internal, defect, 0},
	47001: {broker.Internal, defect, 0},
}

// deadToken are the errcodes that say a token is not good (any more).
var deadToken = map[int]bool{40001: true, 40014: true, 42001: true, 41001: true}

// linkError is what an errcode means that is neither 0 nor one of deadToken. A call may have some of its own.
func (a answer) linkError(own map[int]refusal) error {
	known, ok := own[a.errCode]
	if !ok {
		known, ok = linkRefusals[a.errCode]
	}
	if !ok {
		known = refusal{code: broker.Upstream, message: cmp.Or(a.errMsg, "WeChat refuses without a word")}
	}
	err := known.err(a)
	err.ErrCode = a.errCode
	return err
}

// tokenError is what an answer of a token call without a token means. Its errcode stands in the text alone: a caller
// who gets one of these numbers as an errcode would look for the fault in its own credentials.
func (a answer) tokenError() error {
	known, ok := tokenRefusals[a.errCode]
	if !ok {
		known = refusal{broker.TokenRefused, "WeChat gives no access token: " + a.errMsg, time.Minute}
	}
	known.message = fmt.Sprintf("%s (WeChat's errcode %d)", known.message, a.errCode)
	if ip := a.namedIP(); ip != "" && a.errCode == notWhitelisted {
		known.message += "; WeChat sees " + ip
	}
	return known.err(a)
}

func (r refusal) err(a answer) *broker.Error {
	err := broker.Errorf(r.code, "%s", r.message)
	err.ErrCode, err.RID, err.RetryAfter, err.Unspent = 0, a.rid, r.retryAfter, true
	return err
}

// namedIP finds the address in "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist".
func (a answer) namedIP() string {
	for word := range strings.FieldsSeq(a.errMsg) {
		if ip, err := netip.ParseAddr(strings.Trim(word, ",.;()")); err == nil {
			return ip.Unmap().String()
		}
	}
	return ""
}
