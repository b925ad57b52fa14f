package sandbox

import (
	"strings"
	"unicode/utf8"
)

// What a short link may be made of. WeChat's documents say that a longer title is cut; here it is refused, so that
// nobody relies on either.
const (
	maxPageURL = 1024
	maxTitle   = 20
)

// shortLinkBody is the body of shortlink.generate.
type shortLinkBody struct {
	PageURL     string `json:"page_url"`
	PageTitle   string `json:"page_title"`
	IsPermanent bool   `json:"is_permanent"`
}

// generateShortLink answers POST /wxa/genwxashortlink. Its links have quotas of their own.
func (w *WeChat) generateShortLink(c *call) (fields, errcode) {
	var body shortLinkBody
	return w.make(c, &body, "link", func(a *app) (*link, errcode) {
		path, query, _ := strings.Cut(strings.TrimLeft(body.PageURL, "/"), "?")
		switch {
		case path == "" || len(body.PageURL) > maxPageURL || !a.hasPage(path) || !validQuery(query):
			return nil, pageInvalid
		case utf8.RuneCountInString(body.PageTitle) > maxTitle:
			return nil, titleInvalid
		case body.IsPermanent && a.permanent >= a.PermanentShortLinks:
			return nil, permanentUsedUp
		case a.short >= a.ShortLinkQuota:
			return nil, callsUsedUp
		}
		a.short++
		made := &link{Ticket: newTicket(), Kind: shortLink, Path: path, Query: query, Env: "release", Title: body.PageTitle}
		if body.IsPermanent {
			a.permanent++
		} else {
			made.Expires = c.now.Add(maxLife).Unix()
		}
		return made, ok
	})
}
