package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
	"linkbroker/jobs"
	"linkbroker/web"
	"linkbroker/wechat"
)

// service is a broker and all that runs around it.
type service struct {
	logger  *slog.Logger
	store   *cache.Store
	wechat  *wechat.Client
	broker  *broker.Broker
	clients *broker.Clients
	tokens  *broker.Tokens
	upkeep  *jobs.Runner
	public  *front
	admin   *front
	batches *handlers.BatchDesk

	publicCertificate, adminCertificate *certificate // nil for plain HTTP

	running Config                    // what was taken over
	level   *slog.LevelVar            // of the log
	hangups <-chan os.Signal          // each asks for a reload; nil = there is none to reload
	read    func() (*Settings, error) // reads the configuration again

	limits   atomic.Pointer[handlers.Limits]
	atStart  []handlers.Setting                 // the configuration then
	settings atomic.Pointer[[]handlers.Setting] // what the admin page shows of it
	started  time.Time
	stopping atomic.Bool
}

// newService wires a service together. It listens, so that run cannot fail for want of an address, and answers
// nothing yet. The store remains its caller's to close.
func newService(ctx context.Context, settings *Settings, store *cache.Store, logger *slog.Logger) (*service, error) {
	cfg := settings.Config
	served := store.Served()
	clients, err := broker.OpenClients(ctx, served, cfg.clients())
	if err != nil {
		return nil, fmt.Errorf("reading the clients: %w", err)
	}
	tokens, err := broker.OpenTokens(ctx, served, clients)
	if err != nil {
		return nil, fmt.Errorf("reading the key that signs tokens: %w", err)
	}
	warnings := newWarnings(time.Now)
	logger = slog.New(slog.NewMultiHandler(logger.Handler(), warnings))
	s := &service{logger: logger, store: store, clients: clients, tokens: tokens, running: cfg, batches: handlers.NewBatchDesk(cfg.dataFolder()), started: time.Now()}
	s.limits.Store(cfg.Limits.limits())
	s.atStart = settings.rows()
	s.settings.Store(&s.atStart)
	events := newEventLog(logger, time.Now)
	if s.wechat, err = wechat.New(cfg.wechatApps(served), time.Now, events.observeToken); err != nil {
		return nil, err
	}
	metrics := handlers.NewMetrics(cfg.appIDs(), build())
	s.broker = broker.New(served, s.wechat, cfg.policy(func(e broker.Event) {
		metrics.Observe(e)
		events.observe(e)
	}), time.Now)
	if err := settleRestore(ctx, store, s.broker, clients, logger); err != nil {
		return nil, err
	}
	if clients.Enabled(time.Now()) == 0 {
		return nil, errNobodyEnabled()
	}
	if s.upkeep, err = newUpkeep(cfg, s.broker, clients, store, logger); err != nil {
		return nil, err
	}
	store.WatchClients(s.refreshClients)
	s.measure(metrics)
	s.measureShared(metrics)
	pages, err := handlers.NewPages(web.Files(), zone(cfg.Jobs.Timezone), time.Now)
	if err != nil {
		return nil, err
	}
	api := handlers.Config{
		Broker: s.broker, Clients: clients, Tokens: tokens, Jobs: s.upkeep, Metrics: metrics, Clock: time.Now,
		Logger: logger, Version: build(), PublicURL: cfg.publicURL(), Ready: s.ready, Pages: pages,
		BatchDesk: s.batches, UpstreamTokens: s.upstreamTokens, Warnings: warnings.newest, CallFor: wechat.Call,
		Settings: func() []handlers.Setting { return *s.settings.Load() }, System: s.system,
		Forwarding: handlers.Forwarding{To: s.wechat, Paths: cfg.forwarding(), Deadline: cfg.Deadline},
		AdminURL:   cfg.adminURL(), TrustedProxies: cfg.trustedProxies(), Limits: func() handlers.Limits { return *s.limits.Load() },
		SpareMemory: cfg.spareMemory,
	}
	if copies := cfg.copies(store); copies != nil {
		api.Backups = copies
	}
	return s, s.listen(ctx, cfg, api)
}

func (s *service) listen(ctx context.Context, cfg Config, api handlers.Config) (err error) {
	if s.publicCertificate, err = newCertificate(cfg.TLS, s.logger); err != nil {
		return err
	}
	if s.adminCertificate, err = newCertificate(cfg.Admin.TLS, s.logger); err != nil {
		return err
	}
	server := func(handler http.Handler) *http.Server { return handlers.NewServer(handler, cfg.Deadline, s.logger) }
	if s.public, err = newFront(ctx, "--listen", cfg.Listen, cfg.MaxConnections, server(handlers.Public(api)), s.publicCertificate); err != nil {
		return err
	}
	s.admin, err = newFront(ctx, "--admin-listen", cfg.Admin.Listen, cfg.MaxConnections, server(handlers.Admin(api)), s.adminCertificate)
	if err != nil {
		return errors.Join(err, s.public.listener.Close())
	}
	return nil
}

// run serves until the context ends, announces that it does, and drains.
func (s *service) run(ctx context.Context, announce func()) error {
	s.upkeep.Start()
	failed := make(chan error, 2)
	go func() { failed <- s.public.serve() }()
	go func() { failed <- s.admin.serve() }()
	announce()
	s.logger.Info("serving", "public", s.public.url(), "admin", s.admin.url(), "version", build().Version)
	s.notify(daemon.SdNotifyReady)
	err := s.untilStopped(ctx, failed)
	s.logger.Info("stopping: what is under way is finished and stored")
	s.notify(daemon.SdNotifyStopping)
	return errors.Join(err, s.drain())
}

// untilStopped reloads whenever it is asked to.
func (s *service) untilStopped(ctx context.Context, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-s.hangups:
			s.reload(ctx)
		}
	}
}

// notify tells systemd, if it is there.
func (s *service) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.logger.Warn("systemd cannot be told", "error", err)
	}
}

// How long stopping may take: answering what was asked, and then what the broker still has to write. systemd kills
// after 30 s (deploy/linkbroker.service).
const (
	timeToAnswer = 15 * time.Second
	timeToDrain  = 10 * time.Second
)

// drain takes no new requests, finishes what is under way and flushes. A run of a job that somebody waits for ends
// with the jobs, so both stop together.
func (s *service) drain() error {
	s.stopping.Store(true)
	answering, cancel := context.WithTimeout(context.Background(), timeToAnswer)
	defer cancel()
	var all sync.WaitGroup
	for _, stop := range []func(context.Context) error{s.public.stop, s.admin.stop, s.upkeep.Stop, s.batches.Stop} {
		all.Go(func() {
			if err := stop(answering); err != nil {
				s.logger.Warn("something did not end in time and was cut off", "error", err)
			}
		})
	}
	all.Wait()
	draining, cancel := context.WithTimeout(context.Background(), timeToDrain)
	defer cancel()
	err := errors.Join(s.broker.Drain(draining), s.clients.Flush(draining))
	s.wechat.Close()
	if err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	s.logger.Info("stopped")
	return nil
}

// ready answers GET /readyz.
func (s *service) ready(ctx context.Context) (degraded []string, err error) {
	if s.stopping.Load() {
		return nil, errors.New("linkbroker is stopping")
	}
	for _, token := range s.wechat.Tokens() {
		if token.Err != nil {
			degraded = append(degraded, "access token of "+token.App)
		}
	}
	quotas, err := s.broker.Quotas(ctx)
	switch state := s.store.Health().State; {
	case state != "":
		degraded = append(degraded, "store: "+state)
	case err != nil:
		degraded = append(degraded, "store")
	}
	for _, quota := range quotas {
		if !quota.ClosedUntil.IsZero() {
			degraded = append(degraded, "quota of "+quota.App)
		}
	}
	for _, job := range s.upkeep.Statuses() {
		if job.LastError != "" {
			degraded = append(degraded, "job "+job.Name)
		}
	}
	return degraded, nil
}

// upstreamTokens says for the admin page how the apps stand with WeChat's access tokens.
func (s *service) upstreamTokens() []handlers.UpstreamToken {
	var all []handlers.UpstreamToken
	for _, token := range s.wechat.Tokens() {
		all = append(all, handlers.UpstreamToken{
			App: token.App, FetchedAt: token.FetchedAt, ExpiresAt: token.ExpiresAt, Failing: token.Err != nil,
		})
	}
	return all
}

// system says for the admin page what runs.
func (s *service) system() handlers.System {
	return handlers.System{
		Store: s.running.Store.String(), StoreBytes: s.store.Size(), Shared: s.running.Store.shared(),
		MemoryLinks: s.store.Cached(), MemoryMost: s.running.Cache.MemoryLinks, StartedAt: s.started,
	}
}

// measure adds the figures that only the parts themselves know.
func (s *service) measure(metrics *handlers.Metrics) {
	metrics.WatchQuota(func(ctx context.Context) ([]broker.Quota, error) {
		s.broker.RefreshOpenings(ctx)
		return s.broker.Quotas(ctx)
	})
	metrics.WatchJobs(s.upkeep.Statuses, time.Now)
	metrics.Gauge("store_bytes", "Size of the store's file that is in use, or was and is kept for reuse.", nil,
		func() float64 { return float64(s.store.Size()) })
	metrics.Gauge("store_damaged_records", "Damaged records met since the start; each was answered as missing.", nil,
		func() float64 { return float64(s.store.Damaged()) })
	for i, token := range s.wechat.Tokens() {
		app := map[string]string{"app": token.App}
		metrics.Gauge("token_age_seconds", "Seconds since WeChat's access token was fetched; NaN without one.", app,
			func() float64 { return tokenAge(s.wechat.Tokens()[i], time.Now()) })
		metrics.Gauge("token_failing", "1 if the last fetch of WeChat's access token failed.", app,
			func() float64 { return oneIf(s.wechat.Tokens()[i].Err != nil) })
	}
	for i, host := range s.wechat.Hosts() {
		metrics.Gauge("upstream_host_healthy", "1 while calls go to this host of WeChat's if none before it is well; 0 after it failed.",
			map[string]string{"app": host.App, "host": host.Host}, func() float64 { return oneIf(s.wechat.Hosts()[i].Healthy) })
	}
}

func tokenAge(token wechat.TokenStatus, now time.Time) float64 {
	if token.FetchedAt.IsZero() {
		return math.NaN()
	}
	return now.Sub(token.FetchedAt).Seconds()
}

func oneIf(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
