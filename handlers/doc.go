// Package handlers speaks HTTP: WeChat's own protocol on the facade, JSON on the native interface, and what an
// administrator needs on a listener of its own.
//
// The way of a request is route, client, decode, broker.Get, answer. Routes stand in one table (route.go), statuses
// in another (errors.go), and openapi.yaml is held against both.
package handlers
