package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
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
	for field, foreign := range map[string][2]string{
		"url_link": {linkPrefix, "https://wxaurl.cn.example.net/"},
		"openlink": {schemePrefix, "weixin://dl/pay/?t="},
		"link":     {shortPrefix, "https://example.net/"},
	} {
		if link, made := answer[field].(string); made {
			answer[field] = strings.Replace(link, foreign[0], foreign[1], 1)
		}
	}
	sendJSON(rw, encode(answer))
}

func addField(answer fields, _ time.Time) {
	answer["notice"] = fields{"level": 1, "text": "<new> & unknown"}
}

func endSoon(answer fields, now time.Time) {
	for _, name := range []string{"url_link_info", "scheme_info"} {
		if info, is := answer[name].(fields); is {
			info["expire_time"] = now.Add(time.Hour).Unix()
		}
	}
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
