package broker_test

import (
	"reflect"
	"strings"
	"testing"

	"linkbroker/broker"
)

func TestPathRulesAsPeopleWriteThem(t *testing.T) {
	param := func(name, pattern string, longest int) broker.ParamRule {
		return broker.ParamRule{Name: name, Pattern: pattern, Longest: longest}
	}
	for claim, test := range map[string]struct {
		text string
		want broker.PathRule
	}{
		"a page by itself has no query":     {"pages/item", broker.PathRule{Path: "pages/item"}},
		"a star stands for any query":       {"pages/**?*", broker.PathRule{Path: "pages/**", AnyQuery: true}},
		"a name allows a parameter":         {"p?id", broker.PathRule{Path: "p", Params: []broker.ParamRule{param("id", "", 0)}}},
		"a pattern may have = and ? itself": {"p?id=a?=b", broker.PathRule{Path: "p", Params: []broker.ParamRule{param("id", "a?=b", 0)}}},
		"& begins the next":                 {"p?a=1&b", broker.PathRule{Path: "p", Params: []broker.ParamRule{param("a", "1", 0), param("b", "", 0)}}},
		"JSON says the rest": {
			`{"path":"p","params":[{"name":"a","pattern":"x&<y>\n","max_length":200}]}`,
			broker.PathRule{Path: "p", Params: []broker.ParamRule{param("a", "x&<y>\n", 200)}},
		},
	} {
		t.Run(claim, func(t *testing.T) {
			got, err := broker.ParsePathRule(test.text)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("read as %+v, %v", got, err)
			}
			if text := got.String(); text != test.text {
				t.Errorf("written as %s", text)
			}
		})
	}
	for claim, text := range map[string]string{
		"nothing":                           "",
		"a query of no page":                "?id",
		"a parameter without a name":        "p?=1",
		"an empty query":                    "p?",
		"an unknown field":                  `{"path":"p","query":"*"}`,
		"half an object":                    `{"path":"p"`,
		"something behind the end":          `{"path":"p"} x`,
		"a second object, which none reads": `{"path":"p"}{}`,
	} {
		if rule, err := broker.ParsePathRule(text); err == nil {
			t.Errorf("%s is read as %+v", claim, rule)
		}
	}
}

func FuzzParsePathRule(f *testing.F) {
	for _, text := range []string{"p", "p?*", "p?a=1&b", `{"path":"p","any_query":true,"params":[{"name":"*"}]}`, `{"path":" p?*","params":[{"name":"","max_length":-1}]}`, "p\xf5 "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := broker.ParsePathRule(text)
		if err != nil {
			return
		}
		written := rule.String()
		if strings.ContainsAny(written, "\r\n") {
			t.Errorf("%q has more than one line", written)
		}
		again, err := broker.ParsePathRule(written)
		if err != nil || again.String() != written {
			t.Errorf("%q is written as %q, and that as %q, %v", text, written, again.String(), err)
		}
	})
}
