package sandbox

// schemeBody is the body of urlscheme.generate.
type schemeBody struct {
	JumpWxa struct {
		Path       string `json:"path"`
		Query      string `json:"query"`
		EnvVersion string `json:"env_version"`
	} `json:"jump_wxa"`
	ExpireType     int   `json:"expire_type"`
	ExpireTime     int64 `json:"expire_time"`
	ExpireInterval int   `json:"expire_interval"`
}

// generateScheme answers POST /wxa/generatescheme. It spends the quota of URL Links.
func (w *WeChat) generateScheme(c *call) (fields, errcode) {
	var body schemeBody
	return w.make(c, &body, "openlink", func(a *app) (*link, errcode) {
		made, code := a.newLink(linkBody{
			Path: body.JumpWxa.Path, Query: body.JumpWxa.Query, EnvVersion: body.JumpWxa.EnvVersion,
			ExpireType: body.ExpireType, ExpireTime: body.ExpireTime, ExpireInterval: body.ExpireInterval,
		}, c.now)
		if code != ok {
			return nil, code
		}
		made.Kind = scheme
		return made, a.spendLink()
	})
}
