package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what WeChat is asked to make.
type Kind string

// The kinds. Each has its rules in the table below, a recipe in wechat and golden bytes in both; nothing else in
// linkbroker knows one from another.
const (
	URLLink     Kind = "url_link"     // a web address that opens a page of a mini program (urllink.generate)
	Scheme      Kind = "scheme"       // weixin://dl/business/?t=…, which opens one from another app (urlscheme.generate)
	ShortLink   Kind = "short_link"   // #小程序://…, to be opened inside WeChat alone (shortlink.generate)
	PlainScheme Kind = "plain_scheme" // weixin://dl/business/?appid=…: put together here, without a call
)

// schemePrefix is what a scheme begins with, and prefixShort a short link. The official client opens nothing else.
const (
	schemePrefix = "weixin://dl/business/"
	shortPrefix  = "#小程序://"
)

// kindRules are the rules of a kind: what a target may ask for, what a generation costs, and what may be done with a
// link.
type kindRules struct {
	body   []string            // fields of WeChat's body, which extra must not repeat
	nested map[string][]string // objects in that body whose unknown fields extra may carry, and their known ones

	cloudBase bool // cloud_base is known
	versions  bool // another version than the released one can be opened
	ends      bool // its asker may say when it ends
	permanent bool // it may be made to live for ever
	title     bool // it has a page_title
	needsPage bool // there is no short form for the home page
	longest   int  // page and query together; 0 = each has its own limit
	maxQuery  int

	accounts []Account // whose ledgers a generation is taken from; none = it costs nothing
	forGood  []Account // and those of a permanent one beside them

	accepts   func(link string, hosts []string) bool // may such a link be handed out?
	compose   func(Target) string                    // puts the link together; nil = WeChat is asked
	web       bool                                   // a browser can be sent there
	queryable bool                                   // WeChat answers questions about it
	splice    string                                 // what joins a query to a finished link; empty = nothing can

	errCodes map[Code]int // where WeChat's errcode for a class is another than the usual one
}

var kinds = map[Kind]*kindRules{
	URLLink: {
		body:      []string{"path", "query", "env_version", "expire_type", "expire_time", "expire_interval", "cloud_base", "is_expire"},
		cloudBase: true, versions: true, ends: true, maxQuery: maxQuery,
		accounts: []Account{Links},
		accepts:  isWebLink, web: true, queryable: true, splice: "?cq=",
	},
	Scheme: {
		body:     []string{"expire_type", "expire_time", "expire_interval", "is_expire"},
		nested:   map[string][]string{"jump_wxa": {"path", "query", "env_version"}},
		versions: true, ends: true, maxQuery: maxQuery,
		accounts: []Account{Links},
		accepts:  isScheme, queryable: true, splice: "&cq=",
	},
	ShortLink: {
		body:  []string{"page_url", "page_title", "is_permanent"},
		title: true, permanent: true, needsPage: true, longest: maxPath, maxQuery: maxQuery,
		accounts: []Account{ShortLinks}, forGood: []Account{PermanentShortLinks},
		accepts:  isShortLink,
		errCodes: map[Code]int{InvalidPath: 40066, InvalidQuery: 40066},
	},
	PlainScheme: {
		versions: true, needsPage: true, maxQuery: 512,
		accepts: isScheme, compose: plainScheme,
	},
}

// Kinds are all there are.
func Kinds() []Kind { return []Kind{URLLink, Scheme, ShortLink, PlainScheme} }

// KindOf says of which kind a link is, by how it begins. What nobody knows is asked about as a URL Link.
func KindOf(link string) Kind {
	switch {
	case strings.HasPrefix(link, "weixin:"):
		return Scheme
	case strings.HasPrefix(link, shortPrefix):
		return ShortLink
	default:
		return URLLink
	}
}

// rules gives the rules of a kind that a normalised target has.
func (k Kind) rules() *kindRules { return kinds[cmp.Or(k, URLLink)] }

// Web reports whether a browser can be sent to links of the kind.
func (k Kind) Web() bool { return kinds[k] != nil && kinds[k].web }

// Queryable reports whether WeChat can be asked about links of the kind.
func (k Kind) Queryable() bool { return kinds[k] != nil && kinds[k].queryable }

// Splice gives what joins a query to a finished link of the kind, empty if nothing can.
func (k Kind) Splice() string {
	if kinds[k] == nil {
		return ""
	}
	return kinds[k].splice
}

// Accounts gives the accounts from which a generation for the target takes a unit each; none means that it costs nothing.
func (t Target) Accounts() []Account {
	rules := t.Kind.rules()
	if t.Expiry.Never {
		return slices.Concat(rules.accounts, rules.forGood)
	}
	return rules.accounts
}

// permit refuses what targets of the kind cannot ask for. The fields themselves are in order by now.
func (r *kindRules) permit(t *Target) error {
	switch {
	case !r.cloudBase && t.CloudBase != nil:
		return Errorf(InvalidArgument, "cloud_base means nothing for kind %s", t.Kind)
	case !r.versions && t.Env != Release:
		return Errorf(InvalidEnv, "kind %s opens the released version alone", t.Kind)
	case !r.ends && !t.Expiry.Living() && !t.Expiry.Never:
		return Errorf(InvalidExpiry, "nobody can say when a link of kind %s ends: leave the expire fields out", t.Kind)
	case !r.permanent && t.Expiry.Never:
		return Errorf(InvalidExpiry, "is_permanent means nothing for kind %s", t.Kind)
	case !r.title && t.Title != "":
		return Errorf(InvalidArgument, "page_title means nothing for kind %s", t.Kind)
	case r.needsPage && t.Path == "":
		return Errorf(InvalidPath, "kind %s needs a page", t.Kind)
	case len(t.Query) > r.maxQuery:
		return Errorf(InvalidQuery, "query is longer than %d characters", r.maxQuery)
	case r.longest > 0 && len(t.PageURL()) > r.longest:
		return Errorf(InvalidPath, "page and query together are longer than %d characters", r.longest)
	case r.compose != nil && t.Extra != nil:
		return Errorf(InvalidArgument, "extra means nothing for kind %s: WeChat is not asked", t.Kind)
	}
	return nil
}

// normalizeExtra gives the canonical form of the fields that only WeChat knows, those within nested objects in the
// place that they have there.
func (r *kindRules) normalizeExtra(extra json.RawMessage) (json.RawMessage, error) {
	extra, err := normalizeExtra(extra, r.body)
	if err != nil || extra == nil || r.nested == nil {
		return extra, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(extra, &members); err != nil {
		return nil, Errorf(InvalidArgument, "extra fields: %w", err)
	}
	for name, known := range r.nested {
		switch within, err := normalizeExtra(members[name], known); {
		case err != nil:
			return nil, err
		case within == nil:
			delete(members, name)
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	return encodeObject(members)
}

// inWeChatsWords gives an error the errcode that WeChat has for it where this kind is asked for.
func (r *kindRules) inWeChatsWords(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || r.errCodes[e.Code] == 0 {
		return err
	}
	own := *e
	own.ErrCode = r.errCodes[e.Code]
	return &own
}

// PageURL gives page and query in one, as WeChat's page_url has them.
func (t Target) PageURL() string {
	if t.Query == "" {
		return "/" + t.Path
	}
	return "/" + t.Path + "?" + t.Query
}

// maxTitle is the longest page_title, in characters.
const maxTitle = 20

func normalizeTitle(title string) (string, error) {
	title = strings.TrimSpace(title)
	if !utf8.ValidString(title) || utf8.RuneCountInString(title) > maxTitle {
		err := Errorf(InvalidArgument, "page_title is longer than %d characters or not valid UTF-8", maxTitle)
		err.ErrCode = 40225
		return "", err
	}
	return title, nil
}

// isWebLink: a foreign host would turn every visitor over to whoever made WeChat's answer up.
func isWebLink(link string, hosts []string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Scheme == "https" && u.User == nil && slices.Contains(hosts, u.Host)
}

// isScheme: weixin: has other addresses too, that do other things than to open a mini program.
func isScheme(link string, _ []string) bool {
	return strings.HasPrefix(link, schemePrefix) && printable(link) && !strings.ContainsAny(link, " \"<>\\^`{|}")
}

func isShortLink(link string, _ []string) bool {
	return strings.HasPrefix(link, shortPrefix) && utf8.ValidString(link) && !strings.ContainsFunc(link, unicode.IsControl)
}

// plainScheme puts a scheme together that WeChat opens if the page is declared for it in its console. The page stays
// readable; the query is one value in it, and so encoded as a whole.
func plainScheme(t Target) string {
	link := schemePrefix + "?appid=" + t.App + "&path=" + strings.ReplaceAll(escape(t.Path), "%2F", "/")
	if t.Query != "" {
		link += "&query=" + escape(t.Query)
	}
	if t.Env != Release {
		link += "&env_version=" + string(t.Env)
	}
	return link
}

// escape encodes as JavaScript's encodeURIComponent does where it matters: a space is %20, a + is not one.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
