package wechat

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync/atomic"

	"linkbroker/broker"
)

// mostPeeked is how long an answer may be that could be WeChat's word about the token: such a one is short.
const mostPeeked = 4 << 10

// Forward makes another call of WeChat's interface in an app's name. Of the request it takes the method, the path, the
// query, the headers and the body; host and token are put in here, and no redirect is followed. It gives WeChat's answer
// of status 200, whose body the caller closes; req's context has to outlive it.
//
// Where WeChat refuses the token, or a host cannot be reached, the call is made again if GetBody gives the body again.
// Errors are *broker.Error; an errcode of WeChat's is none, but for those about the token, which nobody is shown.
func (c *Client) Forward(appid string, req *http.Request) (*http.Response, error) {
	a, ok := c.apps[appid]
	if !ok {
		return nil, unspent(broker.UnknownApp, "no app of that appid is configured")
	}
	for tokens := 1; ; tokens++ {
		access, query, err := a.access(req.Context())
		if err != nil {
			return nil, err
		}
		ours := query.Encode()
		if ours != "" && req.URL.RawQuery != "" {
			ours += "&"
		}
		resp, err := c.forward(a, req, ours+req.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		got := peek(resp)
		if !a.refuses(access, got.errCode) {
			return resp, nil
		}
		_ = resp.Body.Close() // read to its end
		if a.tokens == nil || tokens == mostTokens || !again(req) {
			return nil, a.refused(got)
		}
	}
}

// forward makes a call at the first host that can be reached.
func (c *Client) forward(a *app, req *http.Request, query string) (*http.Response, error) {
	var tried []*host
	for {
		at, _ := a.hosts.choose(tried)
		began := c.clock()
		resp, err := c.forwardTo(at.base, req, query)
		a.hosts.note(at, err, c.clock().Sub(began))
		tried = append(tried, at)
		if err == nil || len(tried) == len(a.hosts.all) || req.Context().Err() != nil || !neverLeft(err) || !again(req) {
			return resp, err
		}
	}
}

func (c *Client) forwardTo(base string, req *http.Request, query string) (*http.Response, error) {
	var left atomic.Bool
	out, err := http.NewRequestWithContext(httptrace.WithClientTrace(req.Context(), departure(&left)), req.Method, base+req.URL.EscapedPath(), req.Body)
	if err != nil {
		return nil, unspent(broker.Internal, "the call to WeChat could not be built")
	}
	out.URL.RawQuery, out.Header, out.ContentLength = query, req.Header.Clone(), req.ContentLength
	out.Header.Set("User-Agent", "linkbroker")
	if req.GetBody != nil {
		if out.Body, err = req.GetBody(); err != nil {
			return nil, unspent(broker.Internal, "the body could not be read again")
		}
	}
	resp, err := c.http.Do(out)
	if err != nil {
		return nil, callError("WeChat", err, left.Load())
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // of no interest
		return nil, unavailable("WeChat answers with HTTP status %d", resp.StatusCode)
	}
	return resp, nil
}

// again reports whether a request can be sent a second time.
func again(req *http.Request) bool {
	return req.GetBody != nil || req.Body == nil || req.Body == http.NoBody
}

// peek looks into an answer that could be an errcode, and leaves it whole. A picture it lets pass at its first byte.
func peek(resp *http.Response) answer {
	in := bufio.NewReaderSize(resp.Body, mostPeeked+1)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{in, resp.Body}
	begin, err := in.Peek(1)
	if err != nil || !slices.Contains([]byte("{ \t\r\n\xEF"), begin[0]) {
		return answer{}
	}
	head, err := in.Peek(mostPeeked + 1)
	if err == nil || !bytes.Contains(head, []byte("errcode")) {
		return answer{}
	}
	got, err := parseAnswer(head)
	if err != nil {
		return answer{}
	}
	return got
}

// Check asks WeChat about a link that there is not: a call that spends nothing, and for which WeChat looks at the token
// all the same. Its errors are *broker.Error.
func (c *Client) Check(ctx context.Context, appid string) error {
	a, ok := c.apps[appid]
	if !ok {
		return unspent(broker.UnknownApp, "no app of that appid is configured")
	}
	_, err := c.ask(ctx, a, "/wxa/query_urllink", []byte(`{"url_link":"https://wxaurl.cn/linkbroker","query_type":0}`))
	return err
}
