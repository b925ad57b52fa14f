package main

import (
	"encoding/json"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
)

// answer is what linkbroker answered once: its headers and its body.
type answer struct {
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// readAnswers reads what to answer, by path.
func readAnswers(file string) (map[string]answer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var answers map[string]answer
	return answers, json.Unmarshal(data, &answers)
}

// constant is bare net/http. It sets headers in the cheapest way there is.
func constant(answers map[string]answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[r.URL.Path]
		header := w.Header()
		for name, values := range a.Header {
			header[name] = values
		}
		_, _ = w.Write(a.Body)
	})
}

// ginConstant is the same with gin.
func ginConstant(answers map[string]answer) http.Handler {
	e := gin.New()
	for path, a := range answers {
		contentType := a.Header.Get("Content-Type")
		a.Header.Del("Content-Type")
		e.Any(path, func(c *gin.Context) {
			header := c.Writer.Header()
			for name, values := range a.Header {
				header[name] = values
			}
			c.Data(http.StatusOK, contentType, a.Body)
		})
	}
	return e
}
