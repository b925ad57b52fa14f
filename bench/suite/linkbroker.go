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
	return b.startBroker(ctx, ours, "")
}

// startLinkbrokerRedis does so over a store in Redis, which several of them could share.
func startLinkbrokerRedis(ctx context.Context, b *bench) (*running, error) {
	redis, address, err := b.startRedis(ctx, "linkbroker-redis", "--appendonly", "yes")
	if err != nil {
		return nil, err
	}
	r, err := b.startBroker(ctx, "linkbroker-redis", "redis://"+address)
	if err != nil {
		return nil, err
	}
	r.helper = redis
	return r, nil
}

// startBroker runs a broker over the store of a URL, or over a new one.
func (b *bench) startBroker(ctx context.Context, name, store string) (*running, error) {
	program, err := b.build(ctx, ".", ours)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.dir, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if store == "" {
		store = "bolt://" + filepath.Join(folder, "links.db")
	}
	config := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(config, []byte(b.config(address, admin, store)), 0o600); err != nil {
		return nil, err
	}
	c, err := b.start(ctx, name, folder, program, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	r := &running{contestant: contestants()[0], address: address, admin: admin, main: c}
	r.name = name
	return r, c.answering(ctx, address)
}

// config is a real configuration: only what WeChat would limit is not. Purging begins when it is asked for.
func (b *bench) config(address, admin, store string) string {
	return fmt.Sprintf(`listen: %s
admin: {listen: %s}
max_connections: 30000
store: %s
apps:
  - {appid: %s, secret: bench-secret, base_url: %s, rate: 1000000, daily_quota: 1000000000}
clients:
  - {name: shop-web, key: %s, role: generate, requests_per_second: 10000000, generations_per_day: 1000000000}
  - {name: ops, key: %s, role: admin}
jobs: {purge: "0 0 1 1 *"}
backup: {dir: backups, keep: 1}
`, address, admin, store, appid, b.upstream.url, apiKey, opsKey)
}

// runJob has a job done and waits for its end.
func (r *running) runJob(ctx context.Context, job string) error {
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.admin+"/api/v1/jobs/"+job+":run", nil)
	if err != nil {
		return err
	}
	ask.Header.Set("Authorization", "Bearer "+opsKey)
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var status struct {
		LastError string `json:"last_error"`
		Detail    string `json:"detail"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || status.LastError != "" {
		return fmt.Errorf("job %s: %s %s%s", job, resp.Status, status.Detail, status.LastError)
	}
	return nil
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
