package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/wechat"
)

// serveSandbox serves a fake WeChat's links. Only the flags count: neither a configuration nor the environment shall
// be able to point it at a real store. What must survive a restart, its key and what the fake WeChat remembers, is in
// the store beside the links.
func serveSandbox(ctx context.Context, cmd *cobra.Command) (err error) {
	settings, err := sandboxSettings(cmd)
	if err != nil {
		return err
	}
	cfg := &settings.Config
	logger, _ := cfg.Log.logger(cmd.ErrOrStderr())
	boundMemory(*cfg, logger)
	store, err := openStore(ctx, *cfg, logger)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if cfg.Clients[0].Key, err = sandboxKey(ctx, store, cfg.Clients[0].Key); err != nil {
		return err
	}
	fake, err := startFake(ctx, "127.0.0.1:0", string(cfg.Apps[0].Secret), store)
	if err != nil {
		return err
	}
	defer fake.stop()
	cfg.Apps[0].BaseURL, cfg.PublicURL = fake.url, localURL(cfg.Listen)
	settings.origins["apps[0].base_url"], settings.origins["public_url"] = sandboxOrigin, sandboxOrigin
	s, err := newService(ctx, settings, store, logger)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	return s.run(ctx, func() { s.explainSandbox(cmd.OutOrStdout(), string(cfg.Clients[0].Key), fake) })
}

// sandboxOrigin is where the sandbox's own settings were set.
const sandboxOrigin = "--sandbox"

// sandboxSettings is the configuration of the sandbox, given as variables so that it is checked as any other.
func sandboxSettings(cmd *cobra.Command) (*Settings, error) {
	settings, err := LoadConfig(Sources{
		Environ: []string{
			"LINKBROKER_STORE=bolt://data/sandbox.db",
			"LINKBROKER_JOBS_BACKUP=", "LINKBROKER_BACKUP_DIR=",
			"LINKBROKER_LOG_LEVEL=warn",
			"LINKBROKER_APPS_0_PLAIN_SCHEME=true",
			"LINKBROKER_APPS_0_APPID=" + sandboxApp, "LINKBROKER_APPS_0_SECRET=" + rand.Text(),
			"LINKBROKER_CLIENTS_0_NAME=sandbox", "LINKBROKER_CLIENTS_0_ROLE=admin", "LINKBROKER_CLIENTS_0_KEY=" + rand.Text(),
		},
		Flags: cmd.Flags(),
		Now:   time.Now(),
	})
	for path, origin := range settings.origins {
		if strings.HasPrefix(origin, variablePrefix) {
			settings.origins[path] = sandboxOrigin // nobody has set a variable
		}
	}
	return settings, err
}

// localURL is how visitors of this machine reach a listener; empty where its port is not known yet.
func localURL(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return ""
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}

// sandboxKeyName is the blob that holds the sandbox's API key.
const sandboxKeyName = "sandbox-key"

// sandboxKey gives the key of the first start, which on that is the fresh one.
func sandboxKey(ctx context.Context, store *cache.Store, fresh wechat.Secret) (wechat.Secret, error) {
	key, err := store.Blob(ctx, sandboxKeyName)
	if errors.Is(err, broker.NotFound) {
		return fresh, store.PutBlob(ctx, sandboxKeyName, []byte(fresh))
	}
	return wechat.Secret(key), err
}

func (s *service) explainSandbox(w io.Writer, key string, fake *fake) {
	fmt.Fprintf(w, `linkbroker runs with a fake WeChat: nothing here leaves this machine.

A link. The first time it is generated, then it comes from the store, also after a restart:
  curl -s %[1]s/api/v1/links -H 'Authorization: Bearer %[3]s' -d '{"path":"pages/item","query":"id=42"}'

The same as an SDK asks WeChat for it; its base URL is %[1]s/k/%[3]s
  curl -s %[1]s/k/%[3]s/wxa/generate_urllink -d '{"path":"pages/item","query":"id=42"}'

A scheme, and with short_link in its place a short link:
  curl -s %[1]s/api/v1/links -H 'Authorization: Bearer %[3]s' -d '{"path":"pages/item","query":"id=42","kind":"scheme"}'

All links, and upkeep:
  export LINKBROKER_KEY=%[3]s LINKBROKER_URL=%[2]s
  %[4]s links list
  %[4]s jobs list

An address that never ends, and where it leads:
  %[4]s aliases put spring --path=pages/sale
  curl -si %[1]s/l/spring

To open: the admin page, with that key to log in, at %[2]s/ and the documentation at %[1]s/docs

`, s.public.url(), s.admin.url(), key, invokedAs())
	fake.explainFaults(w)
	fmt.Fprintln(w, "\nCtrl-C ends it.")
}

// invokedAs is how the user ran this program, so that what is printed can be pasted.
func invokedAs() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ."
	}
	return os.Args[0]
}
