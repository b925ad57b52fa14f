package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/cli"
)

// certify writes a certificate for loopback and its key.
func certify(t *testing.T, dir string, serial int64) (files cli.TLSConfig) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files = cli.TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: cert}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := certify(t, dir, 1)
		var log strings.Builder
		get, err := cli.NewCertificate(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			claim  string
			change func()
			wait   time.Duration
			serial int64
			logged string
		}{
			{"it is read at the start", func() {}, 0, 1, ""},
			{"a new one is not looked for at each handshake", func() { certify(t, dir, 2) }, 9 * time.Second, 1, ""},
			{"but soon", func() {}, time.Second, 2, "is used from now on"},
			{"half a change keeps the old one", func() { _ = os.WriteFile(files.KeyFile, []byte("-"), 0o600) }, time.Minute, 2, "cannot be used"},
			{"its other half brings the new one", func() { certify(t, dir, 3) }, time.Minute, 3, "is used from now on"},
			{"a file that is gone keeps it", func() { _ = os.Remove(files.CertFile) }, time.Minute, 3, "cannot be used"},
		} {
			log.Reset()
			step.change()
			time.Sleep(step.wait)
			pair, err := get()
			if err != nil || pair.Leaf.SerialNumber.Int64() != step.serial {
				t.Errorf("%s: got %v, %v, want %d", step.claim, pair.Leaf.SerialNumber, err, step.serial)
			}
			if !strings.Contains(log.String(), step.logged) || (step.logged == "") != (log.Len() == 0) {
				t.Errorf("%s: it logs %s", step.claim, &log)
			}
		}
	})
}

func TestTLSOnBothListeners(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, "")
	certify(t, dir, 1)
	config := strings.Replace(w.configuration(), "admin: {", "tls: {cert_file: cert.pem, key_file: key.pem}\nadmin: {tls: {cert_file: cert.pem, key_file: key.pem}, ", 1)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, dir, secrets)
	for _, address := range []string{p.public, p.admin} {
		if status, serial := overTLS(t, address+"/readyz", tls.VersionTLS12); status != http.StatusOK || serial != 1 {
			t.Errorf("%s answers %d with certificate %d", address, status, serial)
		}
		dialer := tls.Dialer{Config: &tls.Config{MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}}
		conn, err := dialer.DialContext(t.Context(), "tcp", host(t, address))
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s speaks TLS 1.1", address)
		}
	}
	certify(t, dir, 2)
	p.rewrite(config, taken)
	if _, serial := overTLS(t, p.public+"/readyz", tls.VersionTLS13); serial != 2 {
		t.Errorf("after a reload the certificate is %d", serial)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("-"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.rewrite(config, kept)
	if _, serial := overTLS(t, p.admin+"/readyz", tls.VersionTLS13); serial != 2 {
		t.Errorf("after a reload that failed the certificate is %d", serial)
	}
	p.rewrite(w.configuration(), `"settings":"tls.cert_file, tls.key_file, admin.tls.cert_file, admin.tls.key_file"`)
}

// overTLS asks without checking the certificate, whose serial number it gives.
func overTLS(t *testing.T, url string, version uint16) (status int, serial int64) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: version},
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.TLS.PeerCertificates[0].SerialNumber.Int64()
}
