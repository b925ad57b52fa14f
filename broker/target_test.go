package broker_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

const appid = "wx0123456789abcdef"

func target(change func(*broker.Target)) broker.Target {
	t := broker.Target{App: appid, Path: "pages/index", Query: "a=1"}
	if change != nil {
		change(&t)
	}
	return t
}

func TestNormalize(t *testing.T) {
	tests := []struct {
		claim string
		give  func(*broker.Target)
		want  func(*broker.Target)
	}{
		{
			"space around a path and slashes before it are gone",
			func(g *broker.Target) { g.Path = " \t// pages/index\n" }, nil,
		},
		{"a leading ? of the query is gone", func(g *broker.Target) { g.Query = "?a=1" }, nil},
		{"empty segments are gone", func(g *broker.Target) { g.Query = "&&a=1&" }, nil},
		{
			"parameters are sorted by name",
			func(g *broker.Target) { g.Query = "b=2&a=1" },
			func(w *broker.Target) { w.Query = "a=1&b=2" },
		},
		{
			"equal names keep their order",
			func(g *broker.Target) { g.Query = "b=1&a=2&a=1&a" },
			func(w *broker.Target) { w.Query = "a=2&a=1&a&b=1" },
		},
		{
			"a parameter without = stays without",
			func(g *broker.Target) { g.Query = "a" },
			func(w *broker.Target) { w.Query = "a" },
		},
		{
			"names are sorted, not whole parameters",
			func(g *broker.Target) { g.Query = "a!=1&a=2" },
			func(w *broker.Target) { w.Query = "a=2&a!=1" },
		},
		{
			"a parameter whose name begins with ? keeps its name",
			func(g *broker.Target) { g.Query = "b=1&?a=2" },
			func(w *broker.Target) { w.Query = "&?a=2&b=1" },
		},
		{
			"only one leading ? is dropped",
			func(g *broker.Target) { g.Query = "??a=1" },
			func(w *broker.Target) { w.Query = "&?a=1" },
		},
		{
			"nothing is decoded",
			func(g *broker.Target) { g.Query = "a=%31+%20" },
			func(w *broker.Target) { w.Query = "a=%31+%20" },
		},
		{"no environment is the released one", func(g *broker.Target) { g.Env = "" }, nil},
		{"no kind is a URL Link", func(g *broker.Target) { g.Kind = "" }, nil},
		{"an empty cloud_base is none", func(g *broker.Target) { g.CloudBase = &broker.CloudBase{} }, nil},
		{
			"cloud_base without a path has /, and its query stays verbatim",
			func(g *broker.Target) { g.CloudBase = &broker.CloudBase{Env: "e", Query: "?b=1&&a=2"} },
			func(w *broker.Target) { w.CloudBase = &broker.CloudBase{Env: "e", Path: "/", Query: "?b=1&&a=2"} },
		},
		{"thirty days and more are the living link", func(g *broker.Target) { g.Expiry.Days = 45 }, nil},
		{"an empty extra is none", func(g *broker.Target) { g.Extra = json.RawMessage(" { } ") }, nil},
		{
			"extra has one form",
			func(g *broker.Target) {
				g.Extra = json.RawMessage(`{ "b": 1.0, "a": {"y": -0, "x": "<\u00e9\/"}, "c":[1.50, 9007199254740993, 1e2]}`)
			},
			func(w *broker.Target) {
				w.Extra = json.RawMessage(`{"a":{"x":"<é/","y":0},"b":1,"c":[1.5,9007199254740993,1e2]}`)
			},
		},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			got, err := target(test.give).Normalize()
			if err != nil {
				t.Fatal(err)
			}
			want := target(test.want)
			want.Env, want.Kind = broker.Release, broker.URLLink
			if !equal(got, want) {
				t.Errorf("got %s, want %s", show(got), show(want))
			}
			if again, err := got.Normalize(); err != nil || !equal(again, got) {
				t.Errorf("not idempotent: %s then %s (%v)", show(got), show(again), err)
			}
		})
	}
}

func TestNormalizeRefuses(t *testing.T) {
	tests := []struct {
		claim string
		give  func(*broker.Target)
		code  broker.Code
		says  string
	}{
		{"a ? in the path", func(g *broker.Target) { g.Path = "pages/index?a=1" }, broker.InvalidPath, "put what follows it into query"},
		{"a path outside ASCII", func(g *broker.Target) { g.Path = "pages/首页" }, broker.InvalidPath, "ASCII"},
		{"a control character in the path", func(g *broker.Target) { g.Path = "pages/\x00x" }, broker.InvalidPath, "ASCII"},
		{"a path of 1,025 characters", func(g *broker.Target) { g.Path = strings.Repeat("p", 1025) }, broker.InvalidPath, "1024"},
		{"a query outside the alphabet, and says where", func(g *broker.Target) { g.Query = "a=1|2" }, broker.InvalidQuery, "position 4"},
		{"a raw Chinese query", func(g *broker.Target) { g.Query = "名=1" }, broker.InvalidQuery, "percent-encode"},
		{"a query of 1,025 characters", func(g *broker.Target) { g.Query = strings.Repeat("q", 1025) }, broker.InvalidQuery, "1024"},
		{"an unknown environment", func(g *broker.Target) { g.Env = "prod" }, broker.InvalidEnv, "release, trial, develop"},
		{"an unknown kind", func(g *broker.Target) { g.Kind = "qr" }, broker.InvalidArgument, "kind"},
		{"no appid", func(g *broker.Target) { g.App = "" }, broker.UnknownApp, "appid"},
		{"cloud_base without env", func(g *broker.Target) { g.CloudBase = &broker.CloudBase{Path: "/x"} }, broker.InvalidArgument, "cloud_base.env"},
		{"a cloud_base query outside the alphabet", func(g *broker.Target) { g.CloudBase = &broker.CloudBase{Env: "e", Query: "é"} }, broker.InvalidQuery, "cloud_base.query"},
		{"a scope of 129 bytes", func(g *broker.Target) { g.Scope = strings.Repeat("s", 129) }, broker.InvalidArgument, "scope"},
		{"negative days", func(g *broker.Target) { g.Expiry.Days = -1 }, broker.InvalidExpiry, "-1 days"},
		{"both days and a moment", func(g *broker.Target) { g.Expiry = broker.Expiry{Days: 1, At: time.Unix(1, 0)} }, broker.InvalidExpiry, "not both"},
		{"an extra that is no object", func(g *broker.Target) { g.Extra = json.RawMessage(`[1]`) }, broker.InvalidArgument, "object"},
		{"an extra with a name twice", func(g *broker.Target) { g.Extra = json.RawMessage(`{"a":1,"a":2}`) }, broker.InvalidArgument, "twice"},
		{"an extra with trailing data", func(g *broker.Target) { g.Extra = json.RawMessage(`{} {}`) }, broker.InvalidArgument, "after"},
		{"an extra with half a surrogate pair", func(g *broker.Target) { g.Extra = json.RawMessage(`{"a":"\ud800"}`) }, broker.InvalidArgument, "surrogate"},
		{"an extra with a surrogate pair the wrong way round", func(g *broker.Target) { g.Extra = json.RawMessage(`{"a":"\udc00\ud800"}`) }, broker.InvalidArgument, "surrogate"},
		{"an extra that is not UTF-8", func(g *broker.Target) { g.Extra = json.RawMessage("{\"a\":\"\xff\"}") }, broker.InvalidArgument, "UTF-8"},
		{"an extra nested without end", func(g *broker.Target) {
			g.Extra = json.RawMessage(`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`)
		}, broker.InvalidArgument, "deep"},
		{"an extra that repeats a known field", func(g *broker.Target) { g.Extra = json.RawMessage(`{"path":"x"}`) }, broker.InvalidArgument, "known field"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			_, err := target(test.give).Normalize()
			if !errors.Is(err, test.code) {
				t.Fatalf("got %v, want an error of code %s", err, test.code)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

// keyed are targets that all mean something else. Their keys are pinned in a golden file: a change of one means that
// links stored before are no longer found, or worse, and needs a new key version.
var keyed = []struct {
	Name   string
	Target func(*broker.Target)
}{
	{"path and query", nil},
	{"home page", func(t *broker.Target) { t.Path, t.Query = "", "" }},
	{"another app", func(t *broker.Target) { t.App = "wxfedcba9876543210" }},
	{"another path", func(t *broker.Target) { t.Path = "pages/Index" }},
	{"escaped digit", func(t *broker.Target) { t.Query = "a=%31" }},
	{"no value", func(t *broker.Target) { t.Query = "a" }},
	{"empty value", func(t *broker.Target) { t.Query = "a=" }},
	{"equal names", func(t *broker.Target) { t.Query = "a=1&a=2" }},
	{"equal names the other way round", func(t *broker.Target) { t.Query = "a=2&a=1" }},
	{"name with a question mark", func(t *broker.Target) { t.Query = "??a=1" }},
	{"trial", func(t *broker.Target) { t.Env = broker.Trial }},
	{"develop", func(t *broker.Target) { t.Env = broker.Develop }},
	{"cloud base", func(t *broker.Target) { t.CloudBase = &broker.CloudBase{Env: "env"} }},
	{"cloud base with a domain", func(t *broker.Target) { t.CloudBase = &broker.CloudBase{Env: "env", Domain: "d"} }},
	{"cloud base with a query", func(t *broker.Target) { t.CloudBase = &broker.CloudBase{Env: "env", Query: "d"} }},
	{"cloud base of another owner", func(t *broker.Target) { t.CloudBase = &broker.CloudBase{Env: "env", ResourceAppID: "d"} }},
	{"cloud base with an extra field", func(t *broker.Target) {
		t.CloudBase = &broker.CloudBase{Env: "env", Extra: json.RawMessage(`{"x":1}`)}
	}},
	{"seven days", func(t *broker.Target) { t.Expiry.Days = 7 }},
	{"at a moment", func(t *broker.Target) { t.Expiry.At = time.Unix(1_800_000_000, 0) }},
	{"scope", func(t *broker.Target) { t.Scope = "campaign" }},
	{"extra", func(t *broker.Target) { t.Extra = json.RawMessage(`{"safety_notice":true}`) }},
	{"scope that imitates the next field", func(t *broker.Target) { t.Scope = "\"\n\"{}" }},
}

func TestKeysArePinned(t *testing.T) {
	var got strings.Builder
	seen := map[broker.Key]string{}
	for _, k := range keyed {
		n, err := target(k.Target).Normalize()
		if err != nil {
			t.Fatal(k.Name, err)
		}
		if other, ok := seen[n.Key()]; ok {
			t.Errorf("%q and %q have one key", k.Name, other)
		}
		seen[n.Key()] = k.Name
		got.WriteString(n.Key().String() + "  " + k.Name + "\n")
	}
	golden(t, "keys.txt", got.String())
}

// golden compares with a file in testdata, and writes it when GOLDEN=update is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") == "update" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%swant\n%s", path, got, want)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("/pages/index", "?b=1&&a=2", "", "", "/", "", int64(0), 0, "", "")
	f.Add("", "??a&&?=1", "trial", "env", "", "q", int64(1_800_000_000), 0, "s", `{"b":1.0,"a":[{}]}`)
	f.Add(" // p ", "&?&", "release", "e", "/x", "&&", int64(0), 31, "\xff", `{"a":"\ud800\udc00"}`)
	f.Fuzz(func(t *testing.T, path, query, env, cbEnv, cbPath, cbQuery string, at int64, days int, scope, extra string) {
		give := broker.Target{App: appid, Path: path, Query: query, Env: broker.Env(env), Scope: scope, Extra: json.RawMessage(extra)}
		give.CloudBase = &broker.CloudBase{Env: cbEnv, Path: cbPath, Query: cbQuery}
		give.Expiry.Days = days
		if at != 0 {
			give.Expiry.At = time.Unix(at, 0)
		}
		once, err := give.Normalize()
		if err != nil {
			if broker.CodeOf(err) == broker.Internal {
				t.Errorf("refused as a defect of ours: %v", err)
			}
			return
		}
		twice, err := once.Normalize()
		if err != nil || !equal(once, twice) || once.Key() != twice.Key() {
			t.Errorf("not idempotent: %s, then %s, %v", show(once), show(twice), err)
		}
		if strings.HasPrefix(once.Path, "/") || strings.HasPrefix(once.Query, "?") || len(once.Query) > 1024 || len(once.Path) > 1024 {
			t.Errorf("not canonical: %s", show(once))
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("a", "1", "b", "2")
	f.Add("a", "1", "a", "2")
	f.Add("?a", "", "", "")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		if strings.ContainsAny(name1+name2, "&=") || strings.Contains(value1+value2, "&") {
			t.Skip("not two parameters")
		}
		p1, p2 := name1+"="+value1, name2+"="+value2
		one, err1 := target(func(g *broker.Target) { g.Query = "&" + p1 + "&" + p2 }).Normalize()
		two, err2 := target(func(g *broker.Target) { g.Query = "&" + p2 + "&" + p1 }).Normalize()
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("refused one way only: %v, %v", err1, err2)
		}
		if err1 != nil {
			return
		}
		same := one.Key() == two.Key()
		if name1 != name2 && !same {
			t.Errorf("the order of different names matters: %q, %q", one.Query, two.Query)
		}
		if name1 == name2 && value1 != value2 && same {
			t.Errorf("the order of equal names does not matter: %q, %q", one.Query, two.Query)
		}
	})
}

func equal(a, b broker.Target) bool { return show(a) == show(b) }

func show(t broker.Target) string {
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
