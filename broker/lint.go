package broker

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Finding is what one rule of the rule book says about a request.
type Finding struct {
	Rule  Rule
	Field string // of the request, as the native interface calls it: path, query, expire_time, …
	At    int    // where in the field, in characters from 1; 0 = no one place
	What  string // what was found there
	err   error  // of Failed: what refuses the request
}

// Severity says what becomes of a request.
type Severity string

// The severities.
const (
	Refused Severity = "error"   // it is not answered
	Warned  Severity = "warning" // it is answered, but likely not as its author means it
)

// Severity says what the rule does to a request.
func (f Finding) Severity() Severity {
	if f.Rule == Failed {
		return Refused
	}
	return rulebook[f.Rule].severity
}

// Message says what was found and what to do.
func (f Finding) Message(language Language) string {
	if f.Rule == Failed {
		return f.err.Error()
	}
	return strings.NewReplacer("{what}", f.What, "{field}", f.Field, "{at}", strconv.Itoa(f.At)).Replace(rulebook[f.Rule].text.In(language))
}

// Err gives the error with which a request is refused for it; nil for a warning.
func (f Finding) Err() error {
	switch {
	case f.Rule == Failed:
		return f.err
	case f.Severity() == Refused:
		return Errorf(rulebook[f.Rule].code, "%s", f.Message(English))
	default:
		return nil
	}
}

// lintPath gives what refuses a path, from which surrounding space and leading slashes are gone.
func lintPath(path string) []Finding {
	if len(path) > maxPath {
		return []Finding{{Rule: PathTooLong, Field: "path", What: strconv.Itoa(len(path))}}
	}
	return lintCharacters("path", path, &pathRules)
}

// pathRules and queryRules say what is wrong with a character; empty = nothing.
var (
	pathRules = rulesOf(func(c byte) Rule {
		switch {
		case c == '?':
			return PathQuestionMark
		case c < ' ' || c > '~':
			return PathCharacter
		default:
			return ""
		}
	})
	queryRules = rulesOf(func(c byte) Rule {
		if queryAlphabet[c] {
			return ""
		}
		return QueryCharacter
	})
)

func rulesOf(rule func(c byte) Rule) (rules [256]Rule) {
	for c := range rules {
		rules[c] = rule(byte(c))
	}
	return rules
}

// lintQuery gives what refuses a query for its characters.
func lintQuery(name, query string) []Finding {
	return lintCharacters(name, query, &queryRules)
}

// lintLength gives what refuses a query in its canonical form.
func lintLength(query string) []Finding {
	if len(query) > maxQuery {
		return []Finding{{Rule: QueryTooLong, Field: "query", What: strconv.Itoa(len(query))}}
	}
	return nil
}

// maxFindings is how many characters of a field are complained of.
const maxFindings = 10

// lintCharacters complains of each wrong character of a field, once for each kind. For a good field it allocates nothing:
// every request passes here.
func lintCharacters(name, field string, rules *[256]Rule) (found []Finding) {
	for i, c := range field {
		rule := rules[field[i]]
		if rule == "" {
			continue
		}
		what := strconv.QuoteRune(c)
		if c == utf8.RuneError {
			what = "a byte that is not UTF-8"
		}
		if slices.ContainsFunc(found, func(f Finding) bool { return f.What == what }) {
			continue
		}
		at := utf8.RuneCountInString(field[:i]) + 1
		if found = append(found, Finding{Rule: rule, Field: name, At: at, What: what}); len(found) == maxFindings {
			break
		}
	}
	return found
}

// firstError gives the error of the first finding that refuses a request.
func firstError(found []Finding) error {
	for _, f := range found {
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}

// lint gives what the rule book says about a request by itself, whoever makes it.
func (r Request) lint(now time.Time) []Finding {
	found := lintPath(trimPath(r.Path))
	found = append(found, r.lintQuery()...)
	if r.Env == Trial || r.Env == Develop {
		found = append(found, Finding{Rule: EnvNotReleased, Field: "env_version", What: string(r.Env)})
	}
	switch end := r.Expiry.At; {
	case end.After(now.Add(maxLife)) && end.Unix() > milliseconds:
		found = append(found, Finding{Rule: ExpireMilliseconds, Field: "expire_time", What: strconv.FormatInt(end.Unix(), 10)})
	case end.After(now.Add(maxLife)):
		found = append(found, Finding{Rule: ExpireTooFar, Field: "expire_time"})
	case r.Expiry.Days > 30:
		found = append(found, Finding{Rule: ExpireTooFar, Field: "expire_interval"})
	}
	return found
}

// milliseconds is where an expire_time is taken to be in them: in seconds it is the year 5138, in milliseconds 1973.
const milliseconds = 100_000_000_000

func (r Request) lintQuery() []Finding {
	found := lintQuery("query", r.Query)
	if len(found) == 0 {
		found = lintLength(canonicalForm(r.Query))
	}
	if strings.HasPrefix(r.Query, "?") {
		found = append(found, Finding{Rule: QueryQuestionMark, Field: "query", At: 1})
	}
	if at := brokenEscape(r.Query); at > 0 {
		found = append(found, Finding{Rule: QueryPercent, Field: "query", At: at})
	}
	return found
}

// brokenEscape says where the first % stands that begins no escape: 0 if there is none.
func brokenEscape(query string) (at int) {
	for i := range len(query) {
		if query[i] == '%' && (i+2 >= len(query) || !isHex(query[i+1]) || !isHex(query[i+2])) {
			return utf8.RuneCountInString(query[:i]) + 1
		}
	}
	return 0
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
