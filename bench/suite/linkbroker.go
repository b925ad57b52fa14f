package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// startLinkbroker runs the program of this checkout with everything on.
func startLinkbroker(ctx context.Context, b *bench) (*running, error) {
	program, err := b.build(ctx, ".", ours)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.dir, ours)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if b.admin, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	store := b.store
	if store == "" {
		store = filepath.Join(folder, "links.db")
	}
	config := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(config, []byte(b.config(address, store)), 0o600); err != nil {
		return nil, err
	}
	c, err := b.start(ctx, ours, folder, program, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	return &running{address: address, main: c}, c.answering(ctx, address)
}

// config is a real configuration: only what WeChat would limit is not.
func (b *bench) config(address, store string) string {
	return fmt.Sprintf(`listen: %s
admin: {listen: %s}
max_connections: 30000
store: bolt://%s
apps:
  - {appid: %s, secret: bench-secret, base_url: %s, rate: 1000000, daily_quota: 1000000000}
clients:
  - {name: shop-web, key: %s, role: generate, requests_per_second: 10000000, generations_per_day: 1000000000}
  - {name: ops, key: %s, role: admin}
backup: {dir: backups, keep: 1}
`, address, b.admin, store, appid, b.upstream.url, apiKey, opsKey)
}

// sample keeps what ours answers to each front, for those that answer a constant.
func (b *bench) sample(ctx context.Context, r *running) error {
	answers := map[string]answer{}
	for _, f := range r.fronts {
		if _, err := askOnce(ctx, r.address, f, 0); err != nil { // which may be a miss
			return err
		}
		a, err := askOnce(ctx, r.address, f, 0)
		if err != nil {
			return err
		}
		answers[f.path()] = a
	}
	b.upstream.page = answers[get.path()]
	data, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	return os.WriteFile(b.answers(), data, 0o600)
}

func (b *bench) answers() string { return filepath.Join(b.dir, "answers.json") }

// askOnce gives a whole answer, without the headers that servers set by themselves.
func askOnce(ctx context.Context, address string, f front, link int) (answer, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return answer{}, err
	}
	defer c.close()
	if _, err := c.Write(f.append(nil, link)); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return answer{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%s answered %s: %s", f.path(), resp.Status, body.Bytes())
	}
	resp.Header.Del("Date")
	resp.Header.Del("Content-Length")
	return answer{resp.Header, body.Bytes()}, nil
}
