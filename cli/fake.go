package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"linkbroker/wechat/sandbox"
)

// sandboxApp is the mini program that fake WeChats know.
const sandboxApp = "wx5a4db0c5a4db0c5a"

// fake is a fake WeChat that is being served.
type fake struct {
	url    string
	server *http.Server
	ended  chan struct{}
}

// startFake serves a fake WeChat. Whoever reaches it can switch its faults on, so it stays on this machine.
func startFake(ctx context.Context, address, secret string, state sandbox.State) (*fake, error) {
	if host, _, err := net.SplitHostPort(address); err != nil || !isLoopback(host) {
		return nil, fmt.Errorf("the fake WeChat listens on this machine alone: give an address such as 127.0.0.1:9090, not %s", address)
	}
	listener, err := listen(ctx, "--listen", address)
	if err != nil {
		return nil, err
	}
	f := &fake{
		url:   "http://" + listener.Addr().String(),
		ended: make(chan struct{}),
		server: &http.Server{
			Handler: sandbox.New(ctx, sandbox.Config{
				Apps:    []sandbox.App{{ID: sandboxApp, Secret: secret}},
				OpenApp: sandboxApp,
				Clock:   time.Now,
				State:   state,
			}),
			ReadHeaderTimeout: 5 * time.Second,
			ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		},
	}
	go func() {
		defer close(f.ended)
		_ = f.server.Serve(listener) // until it is closed
	}()
	return f, nil
}

// stop ends it at once: calls under way fail, as WeChat's may at any time.
func (f *fake) stop() {
	_ = f.server.Close() // nobody is left to tell
	<-f.ended
}

// explainFaults says how to have it fail.
func (f *fake) explainFaults(w io.Writer) {
	fmt.Fprintf(w, `Have the fake WeChat fail, and no longer:
  curl -X POST   %[1]s/sandbox/faults -d '{"fault":"quota"}'
  curl -X DELETE %[1]s/sandbox/faults
All its faults: %[1]s/
`, f.url)
}
