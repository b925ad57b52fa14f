package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// endless answers end after all, for a client that never stops reading.
const endless = 256 << 20

// send sends the answer, as whole as the fault leaves it.
func send(rw http.ResponseWriter, r *http.Request, fault Fault, answer fields) {
	if damaged := faults[fault.Name].send; damaged != nil {
		damaged(rw, r, answer)
		return
	}
	sendJSON(rw, encode(answer))
}

func sendJSON(rw http.ResponseWriter, body []byte) {
	rw.Header().Set("Content-Type", "application/json; encoding=utf-8") // as WeChat writes it
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = rw.Write(body)
}

func sendHTML(rw http.ResponseWriter, _ *http.Request, _ fields) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(rw, "<!DOCTYPE html><title>Sorry</title><p>Please try again later.")
}

func sendNothing(rw http.ResponseWriter, _ *http.Request, _ fields) { rw.WriteHeader(http.StatusOK) }

func sendBadGateway(rw http.ResponseWriter, _ *http.Request, _ fields) {
	http.Error(rw, "bad gateway", http.StatusBadGateway)
}

// sendRedirect points back to this server, at a route that counts who follows.
func sendRedirect(rw http.ResponseWriter, r *http.Request, _ fields) {
	http.Redirect(rw, r, "/sandbox/redirected", http.StatusTemporaryRedirect)
}

func sendForeign(rw http.ResponseWriter, _ *http.Request, answer fields) {
	if link, made := answer["url_link"].(string); made {
		answer["url_link"] = strings.Replace(link, linkPrefix, "https://wxaurl.cn.example.net/", 1)
	}
	sendJSON(rw, encode(answer))
}

// sendSloppy has all that was ever seen in an answer at once.
func sendSloppy(rw http.ResponseWriter, _ *http.Request, answer fields) {
	if code, is := answer["errcode"].(int); is {
		answer["errcode"] = strconv.Itoa(code)
	}
	answer["hints"] = []fields{{"errcode": 1}}
	body := bytes.ReplaceAll(encode(answer), []byte("/"), []byte(`\/`))
	sendJSON(rw, append([]byte("\xEF\xBB\xBF"), body...))
}

func sendHalf(rw http.ResponseWriter, _ *http.Request, answer fields) {
	body := encode(answer)
	rw.Header().Set("Content-Type", "application/json; encoding=utf-8")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = rw.Write(body[:len(body)/2])
	_ = http.NewResponseController(rw).Flush()
	panic(http.ErrAbortHandler)
}

func sendEndless(rw http.ResponseWriter, _ *http.Request, _ fields) {
	spaces := bytes.Repeat([]byte(" "), 32<<10)
	_, err := io.WriteString(rw, `{"errcode":0,"errmsg":"`)
	for sent := 0; err == nil && sent < endless; sent += len(spaces) {
		_, err = rw.Write(spaces)
	}
}

// hangUp ends the connection without a word: net/http does so for this panic, and logs nothing.
func hangUp(http.ResponseWriter, *http.Request, fields) { panic(http.ErrAbortHandler) }
