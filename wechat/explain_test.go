package wechat_test

import (
	"testing"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// TestEveryErrcodeIsExplained holds the tables of errcodes against the domain's explanations, so that a new one cannot be
// forgotten there, or explained as something else than it is answered.
func TestEveryErrcodeIsExplained(t *testing.T) {
	codes := wechat.ErrCodes()
	if len(codes) < 20 {
		t.Errorf("only %d errcodes", len(codes))
	}
	for errcode, code := range codes {
		e, ok := broker.Explain(errcode)
		if !ok || e.Code != code {
			t.Errorf("%d is answered as %s, and explained as %q", errcode, code, e.Code)
		}
	}
}
