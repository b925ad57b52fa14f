package broker

// Splicing: a caller may append ?cq=<url-encoded query> to a link, and the page reads it like its query. So the link of
// a page without a query, generated once, serves every query.

// maxCQ is the longest query that WeChat takes behind a link, in characters before they are encoded.
const maxCQ = 256

// unspliceable says why the target's query cannot be spliced onto the link of the same page without one; empty if it
// can. Whether cq merges with a link's own query is not documented, so it is used on links without one.
func (t *Target) unspliceable() string {
	switch {
	case t.Kind.Splice() == "":
		return "links of this kind take no cq"
	case t.CloudBase != nil:
		return "a link with cloud_base takes no cq"
	case len(t.Query) > maxCQ:
		return "the query is longer than the 256 characters of cq"
	default:
		return ""
	}
}

// splice takes the query off a target where it is to be spliced on, and says why it is not where that was asked. A link
// that is put together here holds any query at no cost.
func (a *App) splice(t *Target, asked *bool) (cq, unspliced string) {
	if asked == nil && !a.Splice || asked != nil && !*asked || t.Query == "" || t.Kind.rules().compose != nil {
		return "", ""
	}
	unspliced = t.unspliceable()
	if a.NeverShare {
		unspliced = "links of this app are never shared"
	}
	if unspliced != "" {
		return "", unspliced
	}
	cq, t.Query = t.Query, ""
	return cq, ""
}

// carry gives what of a visitor's cq is spliced onto the link of the target, in the form that a query has, or says why
// nothing is.
func (t Target) carry(cq string) (carried, unspliced string) {
	switch {
	case t.Query != "":
		return "", "the target has a query of its own"
	case len(lintQuery("cq", cq)) > 0:
		return "", "cq has a character outside WeChat's alphabet"
	}
	t.Query = canonicalForm(cq)
	if unspliced = t.unspliceable(); unspliced != "" {
		return "", unspliced
	}
	return t.Query, ""
}
