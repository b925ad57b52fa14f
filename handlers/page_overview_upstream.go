package handlers

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"linkbroker/broker"
)

// UpstreamToken is how an app stands with WeChat's access token.
type UpstreamToken struct {
	App       string
	FetchedAt time.Time // zero if there is none
	ExpiresAt time.Time
	Failing   bool // the last fetch failed
}

// upstreamView is how WeChat fared with an app in the last day.
type upstreamView struct {
	App         string
	Calls, Good float64
	Mean        time.Duration
	Errors      []upstreamError
	Token       *UpstreamToken // nil if the app has none
	Rate        float64        // calls a second at most, at present
	Lowered     bool           // WeChat said too fast
}

// Share is that of the calls that brought a link.
func (u upstreamView) Share() float64 { return u.Good / max(u.Calls, 1) }

// upstreamError is one kind of error of WeChat's.
type upstreamError struct {
	Code            string // the errcode, or the code of an error without one
	N               float64
	Meaning, Remedy string
}

// Upstream is how WeChat fared.
func (v overviewView) Upstream() ([]upstreamView, error) {
	quotas, err := v.a.Broker.Quotas(v.ctx)
	if err != nil {
		return nil, err
	}
	rates := map[string]float64{}
	for _, app := range v.a.Broker.Apps() {
		rates[app.ID] = app.Rate
	}
	var all []upstreamView
	for _, quota := range quotas {
		hours, err := v.a.history(v.ctx, broker.Hourly, 25, v.now, broker.CallsOf+quota.App)
		if err != nil {
			return nil, err
		}
		u := v.upstream(within(hours, time.Hour, v.now.Add(-24*time.Hour)))
		u.App, u.Token = quota.App, v.token(quota.App)
		u.Rate, u.Lowered = quota.Rate, quota.Rate < rates[quota.App]
		all = append(all, u)
	}
	return all, nil
}

func (v overviewView) upstream(counts map[string]float64) (u upstreamView) {
	for what, n := range counts {
		if what == broker.CountTook || n == 0 {
			continue
		}
		u.Calls += n
		if what == broker.CountGood {
			u.Good = n
			continue
		}
		e := upstreamError{Code: what, N: n}
		words, _ := broker.ExplainCode(broker.Code(what))
		if errcode, err := strconv.Atoi(what); err == nil {
			words, _ = broker.Explain(errcode)
		}
		e.Meaning, e.Remedy = words.Meaning.In(v.texts.language), words.Remedy.In(v.texts.language)
		u.Errors = append(u.Errors, e)
	}
	slices.SortFunc(u.Errors, func(a, b upstreamError) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Code, b.Code))
	})
	if u.Calls > 0 {
		u.Mean = time.Duration(counts[broker.CountTook] / u.Calls * float64(time.Millisecond))
	}
	return u
}

func (v overviewView) token(app string) *UpstreamToken {
	if v.a.UpstreamTokens == nil {
		return nil
	}
	for _, token := range v.a.UpstreamTokens() {
		if token.App == app {
			return &token
		}
	}
	return nil
}
