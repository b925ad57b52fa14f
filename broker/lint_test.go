package broker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

func TestLint(t *testing.T) {
	yes := true
	now := time.Now()
	tests := []struct {
		claim string
		give  func(*broker.Request)
		rule  broker.Rule
		says  string // in English
		code  broker.Code
	}{
		{"nothing is said about a good request", func(*broker.Request) {}, "", "", ""},
		{"a ? in the path", func(r *broker.Request) { r.Path = "/pages/index?a=1" }, broker.PathQuestionMark, "at position 12", broker.InvalidPath},
		{"a character that no path has", func(r *broker.Request) { r.Path = "pages/首" }, broker.PathCharacter, "'首' at position 7", broker.InvalidPath},
		{"a path that is too long", func(r *broker.Request) { r.Path = strings.Repeat("a", 1025) }, broker.PathTooLong, "1025 characters", broker.InvalidPath},
		{"a character that no query has", func(r *broker.Request) { r.Query = "a=1&名=2" }, broker.QueryCharacter, "'名' at position 5", broker.InvalidQuery},
		{"a space in the query", func(r *broker.Request) { r.Query = "a=1 2" }, broker.QueryCharacter, "' ' at position 4", broker.InvalidQuery},
		{"a byte that is no character", func(r *broker.Request) { r.Query = "a=\xff" }, broker.QueryCharacter, "not UTF-8 at position 3", broker.InvalidQuery},
		{"a query that is too long", func(r *broker.Request) { r.Query = strings.Repeat("a", 1025) }, broker.QueryTooLong, "1025 characters", broker.InvalidQuery},
		{"a ? before the query", func(r *broker.Request) { r.Query = "?a=1" }, broker.QueryQuestionMark, "dropped", ""},
		{"a % that begins no escape", func(r *broker.Request) { r.Query = "a=100%&b=1" }, broker.QueryPercent, "position 6", ""},
		{"a % at the end", func(r *broker.Request) { r.Query = "a=%4" }, broker.QueryPercent, "position 3", ""},
		{"an env that visitors cannot open", func(r *broker.Request) { r.Env = broker.Trial }, broker.EnvNotReleased, "trial", ""},
		{"milliseconds", func(r *broker.Request) { r.Expiry.At = time.Unix(now.UnixMilli(), 0) }, broker.ExpireMilliseconds, "milliseconds", ""},
		{"a moment beyond 30 days", func(r *broker.Request) { r.Expiry.At = now.Add(31 * day) }, broker.ExpireTooFar, "30 days", ""},
		{"more than 30 days", func(r *broker.Request) { r.Expiry.Days = 31 }, broker.ExpireTooFar, "30 days", ""},
		{"a moment in the past", func(r *broker.Request) { r.Expiry.At = now.Add(-day) }, broker.Failed, "more than a minute away", broker.InvalidExpiry},
		{"a query too long for cq", func(r *broker.Request) { r.Query = strings.Repeat("a", 257); r.Splice = &yes }, broker.CQUnused, "256", ""},
		{"an app that is unknown", func(r *broker.Request) { r.App = "wx9" }, broker.Failed, "appid", broker.UnknownApp},
		{
			"a page that the client may not ask for",
			func(r *broker.Request) {
				r.Client = &broker.Client{Name: "c", Role: broker.RoleGenerate, Grant: broker.Grant{Paths: []broker.PathRule{{Path: "pages/item"}}}}
			},
			broker.Failed, "not for this page", broker.Forbidden,
		},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			r := newRig(t, &wechat{}, nil)
			req := query("a=1")
			test.give(&req)
			plan, err := r.Plan(t.Context(), req)
			if test.code == "" && err != nil || test.code != "" && !errors.Is(err, test.code) {
				t.Fatalf("got %v, want %q", err, test.code)
			}
			if test.rule == "" {
				if len(plan.Findings) != 0 {
					t.Fatalf("found %+v", plan.Findings)
				}
				return
			}
			if len(plan.Findings) != 1 {
				t.Fatalf("found %+v, want %s alone", plan.Findings, test.rule)
			}
			f := plan.Findings[0]
			if f.Rule != test.rule || !strings.Contains(f.Message(broker.English), test.says) {
				t.Errorf("found %s: %s", f.Rule, f.Message(broker.English))
			}
			if refuses := f.Severity() == broker.Refused; refuses != (test.code != "") || refuses != (f.Err() != nil) {
				t.Errorf("severity %s, error %v", f.Severity(), f.Err())
			}
			if zh := f.Message(broker.Chinese); zh == "" || strings.Contains(zh, "{") {
				t.Errorf("in Chinese: %q", zh)
			}
		})
	}
}

func TestEachKindOfWrongCharacterIsFoundOnce(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	plan, err := r.Plan(t.Context(), query("a=中 中 b|c "+strings.Repeat("|", 500)+"一二三四五六七八九十百千"))
	if !errors.Is(err, broker.InvalidQuery) || len(plan.Findings) != 10 {
		t.Errorf("got %v and %d findings: %+v", err, len(plan.Findings), plan.Findings)
	}
}

// FuzzLint: the rule book refuses just what is refused.
func FuzzLint(f *testing.F) {
	f.Add("pages/index", "a=1")
	f.Add("/pages/index?a=1", "?&&b=%zz&a=中")
	f.Fuzz(func(t *testing.T, path, q string) {
		r := newRig(t, &wechat{}, nil)
		req := broker.Request{Target: broker.Target{App: appid, Path: path, Query: q}}
		_, refused := req.Normalize()
		plan, err := r.Plan(t.Context(), req)
		if (err != nil) != (refused != nil) {
			t.Fatalf("planned: %v, normalised: %v", err, refused)
		}
		found := error(nil)
		for _, finding := range plan.Findings {
			if finding.Rule == broker.Failed {
				t.Errorf("%v is not in the rule book", finding.Err())
			}
			if found == nil {
				found = finding.Err()
			}
		}
		if (found != nil) != (refused != nil) || found != nil && found.Error() != refused.Error() {
			t.Errorf("found: %v, refused: %v", found, refused)
		}
	})
}
