package sandbox

import (
	"bytes"
	"crypto/sha256"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"strconv"
)

// codeRoute answers with a picture instead of JSON: a call that linkbroker does not make itself, but passes on.
const codeRoute = "/wxa/getwxacodeunlimit"

// code answers POST /wxa/getwxacodeunlimit. Its picture looks like a code and is none.
func (w *WeChat) code(c *call) (fields, errcode) {
	a, code := w.caller(c)
	if code != ok {
		return nil, code
	}
	var body struct {
		Scene string `json:"scene"`
		Page  string `json:"page"`
	}
	if code := c.decode(&body); code != ok {
		return nil, code
	}
	switch {
	case body.Scene == "" || len(body.Scene) > 32:
		return nil, sceneInvalid
	case !a.hasPage(body.Page):
		return nil, codePageInvalid
	}
	c.picture = picture(c.body)
	return nil, ok
}

// picture draws 16 by 16 squares out of a digest.
func picture(of []byte) []byte {
	const squares, size = 16, 8
	digest := sha256.Sum256(of)
	drawn := image.NewGray(image.Rect(0, 0, squares*size, squares*size))
	for y := range squares * size {
		for x := range squares * size {
			bit := y/size*squares + x/size
			if digest[bit/8]>>(bit%8)&1 == 0 {
				drawn.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	var out bytes.Buffer
	_ = jpeg.Encode(&out, drawn, nil) // a buffer takes it
	return out.Bytes()
}

func sendPicture(rw http.ResponseWriter, picture []byte) {
	rw.Header().Set("Content-Type", "image/jpeg")
	rw.Header().Set("Content-Length", strconv.Itoa(len(picture)))
	_, _ = rw.Write(picture)
}
