package handlers_test

import (
	"fmt"
	"testing"
)

// TestTenThousandWrongKeysAreAllToldTheSame looks for a word that tells a key nobody has from one that is nearly right,
// has ended or is of another use. BenchmarkWrongKey in bench looks for a time that does.
func TestTenThousandWrongKeysAreAllToldTheSame(t *testing.T) {
	w := newFastWorld(t)
	wrong := func(i int) string {
		switch i % 5 {
		case 0:
			return fmt.Sprintf("nobodys-key-%016d", i)
		case 1: // one character off
			at := i / 5 % len(shopKey)
			return shopKey[:at] + string('A'+byte(i%26)) + shopKey[at+1:] + "x"
		case 2:
			return shopKey[:len(shopKey)-1]
		case 3:
			return expiredKey
		default:
			return fmt.Sprintf("sk_%026d%08x", i, i)
		}
	}
	native, facade := map[string]int{}, map[string]int{}
	for i := range 10_000 {
		out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(wrong(i)))
		native[fmt.Sprint(out.Code, out.Header(), out.text())]++
		out = w.ask("POST", "/k/"+wrong(i)+"/wxa/generate_urllink", `{"path":"p"}`)
		facade[fmt.Sprint(out.Code, out.Header(), out.text())]++
	}
	if len(native) != 1 || len(facade) != 1 {
		t.Errorf("wrong keys are told apart: %v, %v", native, facade)
	}
	if len(w.weChat.targets) != 0 {
		t.Errorf("WeChat was called %d times", len(w.weChat.targets))
	}
}
