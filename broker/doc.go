// Package broker decides which link answers a request.
//
// It is the domain of linkbroker: what makes two requests equal (Target, Key), how long a link is good
// (Link, Expiry), when WeChat may be called (the door, the ledger, the rate) and what happens when it fails.
// It knows neither HTTP nor a database nor Prometheus: it declares what it needs of them (Store, Generator,
// Policy.Observe) and imports the standard library alone.
package broker
