package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listen opens a listener. Its error names the flag that chooses another address.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	reason := err.Error()
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		reason = "the address is in use: is another linkbroker running?"
	case errors.Is(err, syscall.EACCES):
		reason = "ports below 1024 are for root: put a proxy in front."
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		reason = "that is no address of this machine."
	}
	return nil, fmt.Errorf("cannot listen on %s: %s Choose another address with %s", address, reason, flag)
}
