package handlers

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// RouteInfo is a row of the table of routes.
type RouteInfo struct {
	Method, Path string
	Role         broker.Role
	Audit        string
	Page         bool // of the admin page
}

// RoutesOf gives the table of a listener.
func RoutesOf(listener string) []RouteInfo {
	table := adminRoutes
	if listener == "public" {
		table = publicRoutes
	}
	var infos []RouteInfo
	for _, r := range table(&api{Config: Config{Metrics: NewMetrics(nil, Version{})}}) {
		infos = append(infos, RouteInfo{r.method, r.path, r.role, r.audit, r.traits&isPage != 0})
	}
	return infos
}

// WithRoutes gives a public listener with routes of a role that nobody who is not let in reaches. Each says its path.
func WithRoutes(cfg Config, method string, role broker.Role, paths ...string) http.Handler {
	a := newAPI(cfg, "public")
	var routes []route
	for _, path := range paths {
		routes = append(routes, route{method, path, role, func(c *gin.Context, _ caller) error {
			c.Writer.Header().Set("X-Route", path)
			c.Writer.WriteHeader(http.StatusOK)
			return nil
		}, "", 0})
	}
	return a.engine(routes)
}

// StatusOf gives what the table of errors says of a code.
func StatusOf(code broker.Code) (status, errcode int, known bool) {
	r, known := verdicts[code]
	return r.status, r.errcode, known
}

// AppendAnswer is the written-out encoder.
func AppendAnswer(b []byte, answer broker.Answer) []byte { return appendAnswer(b, &answer) }

// WithoutCredential takes the caller's credential out of a query.
var WithoutCredential = withoutCredential

// LanguageOf is the language of a request.
var LanguageOf = languageOf

// Codes are all codes of errors.
func Codes() []broker.Code { return slices.Collect(maps.Keys(verdicts)) }

// ErrorPage gives the page of an error.
func ErrorPage(cfg Config, code broker.Code, language string) *httptest.ResponseRecorder {
	a := newAPI(cfg, "admin")
	a.admin = true
	out := httptest.NewRecorder()
	h := a.engine([]route{{http.MethodPost, "/", anybody, func(*gin.Context, caller) error {
		return broker.Errorf(code, "oh dear")
	}, "", isPage}})
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
	r.Header.Set("Accept-Language", language)
	h.ServeHTTP(out, r)
	return out
}

// Defused and Bare are what guards cells of CSV, and what takes it off.
var (
	Defused = defused
	Bare    = bare
)

// Guarded turns a panic into an error.
var Guarded = guarded

// Lines reads a body of many values to its end, and says how it ended.
func Lines(body io.Reader, size, most int) (values [][]byte, wrong int, err error) {
	l, err := openLines(body, size, most)
	if err != nil {
		return nil, 0, err
	}
	for {
		value, err := l.next()
		switch {
		case errors.Is(err, tooLarge):
			wrong++
		case err != nil:
			return values, wrong, err
		default:
			values = append(values, bytes.Clone(value))
		}
	}
}

// PageFuncs are what templates of a language call.
func PageFuncs(p *Pages, language string) template.FuncMap {
	return p.texts[broker.Language(language)].funcs()
}

// ReadSheet reads the file of a batch as the admin page does: the requests of its rows with their lines.
func ReadSheet(content io.Reader) (lines []int, requests []string, err error) {
	s, err := openSheet(content)
	if err != nil {
		return nil, nil, err
	}
	for {
		row, err := s.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return lines, requests, err
		}
		lines, requests = append(lines, row.line), append(requests, string(s.request(row)))
	}
}

// Reading is what became of a body.
type Reading struct {
	Plain   bool // it was read in the fast way
	Request broker.Request
	Err     error
}

// Readers read a body in the fast way and in the strict one.
func Readers() map[string]func(body []byte) (fast, strict Reading) {
	return map[string]func(body []byte) (fast, strict Reading){"native": readBothWays[linkRequest], "facade": readBothWays[urlLinkRequest]}
}

func readBothWays[T any, P interface {
	*T
	plainRequest
	request() (broker.Request, error)
}](body []byte) (fast, strict Reading) {
	in := P(new(T))
	if fast.Plain = readPlain(body, in); fast.Plain {
		fast.Request, fast.Err = in.request()
	}
	in = P(new(T))
	if strict.Err = decode(body, in); strict.Err == nil {
		strict.Request, strict.Err = in.request()
	}
	return fast, strict
}

// StepsOfReading are the three ways in which a body is read.
func StepsOfReading(body []byte) map[string]func() bool {
	m, idiom := newMemo(), bodyOf[linkRequest]()
	m.remember(&asked{idiom: idiom, words: string(body)}, "", nil)
	return map[string]func() bool{
		"remembered": func() bool { known, _ := m.find(idiom, body); return known != nil },
		"plain":      func() bool { return readPlain(body, new(linkRequest)) },
		"strict":     func() bool { return decode(body, new(linkRequest)) == nil },
	}
}

// WriteCacheFacts writes the headers of a POST's answer.
func WriteCacheFacts(h http.Header, answer *broker.Answer) { writeCacheFacts(h, answer, "") }
