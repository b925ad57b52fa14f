package cli

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at. Whoever renews it need not tell us.
const certificateCheck = 10 * time.Second

// certificate is that of a listener. It is read from its files again when they change; where they cannot be used, say
// because only one of the two is new yet, the present one stays.
type certificate struct {
	logger *slog.Logger

	mu      sync.Mutex
	files   TLSConfig
	loaded  *tls.Certificate
	state   fileState // of the files when they were loaded, or last found unusable
	checked time.Time
}

// fileState tells two versions of the two files apart.
type fileState struct {
	certAt, keyAt     time.Time
	certSize, keySize int64
}

// newCertificate gives nil for a listener without TLS.
func newCertificate(files TLSConfig, logger *slog.Logger) (*certificate, error) {
	if !files.on() {
		return nil, nil //nolint:nilnil // none is wanted
	}
	c := &certificate{logger: logger}
	pair, err := files.load()
	if err != nil {
		return nil, err
	}
	c.use(files, pair)
	return c, nil
}

// loadedPair is a certificate and the state its files had before it was read: if they change meanwhile, it is read again.
type loadedPair struct {
	*tls.Certificate

	state fileState
}

func (t TLSConfig) load() (*loadedPair, error) {
	state := t.state()
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &loadedPair{&pair, state}, nil
}

func (t TLSConfig) state() (s fileState) {
	if info, err := os.Stat(t.CertFile); err == nil {
		s.certAt, s.certSize = info.ModTime(), info.Size()
	}
	if info, err := os.Stat(t.KeyFile); err == nil {
		s.keyAt, s.keySize = info.ModTime(), info.Size()
	}
	return s
}

// use has the listener show a certificate from the next handshake on.
func (c *certificate) use(files TLSConfig, pair *loadedPair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files, c.loaded, c.state, c.checked = files, pair.Certificate, pair.state, time.Now()
}

// get is asked at each handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= certificateCheck {
		c.checked = now
		c.look()
	}
	return c.loaded, nil
}

// look reads the files again if they have changed. Called with mu held; two small files once in a while.
func (c *certificate) look() {
	state := c.files.state()
	if state == c.state {
		return
	}
	c.state = state
	pair, err := c.files.load()
	if err != nil {
		c.logger.Error("a changed certificate cannot be used: the old one stays", "cert_file", c.files.CertFile, "error", err)
		return
	}
	c.loaded = pair.Certificate
	c.logger.Info("a changed certificate is used from now on", "cert_file", c.files.CertFile)
}

// config is the listener's side of TLS.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
