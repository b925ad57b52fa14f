package handlers

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

var (
	//go:embed visit.html
	visitHTML string
	//go:embed visit.css
	visitCSS string
)

// visitText is what a page says to a visitor who cannot be sent on.
type visitText struct{ title, text, again broker.Text }

//nolint:gochecknoglobals // a constant table
var visitTexts = map[int]visitText{
	http.StatusNotFound: {
		title: broker.Text{English: "Nothing here", Chinese: "链接无效"},
		text: broker.Text{
			English: "This address leads nowhere. It may be mistyped, or what was offered here has ended.",
			Chinese: "这个地址无法打开：可能输入有误，也可能活动已经结束。",
		},
	},
	http.StatusTooManyRequests: {
		title: broker.Text{English: "Too many tries", Chinese: "尝试次数过多"},
		text: broker.Text{
			English: "Too many wrong addresses were opened from your network. Please wait a minute.",
			Chinese: "您所在的网络打开了太多错误的地址，请稍等一分钟再试。",
		},
		again: broker.Text{English: "Try again", Chinese: "再试一次"},
	},
	http.StatusServiceUnavailable: {
		title: broker.Text{English: "Not just now", Chinese: "暂时打不开"},
		text: broker.Text{
			English: "The mini program cannot be reached from here at the moment. Please try again in a little while.",
			Chinese: "目前无法从这里打开小程序，请稍后再试。",
		},
		again: broker.Text{English: "Try again", Chinese: "再试一次"},
	},
}

// visitPages are the pages for visitors, written once. They run no script and load nothing, and their policy forbids
// both.
type visitPages struct {
	byStatus map[visitPage][]byte
	policy   []string
}

type visitPage struct {
	status   int
	language broker.Language
}

func newVisitPages() visitPages {
	css := func() template.CSS { return template.CSS(visitCSS) } //nolint:gosec // our own file
	t := template.Must(template.New("visit").Funcs(template.FuncMap{"css": css}).Parse(visitHTML))
	pages := visitPages{byStatus: make(map[visitPage][]byte), policy: pagePolicy(visitCSS)}
	for status, text := range visitTexts {
		for language, lang := range map[broker.Language]string{broker.English: "en", broker.Chinese: "zh-CN"} {
			var page bytes.Buffer
			err := t.Execute(&page, struct{ Lang, Title, Text, Again string }{
				lang, text.title.In(language), text.text.In(language), text.again.In(language),
			})
			if err != nil {
				panic(err) // of files that are part of the program, which a test renders
			}
			pages.byStatus[visitPage{status, language}] = page.Bytes()
		}
	}
	return pages
}

// tellVisitor shows a browser a page in place of a problem, and says whether there is one.
func (a *api) tellVisitor(c *gin.Context, status int) bool {
	if !a.facade || !isVisit(c.Request.URL.Path) || !strings.Contains(c.Request.Header.Get("Accept"), "text/html") {
		return false
	}
	language := languageOf(c.Request)
	page, ok := a.visitPages.byStatus[visitPage{status, language}]
	if !ok {
		return false
	}
	h := c.Writer.Header()
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = a.visitPages.policy
	h.Set("Content-Language", string(language))
	writeBytes(c, status, contentHTML, page)
	return true
}
