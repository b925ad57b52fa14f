package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// ClientConfig is one API key and what its owner may do.
type ClientConfig struct {
	Name        string        `koanf:"name"`
	Key         wechat.Secret `koanf:"key"`
	Role        broker.Role   `koanf:"role"`
	Publishable bool          `koanf:"publishable"`
	Disabled    bool          `koanf:"disabled"`
	ExpiresAt   time.Time     `koanf:"expires_at"`

	Apps                 []string     `koanf:"apps"`
	Paths                []PathConfig `koanf:"paths"`
	EnvVersions          []string     `koanf:"env_versions"`
	NoCloudBase          bool         `koanf:"no_cloud_base"`
	PassThrough          bool         `koanf:"pass_through"`
	Origins              []string     `koanf:"origins"`
	RequestsPerSecond    float64      `koanf:"requests_per_second"`
	GenerationsPerMinute int          `koanf:"generations_per_minute"`
	GenerationsPerDay    int64        `koanf:"generations_per_day"`
}

// PathConfig is a page that a client may ask for, and the query parameters with which.
type PathConfig struct {
	Path     string        `koanf:"path"`
	AnyQuery bool          `koanf:"any_query"`
	Params   []ParamConfig `koanf:"params"`
}

// ParamConfig is one of those parameters.
type ParamConfig struct {
	Name      string `koanf:"name"`
	Pattern   string `koanf:"pattern"`
	MaxLength int    `koanf:"max_length"`
}

// UnmarshalText reads a rule as one text: see broker.ParsePathRule.
func (p *PathConfig) UnmarshalText(text []byte) error {
	rule, err := broker.ParsePathRule(string(text))
	if err != nil {
		return errors.New("must be a page such as pages/item, pages/item?* or pages/item?id=[0-9]+&from")
	}
	*p = PathConfig{Path: rule.Path, AnyQuery: rule.AnyQuery}
	for _, param := range rule.Params {
		p.Params = append(p.Params, ParamConfig{Name: param.Name, Pattern: param.Pattern, MaxLength: param.Longest})
	}
	return nil
}

func (p PathConfig) rule() broker.PathRule {
	rule := broker.PathRule{Path: p.Path, AnyQuery: p.AnyQuery}
	for _, param := range p.Params {
		rule.Params = append(rule.Params, broker.ParamRule{Name: param.Name, Pattern: param.Pattern, Longest: param.MaxLength})
	}
	return rule
}

// client is the client in the domain's words. It keeps a digest of the API key, and no key.
func (c ClientConfig) client() broker.Client {
	client := broker.Client{
		Name:        c.Name,
		Role:        c.Role,
		Publishable: c.Publishable,
		Keys:        []broker.ClientKey{{Digest: broker.DigestKey(string(c.Key))}},
		Disabled:    c.Disabled,
		ExpiresAt:   c.ExpiresAt,
		Grant: broker.Grant{
			Apps:                 c.Apps,
			Origins:              c.Origins,
			NoCloudBase:          c.NoCloudBase,
			PassThrough:          c.PassThrough,
			RequestsPerSecond:    c.RequestsPerSecond,
			GenerationsPerMinute: c.GenerationsPerMinute,
			GenerationsPerDay:    c.GenerationsPerDay,
		},
	}
	for _, path := range c.Paths {
		client.Grant.Paths = append(client.Grant.Paths, path.rule())
	}
	for _, env := range c.EnvVersions {
		client.Grant.Envs = append(client.Grant.Envs, broker.Env(env))
	}
	return client
}

// checkClients refuses what could not be told apart or not be guarded. That nobody is enabled is no mistake of the
// file's: the store may hold clients.
func (l *loader) checkClients(cfg Config, now time.Time) {
	keys := make(map[wechat.Secret]string)
	taken := make(map[string]string)
	enabled := false
	for i, client := range cfg.Clients {
		at := "clients[" + strconv.Itoa(i) + "]"
		l.checkClient(at, client, cfg.Apps)
		if first := taken[client.Name]; first != "" {
			l.refuse(at+".name", "is the same as %s.name: logs and metrics could not tell them apart", first)
		}
		if first := keys[client.Key]; first != "" {
			l.refuse(at+".key", "is the same as %s.key: each client needs its own", first)
		}
		taken[client.Name], keys[client.Key] = at, at
		configured := client.client()
		enabled = enabled || configured.Enabled(now)
	}
	if !enabled {
		l.warnings = append(l.warnings, "clients has no client whose key is good: linkbroker starts only if its store holds one")
	}
}

func (l *loader) checkClient(at string, client ClientConfig, apps []AppConfig) {
	switch key := string(client.Key); {
	case key == "":
		l.refuse(at+".key", "is missing: `openssl rand -hex 24` makes one")
	case broker.CheckAPIKey(key) != nil:
		l.refuse(at+".key", "cannot be one: an API key has 16 to 128 characters out of A-Z a-z 0-9 _ -")
	case broker.Mistyped(key):
		l.refuse(at+".key", "is mistyped: its checksum does not fit the rest")
	}
	l.oneOf(at+".role", string(client.Role), string(broker.RoleRead), string(broker.RoleGenerate), string(broker.RoleAdmin))
	for _, app := range client.Apps {
		if !slices.ContainsFunc(apps, func(a AppConfig) bool { return a.AppID == app }) {
			l.refuse(at+".apps", "names an app that is not in apps: check the appid")
		}
	}
	for _, env := range client.EnvVersions {
		l.oneOf(at+".env_versions", env, string(broker.Release), string(broker.Trial), string(broker.Develop))
	}
	l.checkGrant(at, client.client())
}

// checkGrant has the domain judge: one field at a time, so that its word stands beside the setting meant, and then
// all together.
func (l *loader) checkGrant(at string, client broker.Client) {
	grant := client.Grant
	for i, rule := range grant.Paths {
		l.judge(at+".paths["+strconv.Itoa(i)+"]", broker.Grant{Paths: []broker.PathRule{rule}}.Check())
	}
	for _, origin := range grant.Origins {
		l.judge(at+".origins", broker.Grant{Origins: []string{origin}}.Check())
	}
	l.judge(at+".requests_per_second", broker.Grant{RequestsPerSecond: grant.RequestsPerSecond}.Check())
	l.judge(at+".generations_per_minute", broker.Grant{GenerationsPerMinute: grant.GenerationsPerMinute}.Check())
	l.judge(at+".generations_per_day", broker.Grant{GenerationsPerDay: grant.GenerationsPerDay}.Check())
	if !l.badBelow(at) {
		l.judge(at, client.Check())
	}
}

func (l *loader) judge(path string, err error) {
	if e, ok := errors.AsType[*broker.Error](err); ok {
		l.refuse(path, "%s", e.Message) // without WeChat's errcode, which is none of an operator's business
	}
}

// badBelow reports whether something is wrong below a path.
func (l *loader) badBelow(path string) bool {
	for bad := range l.bad {
		if strings.HasPrefix(bad, path+".") {
			return true
		}
	}
	return false
}
