package handlers

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// maxFresh is the longest an HTTP cache may keep a link: then a deleted or renewed one is asked for again.
const maxFresh = time.Hour

// answer writes an answer of the native interface. It is public if anybody who asks at the same address gets the same:
// where all that was needed, the key among it, stands in the address.
func (a *api) answer(c *gin.Context, answer broker.Answer, public bool) {
	h := c.Writer.Header()
	writeCacheFacts(h, answer)
	if c.Request.Method == http.MethodGet {
		// Of a max-age a cache takes off the Age that stands beside it, so both count from the generation.
		fresh := answer.Age() + min(answer.Fresh(), maxFresh)
		scope := "private"
		if public {
			scope = "public"
		}
		h.Set("Cache-Control", scope+", max-age="+seconds(fresh))
	} else {
		h.Set("Cache-Control", "no-store")
	}
	writeBytes(c, http.StatusOK, contentJSON, appendAnswer(make([]byte, 0, 512), answer))
}

// appendAnswer appends the JSON of an answer. It is written out because it is made for every hit.
func appendAnswer(b []byte, answer broker.Answer) []byte {
	return append(appendFields(append(b, '{'), answer), "}\n"...)
}

// appendFields appends the members of the JSON of an answer.
func appendFields(b []byte, answer broker.Answer) []byte {
	link := answer.Link
	b = append(b, `"key":"`...)
	b = hex.AppendEncode(b, link.Key[:])
	b = appendString(append(b, `","url":`...), answer.URL())
	b = appendString(append(b, `,"kind":`...), string(link.Target.Kind))
	b = appendString(append(b, `,"app":`...), link.Target.App)
	b = appendTime(append(b, `,"generated_at":"`...), link.GeneratedAt)
	b = appendTime(append(b, `","expires_at":"`...), link.ExpiresAt)
	b = appendString(append(b, `","outcome":`...), string(answer.Outcome))
	b = strconv.AppendBool(append(b, `,"spliced":`...), answer.CQ != "")
	if answer.Unspliced != "" {
		b = appendString(append(b, `,"unspliced":`...), answer.Unspliced)
	}
	return b
}

// writeCacheFacts says in headers where an answer comes from, in the words of RFC 9211 where it has some.
func writeCacheFacts(h http.Header, answer broker.Answer) {
	h.Set("Age", seconds(answer.Age()))
	h.Set("Cache-Status", cacheStatus(answer))
	if answer.Clamped {
		h.Set("Linkbroker-Warning", "expiry-clamped")
	}
	if !answer.Stored {
		h.Set("Linkbroker-Stored", "false")
	}
}

func cacheStatus(answer broker.Answer) string {
	switch answer.Outcome {
	case broker.Hit:
		return "linkbroker; hit; ttl=" + seconds(answer.TTL())
	case broker.Composed:
		return "linkbroker; detail=composed"
	case broker.Stale:
		return "linkbroker; fwd=stale; ttl=" + seconds(answer.TTL()) + "; detail=" + string(broker.CodeOf(answer.Reason))
	default:
		status := "linkbroker; fwd=miss"
		if answer.Stored {
			status += "; stored"
		}
		if answer.Collapsed {
			status += "; collapsed"
		}
		return status
	}
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// Values of Content-Type, in the form in which they stand in a header. Nobody changes them.
//
//nolint:gochecknoglobals // constants that Go has no constants for
var (
	contentJSON    = []string{"application/json; charset=utf-8"}
	contentProblem = []string{"application/problem+json; charset=utf-8"}
	contentHTML    = []string{"text/html; charset=utf-8"}
	contentYAML    = []string{"application/yaml; charset=utf-8"}
	contentNDJSON  = []string{"application/x-ndjson; charset=utf-8"}
	contentSVG     = []string{"image/svg+xml; charset=utf-8"}
	contentCSV     = []string{"text/csv; charset=utf-8; header=present"}
)

func writeBytes(c *gin.Context, status int, contentType []string, body []byte) {
	c.Writer.Header()["Content-Type"] = contentType
	c.Writer.WriteHeader(status)
	c.Writer.Write(body)
}

func writeJSON(c *gin.Context, status int, v any) { writeBytes(c, status, contentJSON, encode(v)) }

// encode gives the JSON of what is not asked for often enough to be written out.
func encode(v any) []byte {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	if err != nil {
		panic(err) // not of our own types
	}
	return append(b, '\n')
}

func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // what is not UTF-8 becomes U+FFFD
	return b
}

func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, time.RFC3339) }
