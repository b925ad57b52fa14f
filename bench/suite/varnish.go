package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// startVarnish starts a Varnish that looks at the address alone, as a cache in front of one client's broker would.
func startVarnish(ctx context.Context, b *bench) (*running, error) {
	folder := filepath.Join(b.dir, "varnish")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(b.upstream.host())
	if err != nil {
		return nil, err
	}
	vcl := filepath.Join(folder, "links.vcl")
	if err := os.WriteFile(vcl, fmt.Appendf(nil, `vcl 4.1;
backend broker { .host = "%s"; .port = "%s"; }
sub vcl_recv { unset req.http.Authorization; return (hash); }
sub vcl_hash { hash_data(req.url); return (lookup); }
sub vcl_backend_response { set beresp.ttl = 30d; unset beresp.http.Vary; return (deliver); }
`, host, port), 0o600); err != nil {
		return nil, err
	}
	args := []string{"-F", "-n", filepath.Join(folder, "work"), "-f", vcl, "-a", address, "-s", "malloc,4g", "-p", "timeout_idle=3600"}
	if os.Geteuid() == 0 {
		args = append([]string{"-j", "none"}, args...) // else another user's processes could not reach the folder
	}
	c, err := b.start(ctx, "varnish", folder, "varnishd", args...)
	if err != nil {
		return nil, err
	}
	return &running{address: address, main: c}, c.answering(ctx, address)
}
