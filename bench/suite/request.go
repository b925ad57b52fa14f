package main

import (
	"strconv"
)

// front is a way to ask for a link.
type front string

const (
	native front = "native" // POST /api/v1/links
	facade front = "facade" // POST /wxa/generate_urllink, as WeChat's
	get    front = "get"    // GET /api/v1/link, which a web cache can keep
)

func (f front) path() string {
	switch f {
	case facade:
		return "/wxa/generate_urllink"
	case get:
		return "/api/v1/link"
	default:
		return "/api/v1/links"
	}
}

const (
	appid  = "wx0123456789abcdef"
	apiKey = "bench-key-0123456789"
	opsKey = "bench-ops-0123456789"
	page   = "pages/product/detail"
)

// append adds the request for a link to dst. All contestants get the same bytes, whatever they make of them.
func (f front) append(dst []byte, link int) []byte {
	const common = " HTTP/1.1\r\nHost: go.example.com\r\nUser-Agent: suite\r\nAuthorization: Bearer " + apiKey + "\r\n"
	if f == get {
		dst = append(dst, "GET /api/v1/link?path=pages%2Fproduct%2Fdetail&query=id%3D"...)
		dst = strconv.AppendInt(dst, int64(link), 10)
		return append(dst, "%26src%3Dsms"+common+"\r\n"...)
	}
	dst = append(dst, "POST "...)
	dst = append(dst, f.path()...)
	const before, after = `{"path":"` + page + `","query":"id=`, `&src=sms"}`
	dst = append(dst, common+"Content-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(before)+digits(link)+len(after)), 10)
	dst = append(dst, "\r\n\r\n"+before...)
	dst = strconv.AppendInt(dst, int64(link), 10)
	return append(dst, after...)
}

// digits is how many a number has that is not below 0.
func digits(n int) int {
	d := 1
	for ; n > 9; n /= 10 {
		d++
	}
	return d
}
