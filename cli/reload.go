package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"linkbroker/broker"
)

// reload takes over what may change while it runs: clients, limits, the log's level and certificates. Where anything is
// wrong with the new configuration, all of the old one stays.
func (s *service) reload(ctx context.Context) {
	s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	defer s.notify(daemon.SdNotifyReady)
	settings, err := s.read()
	if err == nil {
		err = s.takeOver(ctx, settings.Config)
	}
	if problems, ok := errors.AsType[Problems](err); ok {
		for _, problem := range problems {
			s.logger.Error("the new configuration has a problem", "problem", problem.String())
		}
		err = fmt.Errorf("it has %d problems", len(problems))
	}
	if err != nil {
		s.logger.Error("the new configuration is not taken over, the old one stays", "error", err)
		return
	}
	s.settings.Store(new(pending(s.atStart, settings.rows())))
	logWarnings(settings, s.logger)
	s.logger.Info("the new configuration is taken over", "clients", len(settings.Clients))
	settings.Log.set(s.level)
}

// takeOver first does everything that can fail.
func (s *service) takeOver(ctx context.Context, cfg Config) error {
	if !anyEnabled(cfg.clients(), s.clients.List(), time.Now()) {
		return errNobodyEnabled()
	}
	public, err := s.publicCertificate.fresh(cfg.TLS)
	if err != nil {
		return err
	}
	admin, err := s.adminCertificate.fresh(cfg.Admin.TLS)
	if err != nil {
		return err
	}
	if err := s.clients.Configure(ctx, cfg.clients()); err != nil {
		return fmt.Errorf("taking over the clients: %w", err)
	}
	if public != nil {
		s.publicCertificate.use(cfg.TLS, public)
		s.running.TLS = cfg.TLS
	}
	if admin != nil {
		s.adminCertificate.use(cfg.Admin.TLS, admin)
		s.running.Admin.TLS = cfg.Admin.TLS
	}
	s.limits.Store(cfg.Limits.limits())
	s.broker.LimitAddresses(cfg.Limits.AddressGenerationsPerMinute)
	s.running.Clients, s.running.Limits, s.running.Log.Level = cfg.Clients, cfg.Limits, cfg.Log.Level
	if changed := differences("", reflect.ValueOf(s.running), reflect.ValueOf(cfg)); len(changed) > 0 {
		s.logger.Warn("changed settings that only a restart takes over", "settings", strings.Join(changed, ", "))
	}
	return nil
}

// fresh reads the certificate again. It gives nil where TLS is off or would have to be turned on or off.
func (c *certificate) fresh(files TLSConfig) (*loadedPair, error) {
	if c == nil || !files.on() {
		return nil, nil //nolint:nilnil // there is none
	}
	return files.load()
}

// anyEnabled reports whether anybody could ask: a client of a new configuration, or one of the store.
func anyEnabled(configured, present []broker.Client, now time.Time) bool {
	for _, client := range configured {
		if client.Enabled(now) {
			return true
		}
	}
	for _, client := range present {
		if !client.Configured() && client.Enabled(now) {
			return true
		}
	}
	return false
}

func errNobodyEnabled() error {
	return misconfigured{errors.New("neither the configuration nor the store has a client whose key is good: " +
		"nobody could ask; give one a name, a key and a role under clients")}
}

func logWarnings(settings *Settings, logger *slog.Logger) {
	for _, warning := range settings.Warnings {
		logger.Warn("odd configuration", "warning", warning)
	}
}

// differences names the settings in which two configurations differ.
func differences(path string, a, b reflect.Value) []string {
	if !isSection(a.Type()) {
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return nil
		}
		return []string{path}
	}
	var all []string
	for i, f := range fieldsOf(a.Type()) {
		all = append(all, differences(join(path, f.name), a.Field(i), b.Field(i))...)
	}
	return all
}
