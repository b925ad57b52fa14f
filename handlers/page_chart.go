package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// chartView is a chart as a page refers to it: a picture for each colour scheme and for phones.
type chartView struct {
	Path   string
	Query  url.Values // what the picture shows
	Size   string     // wide or half
	Scheme string     // auto, light or dark
	Alt    string
	at     time.Time
}

// At is the address of the picture in a size and a scheme. It changes every minute, so that a live part brings a new one.
func (v chartView) At(size, scheme string) string {
	query := url.Values{"size": {size}, "scheme": {scheme}, "at": {strconv.FormatInt(v.at.Unix()/60, 10)}}
	for name, values := range v.Query {
		query[name] = values
	}
	return v.Path + "?" + query.Encode()
}

// Pixels is the size of the picture, so that the page does not jump when it comes.
func (v chartView) Pixels(size string) chartSize { return chartSizes[size] }

// chart reads how a picture is to be drawn.
func (a *api) chart(c *gin.Context) (chart, error) {
	query := c.Request.URL.RawQuery
	size, known := chartSizes[param(query, "size")]
	ink, knownToo := inks[param(query, "scheme")]
	if !known || !knownToo {
		return chart{}, broker.Errorf(malformed, "a chart has a size of wide, half or narrow, and a scheme of light or dark")
	}
	return chart{size: size, ink: ink, zone: a.Pages.zone}, nil
}

// chartPolicy lets a picture have the colours that it is drawn in, and nothing else.
//
//nolint:gochecknoglobals // a constant that Go has no constants for
var chartPolicy = []string{"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}

func writeChart(c *gin.Context, svg []byte) error {
	h := c.Writer.Header()
	h["Content-Security-Policy"] = chartPolicy
	h.Set("Cache-Control", "private, max-age=60")
	writeBytes(c, http.StatusOK, contentSVG, svg)
	return nil
}
