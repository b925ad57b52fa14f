package broker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Env is the version of the mini program that a link opens: WeChat's env_version.
type Env string

// The versions of WeChat's env_version.
const (
	Release Env = "release"
	Trial   Env = "trial"
	Develop Env = "develop"
)

// Longest accepted fields, in bytes. WeChat documents the query's; the others bound our memory.
const (
	maxPath  = 1024
	maxQuery = 1024
	maxField = 1024
	maxScope = 128
	maxExtra = 16 << 10
)

// Target is where a link leads, and all that must be equal for two requests to share it.
type Target struct {
	App       string          // appid of the mini program
	Kind      Kind            // empty = URLLink
	Path      string          // page; normalised without a leading slash; empty = home page
	Query     string          // raw query of the page; normalised without a leading ?, sorted by name
	Env       Env             // empty = Release
	CloudBase *CloudBase      // nil = none
	Expiry    Expiry          // zero = the living link
	Scope     string          // shares only within itself; empty = with everybody
	Title     string          // WeChat's page_title, of a short link
	Extra     json.RawMessage // fields of WeChat's that we do not know, as a JSON object; nil = none
}

// CloudBase is WeChat's cloud_base: a static page of the cloud environment in front of the mini program.
type CloudBase struct {
	Env           string          // cloud environment; required
	Domain        string          // static hosting's own domain
	Path          string          // page of the static site; empty = /
	Query         string          // kept verbatim: its page reads it raw
	ResourceAppID string          // appid that owns a shared environment
	Extra         json.RawMessage // fields of WeChat's that we do not know, as a JSON object; nil = none
}

// Normalize gives the canonical form of the target: two targets that mean the same have the same canonical form,
// and WeChat is always sent that form. It is idempotent. It refuses what WeChat would refuse, with WeChat's errcode.
func (t Target) Normalize() (Target, error) {
	if _, err := t.normalize(); err != nil {
		return Target{}, err
	}
	return t, nil
}

// normalize is Normalize in place. It gives the rules of the target's kind.
func (t *Target) normalize() (*kindRules, error) {
	if t.App == "" || len(t.App) > maxField || !printable(t.App) {
		return nil, Errorf(UnknownApp, "the appid is missing or malformed")
	}
	if t.Kind == "" {
		t.Kind = URLLink
	}
	rules, known := kinds[t.Kind]
	if !known {
		return nil, Errorf(InvalidArgument, "kind %q is not known; known are %q", t.Kind, Kinds())
	}
	err := t.normalizeFields(rules)
	if err == nil {
		err = rules.permit(t)
	}
	if err != nil {
		return nil, rules.inWeChatsWords(err)
	}
	return rules, nil
}

func (t *Target) normalizeFields(rules *kindRules) (err error) {
	if t.Path, err = normalizePath(t.Path); err != nil {
		return err
	}
	if t.Query, err = normalizeQuery(t.Query); err != nil {
		return err
	}
	if t.Env, err = normalizeEnv(t.Env); err != nil {
		return err
	}
	if t.CloudBase, err = t.CloudBase.normalize(); err != nil {
		return err
	}
	if t.Expiry, err = t.Expiry.normalize(); err != nil {
		return err
	}
	if len(t.Scope) > maxScope || !utf8.ValidString(t.Scope) {
		return Errorf(InvalidArgument, "scope is longer than %d bytes or not valid UTF-8", maxScope)
	}
	if t.Title, err = normalizeTitle(t.Title); err != nil {
		return err
	}
	t.Extra, err = rules.normalizeExtra(t.Extra)
	return err
}

// cloudBaseFields must not stand in the extra fields of a cloud_base: each has its own place, and would be sent twice.
var cloudBaseFields = []string{"env", "domain", "path", "query", "resource_appid"}

// normalizePath drops surrounding space and leading slashes. A ? is refused rather than split: whoever put a
// query into the path would get a page that WeChat does not find.
func normalizePath(path string) (string, error) {
	path = trimPath(path)
	if found := lintPath(path); found != nil {
		return "", firstError(found)
	}
	return path, nil
}

func trimPath(path string) string {
	return strings.TrimRight(strings.TrimLeft(path, " \t\r\n/"), " \t\r\n")
}

// normalizeQuery drops one leading ? and empty segments and sorts the parameters by name, those of one name in
// the order given. It never decodes: a page receives the raw text, to which %20 and + are different.
func normalizeQuery(query string) (string, error) {
	if found := lintQuery("query", query); found != nil {
		return "", firstError(found)
	}
	query = canonicalForm(query)
	if found := lintLength(query); found != nil {
		return "", firstError(found)
	}
	return query, nil
}

// canonicalForm gives the canonical form of a query whose characters are sound.
func canonicalForm(query string) string {
	query = strings.TrimPrefix(query, "?")
	if !canonicalQuery(query) {
		segments := slices.DeleteFunc(strings.Split(query, "&"), func(s string) bool { return s == "" })
		slices.SortStableFunc(segments, func(a, b string) int { return cmp.Compare(paramName(a), paramName(b)) })
		query = strings.Join(segments, "&")
	}
	// A parameter whose own name begins with ? must not come to stand where the leading ? is dropped.
	if strings.HasPrefix(query, "?") {
		query = "&" + query
	}
	return query
}

// canonicalQuery reports whether the query has no empty segment and its names in order, as most have.
func canonicalQuery(query string) bool {
	for last := ""; query != ""; {
		segment, rest, more := strings.Cut(query, "&")
		if segment == "" || more && rest == "" || paramName(segment) < last {
			return false
		}
		last, query = paramName(segment), rest
	}
	return true
}

func paramName(segment string) string {
	name, _, _ := strings.Cut(segment, "=")
	return name
}

// queryAlphabet holds the characters WeChat accepts in a query.
var queryAlphabet = func() (in [256]bool) {
	const alphabet = "0123456789" + "abcdefghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "!#$&'()*+,/:;=?@-._~%"
	for _, c := range []byte(alphabet) {
		in[c] = true
	}
	return in
}()

func normalizeEnv(env Env) (Env, error) {
	switch env {
	case "":
		return Release, nil
	case Release, Trial, Develop:
		return env, nil
	default:
		return "", Errorf(InvalidEnv, "env_version %q is not one of release, trial, develop", env)
	}
}

func (c *CloudBase) normalize() (*CloudBase, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no cloud_base is a valid cloud_base
	}
	n := *c
	var err error
	if n.Extra, err = normalizeExtra(n.Extra, cloudBaseFields); err != nil {
		return nil, err
	}
	if n.Env == "" && n.Domain == "" && n.Path == "" && n.Query == "" && n.ResourceAppID == "" && n.Extra == nil {
		return nil, nil //nolint:nilnil // {} means none, as null and [] do
	}
	if n.Env == "" {
		return nil, Errorf(InvalidArgument, "cloud_base.env is missing: it names the cloud environment")
	}
	if n.Path == "" {
		n.Path = "/"
	}
	for _, field := range []string{n.Env, n.Domain, n.Path, n.ResourceAppID} {
		if len(field) > maxField || !utf8.ValidString(field) {
			return nil, Errorf(InvalidArgument, "a field of cloud_base is longer than %d bytes or not valid UTF-8", maxField)
		}
	}
	if len(n.Query) > maxQuery {
		return nil, Errorf(InvalidQuery, "cloud_base.query is longer than %d characters", maxQuery)
	}
	if found := lintQuery("cloud_base.query", n.Query); found != nil {
		return nil, firstError(found)
	}
	return &n, nil
}

// normalizeExtra gives the canonical JSON of an object of unknown fields, nil for an empty one.
func normalizeExtra(extra json.RawMessage, known []string) (json.RawMessage, error) {
	if len(extra) == 0 {
		return nil, nil
	}
	if len(extra) > maxExtra {
		return nil, Errorf(InvalidArgument, "extra fields are longer than %d bytes", maxExtra)
	}
	canonical, names, err := canonicalObject(extra)
	if err != nil {
		return nil, Errorf(InvalidArgument, "extra fields: %w", err)
	}
	for _, name := range known {
		if slices.Contains(names, name) {
			return nil, Errorf(InvalidArgument, "extra must not repeat the known field %q", name)
		}
	}
	if bytes.Equal(canonical, []byte("{}")) {
		return nil, nil
	}
	return canonical, nil
}

// printable reports whether s is printable ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
