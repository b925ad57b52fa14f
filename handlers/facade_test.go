package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

const facade = "/wxa/generate_urllink?access_token=" + shopKey

// clientBodies are what the SDKs really send for page p with query a=1 and defaults.
var clientBodies = map[string]string{
	"silenceper":    `{"path":"p","query":"a=1","is_expire":false,"expire_type":0,"expire_time":0,"expire_interval":0}` + "\n",
	"PowerWeChat":   `{"path":"p","query":"a=1","expire_type":0,"expire_interval":0,"expire_time":0,"env_version":"","cloud_base":null}`,
	"WxJava":        `{"path":"p","query":"a=1"}`,
	"wechatpy":      `{"path": "p", "query": "a=1", "is_expire": false, "expire_type": 0, "cloud_base": []}`,
	"Senparc":       `{"path":"p","query":"a=1","is_expire":null,"expire_type":null,"expire_time":null,"expire_interval":null,"env_version":null,"cloud_base":null,"safety_notice":null}`,
	"by hand":       `{"path":"/p","query":"?a=1","expire_type":"1","expire_interval":31}`,
	"in ms":         `{"path":" p ","query":"a=1&","expire_type":0.0,"expire_time":1800000000000}`,
	"text":          `{"path":"p","query":"a=1","expire_interval":"30.0"}`,
	"empty object":  `{"path":"p","query":"a=1","cloud_base":{}}`,
	"escaped":       `{"\u0070ath":"\u0070","query":"a\u003d1"}`,
	"much too late": `{"path":"p","query":"a=1","expire_type":0,"expire_time":1e300}`,
}

func TestTheBodiesOfAllClientsShareOneLink(t *testing.T) {
	w := newWorld(t)
	for name, body := range clientBodies {
		for _, contentType := range []string{"application/json", "application/json;charset=utf-8", "application/x-www-form-urlencoded", "text/plain", ""} {
			out := w.ask("POST", facade+"&debug=1", body, "Content-Type: "+contentType)
			if want := `{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/t1"}`; out.text() != want {
				t.Errorf("%s as %q got %s", name, contentType, out.text())
			}
		}
	}
	if w.weChat.calls() != 1 {
		t.Errorf("%d calls to WeChat", w.weChat.calls())
	}
}

func TestTargetsThatDifferNeverShare(t *testing.T) {
	w := newWorld(t)
	bodies := []string{
		`{"path":"p","query":"a=1"}`,
		`{"path":"p","query":"a=%31"}`,
		`{"path":"p","query":"a"}`,
		`{"path":"p","query":"a="}`,
		`{"path":"p","query":"a=1&a=2"}`,
		`{"path":"p","query":"a=2&a=1"}`,
		`{"path":"P","query":"a=1"}`,
		`{"path":"p","query":"a=1","env_version":"trial"}`,
		`{"path":"p","query":"a=1","expire_type":1,"expire_interval":7}`,
		`{"path":"p","query":"a=1","expire_interval":8}`,
		`{"path":"p","query":"a=1","expire_time":1773000000}`,
		`{"path":"p","query":"a=1","cloud_base":{"env":"e"}}`,
		`{"path":"p","query":"a=1","cloud_base":{"env":"e","newer":1}}`,
		`{"path":"p","query":"a=1","safety_notice":1}`,
		`{"path":"p","query":"a=1","safety_notice":{"a":null}}`,
		`{"path":"p","query":"a=1","Path":"p"}`,
	}
	for i, body := range bodies {
		want := fmt.Sprintf(`"url_link":"https://wxaurl.cn/t%d"`, i+1)
		if out := w.ask("POST", facade, body); !strings.Contains(out.text(), want) {
			t.Errorf("%s got %s", body, out.text())
		}
	}
}

// TestFieldsReachWeChat holds what a body becomes against what WeChat is asked.
func TestFieldsReachWeChat(t *testing.T) {
	seventh := time.Date(2026, 3, 8, 4, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		fields string
		want   func(broker.Target) bool
	}{
		"an interval without a type is type 1": {`"expire_interval":7`, func(b broker.Target) bool { return b.Expiry.Days == 7 }},
		"type 0 with an interval alone":        {`"expire_type":0,"expire_interval":7`, func(b broker.Target) bool { return b.Expiry.Days == 7 }},
		"a time without a type":                {`"expire_time":1772942400`, func(b broker.Target) bool { return b.Expiry.At.Equal(seventh) }},
		"a time as text":                       {`"expire_time":"1772942400"`, func(b broker.Target) bool { return b.Expiry.At.Equal(seventh) }},
		"a time with a fraction of nothing":    {`"expire_time":1772942400.000`, func(b broker.Target) bool { return b.Expiry.At.Equal(seventh) }},
		"a time with an exponent":              {`"expire_time":17729424e2`, func(b broker.Target) bool { return b.Expiry.At.Equal(seventh) }},
		"a negative time":                      {`"expire_time":-1`, func(b broker.Target) bool { return b.Expiry.Living() }},
		"a negative interval":                  {`"expire_interval":-1`, func(b broker.Target) bool { return b.Expiry.Living() }},
		"type 1 and both":                      {`"expire_type":1,"expire_interval":3,"expire_time":1772942400`, func(b broker.Target) bool { return b.Expiry.Days == 3 }},
		"type 0 and both":                      {`"expire_type":0,"expire_interval":3,"expire_time":1772942400`, func(b broker.Target) bool { return b.Expiry.At.Equal(seventh) }},
		"an unknown field": {`"safety_notice":{"b":1.0,"a":null}`, func(b broker.Target) bool {
			return string(b.Extra) == `{"safety_notice":{"a":null,"b":1}}`
		}},
		"unknown fields of which one is null": {`"b":null,"a":"null"`, func(b broker.Target) bool { return string(b.Extra) == `{"a":"null"}` }},
		"a large number that is not a float":  {`"n":9007199254740993`, func(b broker.Target) bool { return string(b.Extra) == `{"n":9007199254740993}` }},
		"a cloud_base": {`"cloud_base":{"env":"e","domain":null,"query":"b=2&a=1","newer":[]}`, func(b broker.Target) bool {
			c := b.CloudBase
			return c.Env == "e" && c.Domain == "" && c.Path == "/" && c.Query == "b=2&a=1" && string(c.Extra) == `{"newer":[]}`
		}},
		"an empty list of cloud_base": {`"cloud_base": [ ] `, func(b broker.Target) bool { return b.CloudBase == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			out := w.ask("POST", facade, `{"path":"p",`+test.fields+`}`)
			if w.weChat.calls() != 1 || !test.want(w.weChat.targets[0]) {
				t.Errorf("answer %s after asking WeChat for %+v", out.text(), w.weChat.targets)
			}
		})
	}
}

// TestBodiesThatAreRefused is about both decoders: each body is refused by the facade with the errcode and by the
// native interface with the code.
func TestBodiesThatAreRefused(t *testing.T) {
	const path = `"path":"p"`
	for name, test := range map[string]struct {
		body    string
		errcode int
		code    string
	}{
		"nothing":                         {"", 44002, "empty_body"},
		"space":                           {" \r\n", 44002, "empty_body"},
		"a list":                          {`[]`, 47001, "malformed"},
		"null":                            {`null`, 47001, "malformed"},
		"a form":                          {`path=p&query=a`, 47001, "malformed"},
		"half an object":                  {`{"path":"p"`, 47001, "malformed"},
		"something behind the object":     {`{"path":"p"} {}`, 47001, "malformed"},
		"a comma too many":                {`{"path":"p",}`, 47001, "malformed"},
		"one name twice":                  {`{"path":"p","path":"p"}`, 47001, "malformed"},
		"one name twice, escaped":         {`{"path":"p","\u0070ath":"q"}`, 47001, "malformed"},
		"an unknown name twice":           {`{"path":"p","x":1,"x":2}`, 47001, "malformed"},
		"a name twice in a field":         {`{"path":"p","x":{"a":1,"a":2}}`, 47001, "malformed"},
		"a name twice in cloud_base":      {`{"path":"p","cloud_base":{"env":"a","env":"b"}}`, 47001, "malformed"},
		"invalid UTF-8":                   {"{\"path\":\"p\xff\"}", 47001, "malformed"},
		"invalid UTF-8 in a name":         {"{\"path\":\"p\",\"x\xff\":1}", 47001, "malformed"},
		"half a surrogate":                {`{"path":"p","query":"\ud800"}`, 47001, "malformed"},
		"half a surrogate somewhere else": {`{"path":"p","x":"\udc00"}`, 47001, "malformed"},
		"a byte order mark":               {"\ufeff" + `{"path":"p"}`, 47001, "malformed"},
		"a number as path":                {`{"path":1}`, 47001, "malformed"},
		"a list as query":                 {`{"path":"p","query":[]}`, 47001, "malformed"},
		"half a day":                      {`{` + path + `,"expire_interval":1.5}`, 47001, "malformed"},
		"a tiny fraction":                 {`{` + path + `,"expire_interval":7e-99999999999}`, 47001, "malformed"},
		"a text that is no number":        {`{` + path + `,"expire_interval":"week"}`, 47001, "malformed"},
		"an empty text for a number":      {`{` + path + `,"expire_interval":""}`, 47001, "malformed"},
		"a number with space around it":   {`{` + path + `,"expire_interval":" 7"}`, 47001, "malformed"},
		"a hexadecimal number":            {`{` + path + `,"expire_interval":"0x7"}`, 47001, "malformed"},
		"true for a number":               {`{` + path + `,"expire_interval":true}`, 47001, "malformed"},
		"a list that is not empty":        {`{` + path + `,"cloud_base":[[]]}`, 47001, "malformed"},
		"a text for cloud_base":           {`{` + path + `,"cloud_base":"e"}`, 47001, "malformed"},
		"a wrong type in cloud_base":      {`{` + path + `,"cloud_base":{"env":1}}`, 47001, "malformed"},
		"cloud_base without env":          {`{` + path + `,"cloud_base":{"path":"/"}}`, 40097, "invalid_argument"},
		"a query in the path":             {`{"path":"p?a=1"}`, 40165, "invalid_path"},
		"a page in Chinese":               {`{"path":"页"}`, 40165, "invalid_path"},
		"a query outside the alphabet":    {`{"path":"p","query":"a={}"}`, 40212, "invalid_query"},
		"an unknown env_version":          {`{"path":"p","env_version":"beta"}`, 85402, "invalid_env"},
		"type 1 without an interval":      {`{"path":"p","expire_type":1}`, 85401, "invalid_expiry"},
		"an unknown type":                 {`{"path":"p","expire_type":2}`, 85401, "invalid_expiry"},
		"a time that is over":             {`{"path":"p","expire_time":1000000000}`, 85401, "invalid_expiry"},
		"a time in half a minute":         {`{"path":"p","expire_time":1772337630}`, 85401, "invalid_expiry"},
		"nesting without end":             {`{"path":"p","x":` + strings.Repeat("[", 9000), 47001, "malformed"},
		"more than 16 KiB":                {`{"path":"p","query":"` + strings.Repeat("a", 16<<10) + `"}`, 47001, "too_large"},
		"more than 16 KiB of space":       {`{"path":"p"}` + strings.Repeat(" ", 16<<10), 47001, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			wantErrCode(t, w.ask("POST", facade, test.body), test.errcode)
			wantCode(t, w.ask("POST", "/api/v1/links", test.body, as(shopKey)), test.code)
			if w.weChat.calls() != 0 {
				t.Errorf("WeChat was asked for %+v", w.weChat.targets)
			}
		})
	}
}

func TestExactly16KiBAreTaken(t *testing.T) {
	w := newWorld(t)
	body := `{"path":"p"}`
	body += strings.Repeat(" ", 16<<10-len(body))
	wantErrCode(t, w.ask("POST", facade, body), 0)
}

func TestTheFacadeTellsCacheFactsInHeadersAlone(t *testing.T) {
	w := newWorld(t)
	out := w.ask("POST", facade, `{"path":"p","expire_interval":31}`)
	if got := out.Header().Get("Cache-Status"); got != "linkbroker; fwd=miss; stored" {
		t.Errorf("a miss is %q", got)
	}
	if got := out.Header().Get("Linkbroker-Warning"); got != "expiry-clamped" {
		t.Errorf("31 days are warned of as %q", got)
	}
	w.pass(time.Hour)
	out = w.ask("POST", facade, `{"path":"p"}`)
	if got := out.Header().Get("Cache-Status"); got != "linkbroker; hit; ttl=2588340" { // 30 days less an hour and a minute
		t.Errorf("a hit is %q", got)
	}
	if age := out.Header().Get("Age"); age != "3600" {
		t.Errorf("an hour is an Age of %q", age)
	}
	var body map[string]any
	if err := json.Unmarshal(out.Body.Bytes(), &body); err != nil || len(body) != 3 {
		t.Errorf("the body has more than WeChat's fields: %s", out.text())
	}
}

func TestAddressesOfWeChatThatAreNotServed(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		method, address string
		errcode         int
	}{
		"GET where WeChat wants POST":            {"GET", facade, 43002},
		"GET under the prefix":                   {"GET", "/k/" + shopKey + "/wxa/generate_urllink", 43002},
		"DELETE of a token":                      {"DELETE", "/cgi-bin/token", 43002},
		"a call we do not have":                  {"POST", "/wxa/getwxacode", 40066},
		"a call we do not have, with the prefix": {"POST", "/k/" + shopKey + "/wxa/getwxacode", 40066},
		"another family of calls":                {"POST", "/cgi-bin/message/send", 40066},
		"a slash too many at the end":            {"POST", "/wxa/generate_urllink/", 40066},
	} {
		t.Run(name, func(t *testing.T) { wantErrCode(t, w.ask(test.method, test.address, "{}"), test.errcode) })
	}
	t.Run("a base URL that ends in a slash is taken", func(t *testing.T) {
		wantErrCode(t, w.ask("POST", "/k/"+shopKey+"//wxa/generate_urllink", `{"path":"p"}`), 0)
	})
	t.Run("other addresses speak HTTP", func(t *testing.T) {
		wantCode(t, w.ask("GET", "/nosuch", ""), "no_route")
		wantCode(t, w.ask("GET", "/k/"+shopKey+"/api/v1/link", ""), "no_route")
		out := w.ask("DELETE", "/api/v1/links", "")
		wantCode(t, out, "wrong_method")
		if out.Code != 405 || out.Header().Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%d, Allow %q", out.Code, out.Header().Get("Allow"))
		}
	})
}
