package handlers_test

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestWhatIsRemembered asks with the same words over and over, so that they are remembered, and then in a way in which
// they must not be taken for what they meant before.
func TestWhatIsRemembered(t *testing.T) {
	const native, body = "/api/v1/links", `{"path":"p","query":"a=1"}`
	for name, test := range map[string]struct {
		change func(w *world) reply
		is     string // what the answer must have in it
	}{
		"is not remembered for another app": {func(w *world) reply {
			return w.ask("POST", native, body, as(foreignKey))
		}, `"app":"` + appB + `"`},
		"is asked by who may not generate, and is there": {func(w *world) reply {
			return w.ask("POST", native, body, as(readKey))
		}, `"outcome":"hit"`},
		"means the same on the facade": {func(w *world) reply {
			return w.ask("POST", "/k/"+shopKey+"/wxa/generate_urllink", body)
		}, `"errmsg":"ok"`},
		"is found by a wrong key no more than before": {func(w *world) reply {
			return w.ask("POST", native, body, as(wrongKey))
		}, `"code":"bad_credential"`},
		"leads to no link that was deleted": {func(w *world) reply {
			key := answerOf(t, w.ask("POST", native, body, as(shopKey))).Key
			w.administer("DELETE", "/api/v1/links/"+key)
			return w.ask("POST", native, body, as(shopKey))
		}, `"outcome":"miss"`},
		"leads to no link that is dead": {func(w *world) reply {
			w.pass(31 * 24 * time.Hour)
			return w.ask("POST", native, body, as(shopKey))
		}, `"outcome":"miss"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 4 {
				w.ask("POST", native, body, as(shopKey))
			}
			if out := test.change(w); !strings.Contains(out.text(), test.is) {
				t.Errorf("%d %s", out.Code, out.text())
			}
		})
	}
}

// TestAMomentIsReadEachTime: what is good today is refused tomorrow.
func TestAMomentIsReadEachTime(t *testing.T) {
	w := newWorld(t)
	body := `{"path":"p","expire_time":` + strconv.FormatInt(w.clock().Add(time.Hour).Unix(), 10) + `}`
	for range 4 {
		if out := w.ask("POST", "/api/v1/links", body, as(shopKey)); out.Code != http.StatusOK {
			t.Fatal(out.text())
		}
	}
	w.pass(time.Hour)
	if out := w.ask("POST", "/api/v1/links", body, as(shopKey)); out.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", out.Code, out.text())
	}
}

// TestAnAddressThatIsRemembered is answered as if it were read.
func TestAnAddressThatIsRemembered(t *testing.T) {
	w := newWorld(t)
	const address = "/api/v1/link?path=p&query=a%3D1"
	var remembered reply
	for range 4 {
		remembered = w.ask("GET", address, "", as(shopKey))
	}
	read := w.ask("GET", address+"&env_version=release", "", as(shopKey))
	if remembered.text() != read.text() || !maps.EqualFunc(remembered.Header(), read.Header(), slices.Equal) {
		t.Errorf("%v %s\n%v %s", remembered.Header(), remembered.text(), read.Header(), read.text())
	}
}
