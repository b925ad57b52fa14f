package handlers

import (
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// cloudPath is where the calls are that cloud functions make as cloud.openapi.….
const cloudPath = "/openapi/"

// asCloud serves an operation in the shape of cloud calls: camelCase goes in, and comes out beside WeChat's own names.
func (a *api) asCloud(op operation) func(c *gin.Context, who caller) error {
	return func(c *gin.Context, who caller) error {
		body, err := a.operate(c, who, func(data []byte) (reply, error) {
			lower, err := lowerNames(data)
			if err != nil {
				return nil, err
			}
			return op(lower)
		})
		if err != nil {
			return err
		}
		writeBytes(c, http.StatusOK, contentJSON, withCamelNames(body, cloudMethod(c), "ok"))
		return nil
	}
}

// cloudMethod names the call as cloud functions know it: openapi.urllink.generate.
func cloudMethod(c *gin.Context) string { return "openapi." + path.Base(c.Request.URL.Path) }

// camelNames are the fields of requests that have another name in cloud calls, with those of the objects in them.
//
//nolint:gochecknoglobals // a constant table
var camelNames = map[string]string{
	"envVersion": "env_version", "expireType": "expire_type", "expireTime": "expire_time", "expireInterval": "expire_interval",
	"isExpire": "is_expire", "cloudBase": "cloud_base", "resourceAppid": "resource_appid", "jumpWxa": "jump_wxa",
	"pageUrl": "page_url", "pageTitle": "page_title", "isPermanent": "is_permanent", "urlLink": "url_link", "queryType": "query_type",
}

// lowerNames gives a body the names that WeChat's HTTP interface has. Those already have them stay, unknown ones too.
func lowerNames(data []byte) ([]byte, error) {
	var members map[string]jsontext.Value
	if err := decode(data, &members); err != nil {
		return nil, err
	}
	if err := renameKnown(members); err != nil {
		return nil, err
	}
	for _, name := range []string{"cloud_base", "jump_wxa"} {
		var within map[string]jsontext.Value
		if members[name].Kind() != jsontext.KindBeginObject {
			continue
		}
		if err := json.Unmarshal(members[name], &within); err != nil {
			return nil, complain(err)
		}
		if err := renameKnown(within); err != nil {
			return nil, err
		}
		members[name] = encode(within)
	}
	return encode(members), nil
}

func renameKnown(members map[string]jsontext.Value) error {
	for camel, lower := range camelNames {
		value, given := members[camel]
		if !given {
			continue
		}
		if _, twice := members[lower]; twice {
			return broker.Errorf(malformed, "%q and %q are the same field", camel, lower)
		}
		delete(members, camel)
		members[lower] = value
	}
	return nil
}

// withCamelNames gives an answer its fields in camelCase as well. errMsg is what a cloud call says.
func withCamelNames(body []byte, method, outcome string) []byte {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil {
		panic(err) // not of our own answers
	}
	out := make(map[string]jsontext.Value, 2*len(members))
	for name, value := range members {
		out[name] = value
		if camel := camelName(name); camel != name {
			out[camel] = camelValue(value)
		}
	}
	out["errMsg"] = appendString(nil, method+":"+outcome)
	return encode(out)
}

// camelName gives the name of a field in cloud calls.
func camelName(name string) string {
	switch name {
	case "errcode":
		return "errCode"
	case "errmsg":
		return "errMsg"
	}
	parts := strings.Split(name, "_")
	for i, part := range parts {
		if i > 0 && part != "" {
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "")
}

// camelValue gives the objects in a value their names in camelCase.
func camelValue(value jsontext.Value) jsontext.Value {
	var members map[string]jsontext.Value
	if value.Kind() != jsontext.KindBeginObject || json.Unmarshal(value, &members) != nil {
		return value
	}
	out := make(map[string]jsontext.Value, len(members))
	for name, value := range members {
		out[camelName(name)] = camelValue(value)
	}
	return encode(out)
}
