package handlers

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// NewServer makes a server that no slow or loud client can exhaust. The deadline is the longest that answering may
// take (broker.Policy.Deadline). Errors of connections go to the logger.
func NewServer(handler http.Handler, deadline time.Duration, logger *slog.Logger) *http.Server {
	const (
		header = 5 * time.Second
		body   = 10 * time.Second
		reply  = 10 * time.Second
	)
	serving, stop := context.WithCancel(context.Background())
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: header,
		ReadTimeout:       header + body,
		WriteTimeout:      body + deadline + reply, // counts from the end of the header
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), servingKey{}, serving)
		},
	}
	server.RegisterOnShutdown(stop) // or a stream would have Shutdown wait for its end
	return server
}
