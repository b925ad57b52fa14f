package sandbox_test

import (
	"bytes"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"

	"linkbroker/wechat/sandbox"
)

func TestACodeIsAPictureAndItsErrorsAreJSON(t *testing.T) {
	s := serve(t, sandbox.Config{Apps: []sandbox.App{{ID: "wxshop", Secret: "s3cret", Pages: []string{"pages/item"}}}})
	token := s.token()
	for body, errcode := range map[string]int{`{"scene":""}`: 40129, `{"scene":"a=1","page":"pages/none"}`: 41030, `scene`: 47001} {
		if got := s.call(http.MethodPost, "/wxa/getwxacodeunlimit?access_token="+token, strings.NewReader(body)); got.ErrCode != errcode {
			t.Errorf("%s: got %+v, want errcode %d", body, got, errcode)
		}
	}
	if got := s.call(http.MethodPost, "/wxa/getwxacodeunlimit?access_token=guess", strings.NewReader(`{"scene":"a=1"}`)); got.ErrCode != 40001 {
		t.Errorf("a wrong token: %+v", got)
	}
	var pictures [2][]byte
	for i, body := range []string{`{"scene":"a=1","page":"pages/item"}`, `{"scene":"a=2"}`} {
		_, text := s.send(http.MethodPost, "/wxa/getwxacodeunlimit?access_token="+token, io.Reader(strings.NewReader(body)))
		pictures[i] = []byte(text)
		if _, err := jpeg.Decode(bytes.NewReader(pictures[i])); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	if bytes.Equal(pictures[0], pictures[1]) {
		t.Error("different scenes have one picture")
	}
}
