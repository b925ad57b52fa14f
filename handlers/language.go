package handlers

import (
	"net/http"

	"golang.org/x/text/language"

	"linkbroker/broker"
)

// languages are those that can be asked for, in the order of broker's constants. The first is for who asks for another.
//
//nolint:gochecknoglobals // a constant table
var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// languageOf gives the language that the asker reads, by Accept-Language.
func languageOf(r *http.Request) broker.Language {
	header := r.Header.Get("Accept-Language")
	if header == "" {
		return broker.English
	}
	if _, i := language.MatchStrings(languages, header); i == 1 {
		return broker.Chinese
	}
	return broker.English
}
