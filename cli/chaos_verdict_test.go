package cli_test

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// forbidden is what must never be counted.
var forbidden = map[string]int{
	"WRONG LINKS": 0, "DEAD LINKS": 0, "LOST LINKS": 0, "DELETED OR RENEWED LINKS ANSWERED": 0, "TWO CALLS AT ONCE": 0,
	"CALLS ABOVE A BUDGET": 0,
}

// quiet reports whether Redis was well all the time since a moment.
func (c *chaos) quiet(since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.doubt {
		if d.to.IsZero() || d.to.After(since) {
			return false
		}
	}
	return true
}

func (c *chaos) count(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.figures[what] += n
}

// judge holds what was answered against what the witness has seen.
func (c *chaos) judge(length time.Duration) {
	c.t.Helper()
	c.findPromised()
	budget := scarce
	if shanghaiDay(time.Now()) != shanghaiDay(time.Now().Add(-length)) {
		budget *= 2
	}
	for _, at := range c.crowds() {
		if c.calm(at) {
			c.count("TWO CALLS AT ONCE", 1)
		}
	}
	for _, path := range []string{"scarce", "thrifty"} {
		calls, _ := c.called(path)
		c.count("calls within the budget of "+path, calls)
		c.count("CALLS ABOVE A BUDGET", max(calls-budget, 0))
	}
	var table strings.Builder
	lines := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range sortedKeys(c.figures) {
		if _, isForbidden := forbidden[what]; isForbidden && c.figures[what] > 0 {
			c.t.Errorf("%d %s", c.figures[what], strings.ToLower(what))
		}
		if took := c.took[what]; took > 0 {
			fmt.Fprintf(lines, "%s\t%d\tslowest %v\n", what, c.figures[what], took.Round(time.Millisecond))
			continue
		}
		fmt.Fprintf(lines, "%s\t%d\t\n", what, c.figures[what])
	}
	lines.Flush() //nolint:errcheck // into memory
	had, asked := c.figures["hits"], c.figures["hits"]+c.figures["hits that failed"]
	c.t.Logf("%v of chaos: %.3f %% of %d hits\n%s", length.Round(time.Second), 100*float64(had)/float64(asked), asked, &table)
	if float64(had) < 0.999*float64(asked) {
		c.t.Errorf("of %d requests for stored links %d were answered", asked, had)
	}
}

func shanghaiDay(at time.Time) string { return at.In(shanghai()).Format(time.DateOnly) }

// calm reports whether Redis was well at a moment, and had been for so long that a turn taken before had ended.
func (c *chaos) calm(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.doubt {
		if at.After(d.from) && (d.to.IsZero() || at.Before(d.to.Add(slowest))) {
			return false
		}
	}
	return true
}

// findPromised asks for each link that was answered as stored with a key that may not generate.
func (c *chaos) findPromised() {
	c.t.Helper()
	for target, link := range c.promise {
		now, _, ok := c.balanced(target, readKey)
		switch {
		case !ok:
			c.count("LOST LINKS", 1)
			c.t.Logf("%+v was answered as stored at %s, and is lost%s", target, link.at.Format(time.StampMilli), c.before(link.at))
		case now.URL != link.url:
			c.count("stored links that another took the place of", 1)
		}
		c.count("stored links looked for", 1)
	}
}

// before names the last trouble before a moment, and when it began.
func (c *chaos) before(at time.Time) (told string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.doubt {
		if d.from.Before(at) {
			told = fmt.Sprintf(", %v after this: %s (which lasted %v)", at.Sub(d.from), d.trouble, d.to.Sub(d.from))
		}
	}
	return told
}
