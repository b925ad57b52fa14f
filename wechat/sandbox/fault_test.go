package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/wechat/sandbox"
)

func (s *server) fault(body string) {
	s.t.Helper()
	if status, text := s.send(http.MethodPost, "/sandbox/faults", strings.NewReader(body)); status != http.StatusOK {
		s.t.Fatalf("fault %s: status %d, %s", body, status, text)
	}
}

func TestFaultsThatRefuse(t *testing.T) {
	tests := []struct {
		fault   string
		errcode int
	}{
		{`{"fault":"busy"}`, -1},
		{`{"fault":"token_dead"}`, 40001},
		{`{"fault":"rate"}`, 44990},
		{`{"fault":"quota"}`, 44993},
		{`{"fault":"not_released"}`, 85079},
		{`{"fault":"errcode","errcode":48001}`, 48001},
		{`{"fault":"errcode","errcode":99999}`, 99999},
	}
	for _, test := range tests {
		t.Run(test.fault, func(t *testing.T) {
			s := serve(t, sandbox.Config{})
			token := s.token()
			s.fault(test.fault)
			if got := s.generate(token, `{}`); got.ErrCode != test.errcode {
				t.Errorf("got %+v, want errcode %d", got, test.errcode)
			}
			if seen := s.wechat.Stats(); seen.Generated != 0 || seen.Errcodes[test.errcode] != 1 {
				t.Errorf("the work was done, or the errcode not counted: %+v", seen)
			}
			s.send(http.MethodDelete, "/sandbox/faults", nil)
			if got := s.generate(token, `{}`); got.ErrCode != 0 {
				t.Errorf("cleared: %+v", got)
			}
		})
	}
}

func TestFaultsOfTheTokenCall(t *testing.T) {
	s := serve(t, sandbox.Config{})
	for name, errcode := range map[string]int{"ip": 40164, "frozen": 40243} {
		s.fault(`{"fault":"` + name + `","route":"/cgi-bin/stable_token","times":1}`)
		if got := s.stableToken(""); got.ErrCode != errcode {
			t.Errorf("%s: %+v, want errcode %d", name, got, errcode)
		}
	}
	if got := s.stableToken(""); got.ErrCode != 0 {
		t.Errorf("after its one time: %+v", got)
	}
}

func TestFlakyPathRefusesEachThirdCall(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	s.fault(`{"fault":"flaky_path"}`)
	var got []int
	for range 6 {
		got = append(got, s.generate(token, `{"path":"pages/index"}`).ErrCode)
	}
	if want := "[0 0 40165 0 0 40165]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestEveryBeatsTheFaultsOwnNumber(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	s.fault(`{"fault":"flaky_path","every":2}`)
	s.fault(`{"fault":"busy","every":1}`)
	for i, want := range []int{-1, 40165, -1, 40165} {
		if got := s.generate(token, `{}`).ErrCode; got != want {
			t.Errorf("call %d: %d, want %d", i+1, got, want)
		}
	}
}

func TestFaultsThatDamageTheAnswerSpendALink(t *testing.T) {
	tests := []struct {
		fault string
		check func(status int, body string, err error) bool
	}{
		{"html", func(_ int, body string, err error) bool {
			return err == nil && strings.HasPrefix(body, "<!DOCTYPE html>")
		}},
		{"empty", func(status int, body string, err error) bool { return err == nil && status == 200 && body == "" }},
		{"bad_gateway", func(status int, _ string, err error) bool { return err == nil && status == 502 }},
		{"foreign_host", func(_ int, body string, err error) bool {
			return err == nil && strings.Contains(body, `"https://wxaurl.cn.example.net/`)
		}},
		{"string_errcode", func(_ int, body string, err error) bool {
			return err == nil && strings.HasPrefix(body, "\xEF\xBB\xBF{") && strings.Contains(body, `"errcode":"0"`) &&
				strings.Contains(body, `https:\/\/wxaurl.cn\/`)
		}},
		{"cut", func(_ int, body string, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && strings.HasPrefix(body, `{"errcode":0`)
		}},
		{"endless", func(_ int, body string, err error) bool { return err == nil && len(body) == 1<<20 }},
	}
	for _, test := range tests {
		t.Run(test.fault, func(t *testing.T) {
			s := serve(t, sandbox.Config{})
			token := s.token()
			s.fault(`{"fault":"` + test.fault + `","times":1}`)
			status, body, err := s.try(token)
			if !test.check(status, body, err) {
				t.Errorf("status %d, error %v, body %.200q", status, err, body)
			}
			if made := s.wechat.Stats().Generated; made != 1 {
				t.Errorf("%d links were made, want 1", made)
			}
		})
	}
}

// try generates, and gives what came of it, up to a mebibyte.
func (s *server) try(token string) (int, string, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/wxa/generate_urllink?access_token="+token, strings.NewReader(`{}`))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(body), err
}

func TestDownAnswersNothingAndMakesNothing(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	s.fault(`{"fault":"down","route":"*","times":1}`)
	if _, body, err := s.try(token); !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v, want a connection that ends", body, err)
	}
	if made := s.wechat.Stats().Generated; made != 0 {
		t.Errorf("%d links were made", made)
	}
}

func TestRedirectIsCounted(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	s.fault(`{"fault":"redirect"}`)
	if _, _, err := s.try(token); err != nil { // this client follows
		t.Fatal(err)
	}
	if n := s.wechat.Stats().Redirected; n != 1 {
		t.Errorf("%d calls followed, want 1", n)
	}
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{shop}, OpenApp: "wxshop", Clock: time.Now})
		if err := w.SetFault(sandbox.Fault{Name: "slow", Delay: 2 * time.Second}); err != nil {
			t.Fatal(err)
		}
		generate := func(ctx context.Context) string {
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/wxa/generate_urllink", strings.NewReader(`{}`)))
			return rec.Body.String()
		}

		began := time.Now()
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				if body := generate(t.Context()); !strings.Contains(body, "url_link") {
					t.Errorf("got %s", body)
				}
			})
		}
		callers.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v, want 2s", took)
		}
		if seen := w.Stats(); seen.MaxInFlight != 3 || seen.MaxSameInFlight != 3 || seen.InFlight != 0 {
			t.Errorf("calls in flight are miscounted: %+v", seen)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if body := generate(ctx); body != "" || time.Since(began) != 3*time.Second {
			t.Errorf("who hung up got %q after %v", body, time.Since(began))
		}
		if seen := w.Stats(); seen.Generated != 4 {
			t.Errorf("%d links were made, want 4: a slow answer is one to work that is done", seen.Generated)
		}
	})
}

func TestFaultsAreListed(t *testing.T) {
	s := serve(t, sandbox.Config{})
	s.fault(`{"fault":"slow","delay":"1ms","times":2}`)
	s.fault(`{"fault":"busy","route":"*","every":2}`)
	s.generate(s.token(), `{}`)
	_, text := s.send(http.MethodGet, "/sandbox/faults", nil)
	want := `[{"fault":"slow","route":"/wxa/generate_urllink","times":1,"every":1,"delay":"1ms"},{"fault":"busy","route":"*","every":2}]`
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestNonsenseFaultsAreRefused(t *testing.T) {
	s := serve(t, sandbox.Config{})
	for _, body := range []string{
		`{"fault":"fire"}`, `{"fault":"errcode"}`, `{"fault":"slow","delay":"soon"}`, `{"fault":"slow","times":-1}`,
		`{"fault":"slow","delay":"-1s"}`, `{"fault":"slow","often":3}`, `slow`,
	} {
		if status, _ := s.send(http.MethodPost, "/sandbox/faults", strings.NewReader(body)); status != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", body, status)
		}
	}
}

func TestStatsCount(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	s.generate(token, `{}`)
	s.generate(token, `{"path":"none"}`)
	_, text := s.send(http.MethodGet, "/sandbox/stats", nil)
	var seen sandbox.Stats
	if err := json.Unmarshal([]byte(text), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Calls["/wxa/generate_urllink"] != 2 || seen.Calls["/cgi-bin/stable_token"] != 1 || seen.Generated != 1 ||
		seen.Tokens != 1 || seen.Errcodes[40165] != 1 || seen.UsedToday["wxshop"] != 1 {
		t.Errorf("got %s", text)
	}
}

func TestIndexNamesEveryFault(t *testing.T) {
	s := serve(t, sandbox.Config{})
	status, page := s.send(http.MethodGet, "/", nil)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	err := s.wechat.SetFault(sandbox.Fault{Name: "none"})
	for _, name := range []string{"slow", "flaky_path", "endless", "foreign_host"} {
		if !strings.Contains(page, "<code>"+name+"</code>") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing on the page or in the error %v", name, err)
		}
	}
	if strings.Contains(page, "s3cret") {
		t.Error("the page shows a secret")
	}
	if status, _ := s.send(http.MethodGet, "/t/none", nil); status != http.StatusNotFound {
		t.Errorf("the page of an unknown ticket has status %d, want 404", status)
	}
}
