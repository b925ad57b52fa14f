// Package wechat has WeChat make links: it is the broker's Generator.
//
// A Client makes one attempt for each Generate, and one more with a new token where WeChat refused the old one, which
// spends nothing. Everything that decides whether WeChat is asked at all (quota, rate, retries, one call for many
// callers, accepted link hosts) is the domain's. What is hidden here is the outside: access tokens, answers that come
// in odd forms, errcodes, connections, and that no error tells a URL, a token or a secret.
package wechat
