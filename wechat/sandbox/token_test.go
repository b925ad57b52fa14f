package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

func TestLogin(t *testing.T) {
	tests := []struct {
		claim, body string
		errcode     int
	}{
		{"an unknown appid is refused", `{"grant_type":"client_credential","appid":"wxnone","secret":"s3cret"}`, 40013},
		{"a wrong secret is refused", `{"grant_type":"client_credential","appid":"wxshop","secret":"guess"}`, 40125},
		{"another grant is refused", `{"grant_type":"password","appid":"wxshop","secret":"s3cret"}`, 40002},
		{"what is no JSON is refused", `grant_type=client_credential`, 47001},
	}
	s := serve(t, sandbox.Config{})
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			got := s.call(http.MethodPost, "/cgi-bin/stable_token", strings.NewReader(test.body))
			if got.ErrCode != test.errcode || got.AccessToken != "" {
				t.Errorf("got %+v, want errcode %d", got, test.errcode)
			}
		})
	}
}

func TestTokensThatAreNotGood(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	if got := s.call(http.MethodPost, "/wxa/generate_urllink", strings.NewReader(`{}`)); got.ErrCode != 41001 {
		t.Errorf("no token: %d, want 41001", got.ErrCode)
	}
	if got := s.generate("guess", `{}`); got.ErrCode != 40001 {
		t.Errorf("an unknown token: %d, want 40001", got.ErrCode)
	}
	s.clock.pass(2 * time.Hour)
	if got := s.generate(token, `{}`); got.ErrCode != 42001 {
		t.Errorf("an expired token: %d, want 42001", got.ErrCode)
	}
}

func TestATokenGoesInEitherParameter(t *testing.T) {
	s := serve(t, sandbox.Config{})
	got := s.call(http.MethodPost, "/wxa/generate_urllink?cloudbase_access_token="+s.token(), strings.NewReader(`{}`))
	if got.ErrCode != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCloudHostingNeedsNoToken(t *testing.T) {
	s := serve(t, sandbox.Config{OpenApp: "wxshop"})
	if got := s.call(http.MethodPost, "/wxa/generate_urllink", strings.NewReader(`{}`)); got.ErrCode != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestStableTokenStaysTheSame(t *testing.T) {
	s := serve(t, sandbox.Config{})
	first := s.stableToken("")
	if first.ExpiresIn != 7200 {
		t.Errorf("expires_in %d, want 7200", first.ExpiresIn)
	}
	s.clock.pass(time.Hour)
	again := s.stableToken("")
	if again.AccessToken != first.AccessToken || again.ExpiresIn != 3600 {
		t.Errorf("an hour later another token, or expires_in %d instead of 3600", again.ExpiresIn)
	}
}

func TestStableTokenIsRenewedFiveMinutesEarlyAndBothWork(t *testing.T) {
	s := serve(t, sandbox.Config{})
	first := s.token()
	s.clock.pass(2*time.Hour - 5*time.Minute)
	second := s.stableToken("")
	if second.AccessToken == first || second.ExpiresIn != 7200 {
		t.Fatalf("five minutes before its end the token is not renewed, expires_in %d", second.ExpiresIn)
	}
	s.clock.pass(5*time.Minute - time.Second)
	for _, token := range []string{first, second.AccessToken} {
		if got := s.generate(token, `{}`); got.ErrCode != 0 {
			t.Errorf("within the five minutes: %+v", got)
		}
	}
	s.clock.pass(time.Second)
	if got := s.generate(first, `{}`); got.ErrCode != 42001 {
		t.Errorf("the old token at its end: %d, want 42001", got.ErrCode)
	}
}

func TestForcedRefreshKillsTheTokenAtOnce(t *testing.T) {
	s := serve(t, sandbox.Config{})
	first := s.token()
	second := s.stableToken(`,"force_refresh":true`)
	if got := s.generate(first, `{}`); got.ErrCode != 40001 {
		t.Errorf("the old token: %d, want 40001", got.ErrCode)
	}
	if got := s.generate(second.AccessToken, `{}`); got.ErrCode != 0 {
		t.Errorf("the new token: %+v", got)
	}
	if s.token() != second.AccessToken {
		t.Error("asked plainly it gives another one")
	}
}

func TestForcedRefreshesAreFewAndFarBetween(t *testing.T) {
	s := serve(t, sandbox.Config{})
	s.stableToken(`,"force_refresh":true`)
	s.clock.pass(30*time.Second - time.Nanosecond)
	if got := s.stableToken(`,"force_refresh":true`); got.ErrCode != 45011 {
		t.Errorf("before 30 s: %d, want 45011", got.ErrCode)
	}
	for range 19 {
		s.clock.pass(30 * time.Second)
		if got := s.stableToken(`,"force_refresh":true`); got.ErrCode != 0 {
			t.Fatalf("got %+v", got)
		}
	}
	s.clock.pass(30 * time.Second)
	if got := s.stableToken(`,"force_refresh":true`); got.ErrCode != 45009 {
		t.Errorf("the 21st of the day: %d, want 45009", got.ErrCode)
	}
}

func TestOldCallKillsThePreviousTokenAfterFiveMinutes(t *testing.T) {
	s := serve(t, sandbox.Config{})
	stable, first := s.token(), s.legacyToken().AccessToken
	second := s.legacyToken().AccessToken
	s.clock.pass(5*time.Minute - time.Second)
	if got := s.generate(first, `{}`); got.ErrCode != 0 {
		t.Errorf("within the grace: %+v", got)
	}
	s.clock.pass(time.Second)
	if got := s.generate(first, `{}`); got.ErrCode != 40001 {
		t.Errorf("after it: %d, want 40001", got.ErrCode)
	}
	for _, token := range []string{second, stable} {
		if got := s.generate(token, `{}`); got.ErrCode != 0 {
			t.Errorf("another token was killed as well: %+v", got)
		}
	}
}

func TestSteal(t *testing.T) {
	tests := []struct {
		claim, body string
		same        bool
	}{
		{"a stolen token is followed by another", ``, false},
		{"a stuck token is handed out dead", `{"app":"wxshop","stuck":true}`, true},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			s := serve(t, sandbox.Config{})
			token, old := s.token(), s.legacyToken().AccessToken
			if status, text := s.send(http.MethodPost, "/sandbox/steal", strings.NewReader(test.body)); status != http.StatusNoContent {
				t.Fatalf("status %d, %s", status, text)
			}
			if got := s.generate(token, `{}`); got.ErrCode != 40001 {
				t.Errorf("the token still works: %+v", got)
			}
			if got := s.generate(old, `{}`); got.ErrCode != 40001 {
				t.Errorf("the token of the old call still works: %+v", got)
			}
			if same := s.token() == token; same != test.same {
				t.Errorf("stable_token gives the same one: %v, want %v", same, test.same)
			}
			if got := s.generate(s.stableToken(`,"force_refresh":true`).AccessToken, `{}`); got.ErrCode != 0 {
				t.Errorf("after a forced refresh: %+v", got)
			}
		})
	}
	s := serve(t, sandbox.Config{})
	if status, _ := s.send(http.MethodPost, "/sandbox/steal", strings.NewReader(`{"app":"wxnone"}`)); status != http.StatusNotFound {
		t.Errorf("an unknown app: status %d, want 404", status)
	}
}
