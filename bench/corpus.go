// Package bench has what its programs and benchmarks share: what they store and ask for, and how they run.
package bench

import (
	"fmt"
	"time"

	"linkbroker/broker"
)

// App is the mini program of all that is stored here.
const App = "wx0123456789abcdef"

// Life is how long each link lives.
const Life = 30 * 24 * time.Hour

// Corpus is a shop's links, made evenly over the month that ends with Until: the first ends then, the last a month later.
type Corpus struct {
	App   string
	Links int
	Until time.Time
}

// Target is where link i leads. It does not depend on how many there are.
func (c Corpus) Target(i int) broker.Target {
	target, err := broker.Target{App: c.App, Path: "pages/product/detail", Query: fmt.Sprintf("id=%d&src=sms", i)}.Normalize()
	if err != nil {
		panic(err) // a mistake in the line above
	}
	return target
}

// Link is link i, whose number goes on beyond Links. One in four has been used, on up to ten days.
func (c Corpus) Link(i int) broker.Link {
	target := c.Target(i)
	made := c.Until.Add(-Life + time.Duration(float64(Life)/float64(c.Links)*float64(i))).UTC().Truncate(time.Millisecond)
	link := broker.Link{
		Key: target.Key(), Target: target, URL: fmt.Sprintf("https://wxaurl.cn/%s", ticket(i)),
		GeneratedAt: made, ExpiresAt: made.Add(Life - time.Minute).Truncate(time.Second), AskedBy: "shop-web",
	}
	if i%4 == 0 {
		for day := range 1 + i/4%10 {
			link = link.Touched(broker.Use{Count: uint64(1 + i%50), UsedAt: made.Add(time.Duration(day) * 24 * time.Hour)})
		}
	}
	return link
}

// ticket is what tells link i from others, in the form of WeChat's.
func ticket(i int) string {
	const digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	n := uint64(i) * 0x9E3779B97F4A7C15
	var t [11]byte
	for at := range t {
		t[at] = digits[n%62]
		n /= 62
	}
	return string(t[:])
}
