package main

import (
	"bytes"
	"fmt"

	"linkbroker/broker"
)

// check looks into an answer, so that nobody is fast by answering wrongly.
type check func(link int, body []byte) error

// linkURL is the link that the upstream makes.
func linkURL(link int) string { return fmt.Sprintf("https://wxaurl.cn/B%010d", link) }

// hasLink sees that an answer has the link that the upstream makes for this number.
func hasLink(link int, body []byte) error {
	if !bytes.Contains(body, []byte(linkURL(link))) {
		return fmt.Errorf("link %d was answered with %q, which lacks %s", link, body, linkURL(link))
	}
	return nil
}

// hasConstant sees that an answer is the constant, which has the first link for all.
func hasConstant(_ int, body []byte) error { return hasLink(0, body) }

// isHit sees that linkbroker answered from its store, and for the right target. What link that has is not known.
func isHit(link int, body []byte) error {
	target, err := broker.Target{App: appid, Path: page, Query: fmt.Sprintf("id=%d&src=sms", link)}.Normalize()
	if err != nil {
		return err
	}
	if !bytes.Contains(body, []byte(target.Key().String())) || !bytes.Contains(body, []byte(`"outcome":"hit"`)) {
		return fmt.Errorf("link %d was answered with %q, which is no hit of %s", link, body, target.Key())
	}
	return nil
}

// check gives how a contestant's answers are looked into.
func (r *running) check() check {
	switch {
	case r.constant():
		return hasConstant
	case r.stocked:
		return isHit
	default:
		return hasLink
	}
}
