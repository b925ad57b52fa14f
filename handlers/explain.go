package handlers

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// ownTexts says what there is to say about the codes of this package.
//
//nolint:gochecknoglobals // a constant table
var ownTexts = map[broker.Code]broker.Explanation{
	unauthenticated: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "No credential", Chinese: "缺少凭证"},
		Remedy: broker.Text{
			English: "Send the API key as Authorization: Bearer, as access_token or under the prefix /k/{key}; a publishable one as key.",
			Chinese: "请用 Authorization: Bearer、access_token 参数或前缀 /k/{key} 发送 API key；公开的 key 用 key 参数。",
		},
	},
	tokenExpired: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "The token has expired", Chinese: "token 已过期"},
		Remedy:  broker.Text{English: "Ask /cgi-bin/token for a new one.", Chinese: "请向 /cgi-bin/token 重新获取。"},
	},
	malformed: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "Malformed request", Chinese: "请求格式错误"},
		Remedy:  broker.Text{English: "See the detail and /docs.", Chinese: "请查看 detail 和 /docs。"},
	},
	emptyBody: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "Empty body", Chinese: "请求内容为空"},
		Remedy:  broker.Text{English: "Send a JSON object.", Chinese: "请发送一个 JSON 对象。"},
	},
	tooLarge: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "Too large", Chinese: "请求内容太大"},
		Remedy:  broker.Text{English: "A request for one link is at most 16 KiB.", Chinese: "一条链接的请求最多 16 KiB。"},
	},
	badGrant: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "Wrong grant_type", Chinese: "grant_type 错误"},
		Remedy:  broker.Text{English: "It is client_credential.", Chinese: "必须是 client_credential。"},
	},
	noRoute: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "No such address", Chinese: "没有这个地址"},
		Remedy:  broker.Text{English: "See /docs.", Chinese: "请查看 /docs。"},
	},
	notForwarded: {
		Class:   broker.Operator,
		Meaning: broker.Text{English: "Not passed on", Chinese: "不转发这个接口"},
		Remedy: broker.Text{
			English: "Ask the operator, who can name the call under pass_through.",
			Chinese: "请联系运维人员在 pass_through 里登记这个接口。",
		},
	},
	wrongMethod: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "Wrong method", Chinese: "HTTP 方法错误"},
		Remedy:  broker.Text{English: "See the Allow header.", Chinese: "请查看响应头 Allow。"},
	},
	hungUp: {
		Class:   broker.Caller,
		Meaning: broker.Text{English: "The caller hung up", Chinese: "调用方断开了连接"},
		Remedy:  broker.Text{English: "What was begun goes on; ask again.", Chinese: "已经开始的生成会继续完成，请再次请求。"},
	},
}

// explainCode explains a code of the domain or of this package.
func explainCode(code broker.Code) (broker.Explanation, bool) {
	if e, ok := ownTexts[code]; ok {
		e.Code = code
		return e, true
	}
	return broker.ExplainCode(code)
}

// Explain explains a code of an answer of linkbroker's: one of the domain or of HTTP.
func Explain(code broker.Code) (broker.Explanation, bool) { return explainCode(code) }

// Explanations gives all that there are: those of the domain, then those of HTTP in the order of their names.
func Explanations() []broker.Explanation {
	all := broker.Explanations()
	for _, code := range slices.Sorted(maps.Keys(ownTexts)) {
		e, _ := explainCode(code)
		all = append(all, e)
	}
	return all
}

// explanationView explains a code, or an errcode of WeChat's.
type explanationView struct {
	ErrCode    int          `json:"errcode,omitzero"` // WeChat's; absent where a code has none of its own
	Code       broker.Code  `json:"code"`             // of linkbroker's problems
	HTTPStatus int          `json:"http_status"`      // with which the native interface answers it
	Class      broker.Class `json:"class"`            // who can do something about it
	Meaning    string       `json:"meaning"`          // in one sentence
	Remedy     string       `json:"remedy"`           // what to do
}

func viewExplanation(e broker.Explanation, language broker.Language) explanationView {
	return explanationView{
		ErrCode: cmp.Or(e.ErrCode, verdicts[e.Code].errcode, broker.Errorf(e.Code, "").ErrCode), Code: e.Code, HTTPStatus: verdicts[e.Code].status, Class: e.Class,
		Meaning: e.Meaning.In(language), Remedy: e.Remedy.In(language),
	}
}

// showExplanation answers GET /api/v1/errors/{code}: an errcode such as 40165, or a code such as quota_exhausted.
func (a *api) showExplanation(c *gin.Context, _ caller) error {
	code := c.Param("code")
	e, ok := explainCode(broker.Code(code))
	if errcode, err := strconv.Atoi(code); err == nil {
		e, ok = broker.Explain(errcode)
	}
	if !ok {
		return broker.Errorf(broker.NotFound, "nothing is known here of this code: WeChat's documentation may know it")
	}
	writeExplained(c, func(language broker.Language) any { return viewExplanation(e, language) })
	return nil
}

// listExplanations answers GET /api/v1/errors.
func (a *api) listExplanations(c *gin.Context, _ caller) error {
	all := Explanations()
	writeExplained(c, func(language broker.Language) any {
		items := make([]explanationView, 0, len(all))
		for _, e := range all {
			items = append(items, viewExplanation(e, language))
		}
		return struct {
			Items []explanationView `json:"items"`
		}{items}
	})
	return nil
}

// writeExplained answers in the language of who asks.
func writeExplained(c *gin.Context, explain func(language broker.Language) any) {
	language := languageOf(c.Request)
	h := c.Writer.Header()
	h.Set("Content-Language", string(language))
	h.Add("Vary", "Accept-Language")
	writeJSON(c, http.StatusOK, explain(language))
}
