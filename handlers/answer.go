package handlers

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
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
func (a *api) answer(c *gin.Context, answer *broker.Answer, public bool) {
	h := c.Writer.Header()
	switch {
	case c.Request.Method != http.MethodGet:
		h["Cache-Control"] = noStore
		writeCacheFacts(h, answer, "")
	case public:
		writeCacheFacts(h, answer, "public, max-age=")
	default:
		writeCacheFacts(h, answer, "private, max-age=")
	}
	a.replies.write(c, contentJSON, func(b []byte) []byte { return appendAnswer(b, answer) })
}

// appendAnswer appends the JSON of an answer. It is written out because it is made for every hit.
func appendAnswer(b []byte, answer *broker.Answer) []byte {
	return append(appendFields(append(b, '{'), answer), "}\n"...)
}

// appendFields appends the members of the JSON of an answer.
func appendFields(b []byte, answer *broker.Answer) []byte {
	link := &answer.Link
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

// writeCacheFacts says in headers where an answer comes from, in the words of RFC 9211 where it has some, and if it may
// be kept, for how long: behind caching, which is then the beginning of Cache-Control.
func writeCacheFacts(h http.Header, answer *broker.Answer, caching string) {
	var space [192]byte
	b := appendSeconds(space[:0], answer.Age())
	age := len(b)
	b = appendCacheStatus(b, answer)
	status := len(b)
	if caching != "" {
		// Of a max-age a cache takes off the Age that stands beside it, so both count from the generation.
		b = appendSeconds(append(b, caching...), answer.Age()+min(answer.Fresh(), maxFresh))
	}
	text := string(b) // one piece of memory and one list for all, because every hit has them
	list := []string{text[:age], text[age:status], text[status:]}
	h["Age"], h["Cache-Status"] = list[0:1:1], list[1:2:2]
	if caching != "" {
		h["Cache-Control"] = list[2:3:3]
	}
	if answer.Clamped {
		h.Set("Linkbroker-Warning", "expiry-clamped")
	}
	if !answer.Stored {
		h.Set("Linkbroker-Stored", "false")
	}
}

func appendCacheStatus(b []byte, answer *broker.Answer) []byte {
	b = append(b, "linkbroker; "...)
	switch answer.Outcome {
	case broker.Hit:
		return appendSeconds(append(b, "hit; ttl="...), answer.TTL())
	case broker.Composed:
		return append(b, "detail=composed"...)
	case broker.Stale:
		b = appendSeconds(append(b, "fwd=stale; ttl="...), answer.TTL())
		return append(append(b, "; detail="...), broker.CodeOf(answer.Reason)...)
	case broker.Miss:
	}
	b = append(b, "fwd=miss"...)
	if answer.Stored {
		b = append(b, "; stored"...)
	}
	if answer.Collapsed {
		b = append(b, "; collapsed"...)
	}
	return b
}

func seconds(d time.Duration) string { return string(appendSeconds(nil, d)) }

func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, int64(d/time.Second), 10)
}

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

// replies lends out memory in which answers are put together.
type replies struct{ pool sync.Pool }

// maxReply is the most that is kept for another answer, in bytes.
const maxReply = 4 << 10

// write answers with what fill appends.
func (r *replies) write(c *gin.Context, contentType []string, fill func(b []byte) []byte) {
	space, ok := r.pool.Get().(*[]byte)
	if !ok {
		space = new(make([]byte, 0, 512))
	}
	*space = fill((*space)[:0])
	writeBytes(c, http.StatusOK, contentType, *space)
	if cap(*space) <= maxReply {
		r.pool.Put(space)
	}
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
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b, _ = jsontext.AppendQuote(b, s) // what is not UTF-8 becomes U+FFFD
			return b
		}
	}
	return append(append(append(b, '"'), s...), '"') // as nearly all there is
}

func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, time.RFC3339) }
