package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// place says on what kind of file system a cache is.
type place int

const (
	onDisk place = iota
	onTmpfs
)

// startNginx gives how to start an nginx that caches. With open it keeps files open as well, which few configurations
// do and which is its fastest.
func startNginx(where place, open bool) func(context.Context, *bench) (*running, error) {
	return func(ctx context.Context, b *bench) (*running, error) {
		name, folder := "nginx-disk", filepath.Join(b.dir, "nginx-disk")
		if where == onTmpfs {
			name, folder = "nginx-tmpfs", filepath.Join(b.tmpfs, "nginx-tmpfs")
		}
		if open {
			name, folder = "nginx-open", filepath.Join(b.tmpfs, "nginx-open")
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		address, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		config := filepath.Join(folder, "nginx.conf")
		if err := os.WriteFile(config, []byte(b.nginxConfig(folder, address, open)), 0o600); err != nil {
			return nil, err
		}
		c, err := b.start(ctx, name, folder, "nginx", "-p", folder, "-e", "stderr", "-c", config)
		if err != nil {
			return nil, err
		}
		return &running{address: address, main: c}, c.answering(ctx, address)
	}
}

// nginxConfig is what its documentation shows for a cache, without a log of accesses, and with connections that are
// not closed every thousand requests.
func (b *bench) nginxConfig(folder, address string, open bool) string {
	user, files := "", ""
	if os.Geteuid() == 0 {
		user = "user root;" // its workers must reach the cache
	}
	if most := openFiles(); open {
		files = fmt.Sprintf("open_file_cache max=%d inactive=1h; open_file_cache_valid 1h;", most-most/4)
	}
	return fmt.Sprintf(`daemon off;
%[1]s
worker_processes 1;
worker_rlimit_nofile %[6]d;
pid nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	default_type application/json;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	%[2]s
	proxy_cache_path %[3]s/cache levels=1:2 keys_zone=links:256m max_size=20g inactive=30d use_temp_path=off;
	upstream broker { server %[4]s; keepalive 64; }
	server {
		listen %[5]s;
		location / {
			proxy_pass http://broker;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_cache links;
			proxy_cache_key $request_uri;
			proxy_cache_valid 200 30d;
		}
	}
}
`, user, files, folder, b.upstream.host(), address, openFiles())
}

// openFiles is how many files a process may have open.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return min(limit.Max, 1<<20)
}
