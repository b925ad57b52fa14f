package handlers

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// operation is one of WeChat's calls: it reads a body, which it must not keep, and says how to answer it.
type operation func(data []byte) (reply, error)

// reply answers a call on behalf of an app with the JSON that WeChat would send.
type reply func(c *gin.Context, who caller, app string) ([]byte, error)

// asWeChat serves an operation in WeChat's own protocol.
func (a *api) asWeChat(op operation) func(c *gin.Context, who caller) error {
	return func(c *gin.Context, who caller) error {
		body, err := a.operate(c, who, op)
		if err != nil {
			return err
		}
		writeBytes(c, http.StatusOK, contentJSON, body)
		return nil
	}
}

func (a *api) operate(c *gin.Context, who caller, op operation) ([]byte, error) {
	app, err := a.chooseApp(who, param(c.Request.URL.RawQuery, "appid"))
	if err != nil {
		return nil, err
	}
	var answer reply
	err = a.bodies.read(c.Request, func(data []byte) (err error) {
		answer, err = op(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer(c, who, app)
}

// generation is a call of WeChat's that generates: what it takes, and under which name it gives the link.
type generation struct {
	*idiom
	field string
}

func urlLinkCall() generation   { return generation{bodyOf[urlLinkRequest](), "url_link"} }
func schemeCall() generation    { return generation{bodyOf[schemeRequest](), "openlink"} }
func shortLinkCall() generation { return generation{bodyOf[shortLinkRequest](), "link"} }

// generates serves a generation in WeChat's own protocol.
func (a *api) generates(g generation) func(c *gin.Context, who caller) error {
	return func(c *gin.Context, who caller) error {
		app, err := a.chooseApp(who, param(c.Request.URL.RawQuery, "appid"))
		if err != nil {
			return err
		}
		var what *asked
		err = a.bodies.read(c.Request, func(data []byte) (err error) {
			what, err = a.memo.understand(g.idiom, data)
			return err
		})
		if err != nil {
			return err
		}
		answer, err := a.answerTo(c.Request.Context(), &who, app, what)
		if err != nil {
			return err
		}
		writeCacheFacts(c.Writer.Header(), &answer, "")
		a.replies.write(c, contentJSON, func(b []byte) []byte { return appendWeChat(b, g.field, &answer) })
		return nil
	}
}

// operation gives the call as others that need not be fast.
func (a *api) operation(g generation) operation {
	return func(data []byte) (reply, error) {
		req, err := g.read(data)
		if err != nil {
			return nil, err
		}
		return func(c *gin.Context, who caller, app string) ([]byte, error) {
			answer, err := a.answerTo(c.Request.Context(), &who, app, &asked{request: &req})
			if err != nil {
				return nil, err
			}
			writeCacheFacts(c.Writer.Header(), &answer, "")
			return appendWeChat(nil, g.field, &answer), nil
		}, nil
	}
}

// appendWeChat appends an answer as WeChat gives it, with what was in it that we do not know.
func appendWeChat(b []byte, field string, answer *broker.Answer) []byte {
	b = append(append(append(b, `{"errcode":0,"errmsg":"ok","`...), field...), `":`...)
	b = appendString(b, answer.URL())
	if extra := answer.Link.Extra; len(extra) > 0 {
		return append(append(b, ','), extra[1:]...)
	}
	return append(b, '}')
}

// urlLinkRequest is what WeChat's urllink.generate takes. Fields we do not know go upstream and into the key.
type urlLinkRequest struct {
	expiryFields

	Path      string         `json:"path"`
	Query     string         `json:"query"`
	Env       broker.Env     `json:"env_version"`
	CloudBase cloudBase      `json:"cloud_base"`
	IsExpire  whatever       `json:"is_expire"` // WeChat ignores it since 2022
	Unknown   jsontext.Value `json:",embed"`
}

// request gives what the domain works on. Times and intervals that are not positive count as absent, because some
// SDKs send 0 for each field that its user left out.
func (in *urlLinkRequest) request() (broker.Request, error) {
	expiry, err := in.loose()
	return broker.Request{Target: broker.Target{
		Kind:      broker.URLLink,
		Path:      in.Path,
		Query:     in.Query,
		Env:       in.Env,
		CloudBase: in.CloudBase.target(),
		Expiry:    expiry,
		Extra:     withoutNulls(in.Unknown),
	}}, err
}

func (f *expiryFields) loose() (broker.Expiry, error) {
	return broker.ParseExpiry(f.Type.pointer(), f.Interval.positive(), f.At.positive())
}

// schemeRequest is what WeChat's urlscheme.generate takes.
type schemeRequest struct {
	expiryFields

	JumpWxa  jumpWxa        `json:"jump_wxa"`
	IsExpire whatever       `json:"is_expire"`
	Unknown  jsontext.Value `json:",embed"`
}

// jumpWxa is where a scheme leads. null, [] and {} all mean the home page.
type jumpWxa struct {
	Path    string         `json:"path"`
	Query   string         `json:"query"`
	Env     broker.Env     `json:"env_version"`
	Unknown jsontext.Value `json:",embed"`
}

// UnmarshalJSONFrom reads one value.
func (j *jumpWxa) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type fields jumpWxa // without this method
	_, err := readOptional(dec, (*fields)(j))
	return err
}

func (in *schemeRequest) request() (broker.Request, error) {
	expiry, err := in.loose()
	return broker.Request{Target: broker.Target{
		Kind:   broker.Scheme,
		Path:   in.JumpWxa.Path,
		Query:  in.JumpWxa.Query,
		Env:    in.JumpWxa.Env,
		Expiry: expiry,
		Extra:  joinExtra(withoutNulls(in.Unknown), "jump_wxa", withoutNulls(in.JumpWxa.Unknown)),
	}}, err
}

// joinExtra puts the unknown fields of an object into those of the body that it stands in.
func joinExtra(beside []byte, name string, within []byte) []byte {
	if len(within) == 0 {
		return beside
	}
	joined := append(append([]byte(`{"`+name+`":`), within...), '}')
	if len(beside) <= len("{}") {
		return joined
	}
	return append(append(joined[:len(joined)-1], ','), beside[1:]...)
}

// shortLinkRequest is what WeChat's shortlink.generate takes.
type shortLinkRequest struct {
	PageURL   string         `json:"page_url"`
	Title     string         `json:"page_title"`
	Permanent truth          `json:"is_permanent"`
	Unknown   jsontext.Value `json:",embed"`
}

func (in *shortLinkRequest) request() (broker.Request, error) { //nolint:unparam // as all requests have it
	page, query, _ := strings.Cut(strings.TrimSpace(in.PageURL), "?")
	return broker.Request{Target: broker.Target{
		Kind:   broker.ShortLink,
		Path:   page,
		Query:  query,
		Title:  in.Title,
		Expiry: broker.Expiry{Never: bool(in.Permanent)},
		Extra:  withoutNulls(in.Unknown),
	}}, nil
}

// truth is a boolean as real clients write it: true, 1, and null for absent.
type truth bool

// UnmarshalJSONFrom reads one value.
func (t *truth) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var yes bool
	switch text := string(value); text {
	case "null":
		return nil
	case "0", "1":
		yes = text == "1"
	default:
		if json.Unmarshal(value, &yes) != nil {
			return broker.Errorf(malformed, "field %q must be true or false", dec.StackPointer())
		}
	}
	*t = truth(yes)
	return nil
}

// param reads the value of a parameter.
func (t *truth) param(name, value string) error {
	switch value {
	case "true", "1":
		*t = true
	case "false", "0", "":
		*t = false
	default:
		return broker.Errorf(malformed, "parameter %q must be true or false", name)
	}
	return nil
}
