package broker

// Language is one of those in which findings and errcodes are explained.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Text is a text in every language.
type Text struct{ English, Chinese string }

// In gives the text in a language, English for one that is unknown.
func (t Text) In(language Language) string {
	if language == Chinese {
		return t.Chinese
	}
	return t.English
}
