package broker

import "time"

// Query selects links for an administrator.
type Query struct {
	Text           string // found in path or query, without regard to case
	App            string
	Kind           Kind
	Env            Env
	ExpiringWithin time.Duration // 0 = any
	Sort           string        // key (default), expires, uses, used, generated; a leading - turns it round
	Limit          int           // 1 to 500; 50
	Cursor         string        // Page.NextCursor of the page before
}

// Page is one page of links.
type Page struct {
	Links      []Link
	NextCursor string // empty on the last page
}
