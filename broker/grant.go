package broker

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Grant is what a client may ask for. Where a list is empty, everything is allowed.
type Grant struct {
	Apps    []string   `json:"apps,omitempty"`         // appids
	Paths   []PathRule `json:"paths,omitempty"`        // pages, the first rule that fits decides
	Envs    []Env      `json:"env_versions,omitempty"` // versions of the mini program
	Origins []string   `json:"origins,omitempty"`      // of web pages that may read answers, like https://shop.example.com

	NoCloudBase bool `json:"no_cloud_base,omitempty"` // cloud_base is refused
	PassThrough bool `json:"pass_through,omitempty"`  // it may make the other calls of WeChat's that its apps pass on

	RequestsPerSecond    float64 `json:"requests_per_second,omitempty"`    // 0 = no limit
	GenerationsPerMinute int     `json:"generations_per_minute,omitempty"` // 0 = no limit
	GenerationsPerDay    int64   `json:"generations_per_day,omitempty"`    // 0 = no limit but the app's
}

// PathRule allows pages, and names the query parameters they may be asked for with.
type PathRule struct {
	// Path is a page; in a pattern * stands for what is between two slashes and a last ** for all that follows.
	Path     string      `json:"path"`
	AnyQuery bool        `json:"any_query,omitempty"` // every query is allowed
	Params   []ParamRule `json:"params,omitempty"`    // else these parameters; none = no query
}

// ParamRule allows a query parameter, as it stands in the query: nothing is decoded.
type ParamRule struct {
	Name    string `json:"name"`
	Pattern string `json:"pattern,omitempty"`    // regular expression (RE2) of the whole value; empty = any
	Longest int    `json:"max_length,omitempty"` // of the value; 0 = 64

	compiled *regexp.Regexp // Pattern, if it has been prepared
}

const defaultLongest = 64

// Permits reports with an error why a request for a normalised target is not the client's to make. What can be varied
// without end is no stranger's to choose, or each variant would cost a generation.
func (c *Client) Permits(t *Target, signed bool) error {
	switch {
	case !c.Publishable:
	case t.Scope != "":
		return Errorf(Forbidden, "a publishable key cannot ask with scope")
	case !t.Expiry.Living():
		return Errorf(Forbidden, "a publishable key cannot ask for an end: leave the expire fields out")
	case t.CloudBase != nil:
		return Errorf(Forbidden, "a publishable key cannot ask with cloud_base")
	case t.Title != "":
		return Errorf(Forbidden, "a publishable key cannot ask with page_title")
	case len(c.Grant.Envs) == 0 && t.Env != Release:
		return Errorf(Forbidden, "the key is not for env_version %s", t.Env)
	}
	return c.Grant.Permits(t, signed)
}

// Permits reports with an error why a request for a normalised target is not within the grant.
func (g *Grant) Permits(t *Target, signed bool) error {
	switch {
	case len(g.Apps) > 0 && !slices.Contains(g.Apps, t.App):
		return Errorf(Forbidden, "the key is not for this mini program")
	case len(g.Envs) > 0 && !slices.Contains(g.Envs, t.Env):
		return Errorf(Forbidden, "the key is not for env_version %s", t.Env)
	case g.NoCloudBase && t.CloudBase != nil:
		return Errorf(Forbidden, "the key is not for cloud_base")
	case len(g.Paths) == 0:
		return nil
	case t.Extra != nil || t.CloudBase != nil && t.CloudBase.Extra != nil:
		return Errorf(Forbidden, "a key that is bound to pages cannot ask with fields unknown here")
	}
	for _, rule := range g.Paths {
		switch {
		case !rule.fits(t.Path):
		case signed:
			return nil // the query is the word of the client's own server
		default:
			return rule.permits(t.Query)
		}
	}
	return Errorf(Forbidden, "the key is not for this page")
}

// fits reports whether the rule is about the page.
func (r PathRule) fits(page string) bool {
	pattern := strings.TrimLeft(r.Path, "/")
	if parent, below := strings.CutSuffix(pattern, "**"); below {
		depth := strings.Count(parent, "/")
		segments := strings.SplitAfterN(page, "/", depth+1)
		if len(segments) <= depth {
			return false
		}
		pattern, page = parent, strings.Join(segments[:depth], "")
	}
	ok, err := path.Match(pattern, page)
	return ok && err == nil
}

func (r PathRule) permits(query string) error {
	if r.AnyQuery || query == "" {
		return nil
	}
	last, first := "", true
	for segment := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(segment, "=")
		if name == last && !first { // equal names stand together
			return Errorf(Forbidden, "the key is not for a query parameter given twice")
		}
		last, first = name, false
		i := slices.IndexFunc(r.Params, func(p ParamRule) bool { return p.Name == name })
		if i < 0 {
			return Errorf(Forbidden, "the key is not for this query parameter of the page")
		}
		if !r.Params[i].permits(value) {
			return Errorf(Forbidden, "the key is not for this value of the query parameter %s", r.Params[i].Name)
		}
	}
	return nil
}

func (p ParamRule) permits(value string) bool {
	longest := p.Longest
	if longest == 0 {
		longest = defaultLongest
	}
	if len(value) > longest {
		return false
	}
	if p.Pattern == "" {
		return true
	}
	pattern, err := p.compiled, error(nil)
	if pattern == nil {
		pattern, err = compiled(p.Pattern)
	}
	return err == nil && pattern.MatchString(value)
}

// prepared gives the grant with its patterns compiled, which takes longer than all else that a hit needs.
func (g Grant) prepared() Grant {
	g.Paths = slices.Clone(g.Paths)
	for i := range g.Paths {
		params := slices.Clone(g.Paths[i].Params)
		for j := range params {
			params[j].compiled, _ = compiled(params[j].Pattern) // Check has refused what cannot be compiled
		}
		g.Paths[i].Params = params
	}
	return g
}

func compiled(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil { // by itself, or a)|(b would break out of what surrounds it
		return nil, err
	}
	return regexp.Compile(`^(?:` + pattern + `)$`)
}

// Check refuses a grant that says something impossible.
func (g Grant) Check() error {
	for _, rule := range g.Paths {
		pattern := strings.TrimSuffix(strings.TrimLeft(rule.Path, "/"), "**")
		if _, err := path.Match(pattern, ""); err != nil || strings.ContainsAny(rule.Path, "?[\\ ") {
			return Errorf(InvalidArgument, "path %q is no page or pattern: * stands for one segment, a last ** for all below", rule.Path)
		}
		for _, param := range rule.Params {
			if _, err := compiled(param.Pattern); err != nil {
				return Errorf(InvalidArgument, "pattern of parameter %q: %w", param.Name, err)
			}
		}
	}
	for _, origin := range g.Origins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || (u.Scheme != "https" && u.Scheme != "http") {
			return Errorf(InvalidArgument, "origin %q is not of the form https://host[:port]", origin)
		}
	}
	if g.RequestsPerSecond < 0 || g.GenerationsPerMinute < 0 || g.GenerationsPerDay < 0 {
		return Errorf(InvalidArgument, "a limit must not be negative")
	}
	return nil
}

// Check refuses a client that could not be guarded. An Origin header is no authentication, anybody can send one: what
// guards a key that everybody knows are its pages and its budget.
func (c Client) Check() error {
	switch {
	case !clientName.MatchString(c.Name):
		return Errorf(InvalidArgument, "a client's name has 1 to 64 characters out of a-z A-Z 0-9 . _ -")
	case !slices.Contains(roles, c.Role):
		return Errorf(InvalidArgument, "role %q is not one of read, generate, admin", c.Role)
	case c.ExpiresAt.UTC().Year() > 9999:
		return Errorf(InvalidArgument, "a client's end lies beyond the year 9999, which no JSON can tell")
	case c.Publishable && c.Role == RoleAdmin:
		return Errorf(InvalidArgument, "a publishable key cannot be an administrator's")
	case c.Grant.PassThrough && (c.Publishable || !c.Role.Includes(RoleGenerate)):
		return Errorf(InvalidArgument, "pass_through is for secret keys of role generate or admin: what is passed on WeChat does in the app's name")
	case c.Publishable && (len(c.Grant.Origins) == 0 || len(c.Grant.Paths) == 0 || c.Grant.GenerationsPerDay == 0):
		return Errorf(InvalidArgument, "a publishable key needs origins, paths and generations_per_day: everybody knows it")
	}
	return c.Grant.Check()
}

var clientName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
