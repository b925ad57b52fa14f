package cli

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// examineSettings looks for what works and is not safe.
func (d *diagnosis) examineSettings(s *Settings) {
	before := len(d.Findings)
	if len(s.Literals) > 0 {
		d.add(odd, "secrets", s.fileWith()+" holds "+strings.Join(s.Literals, ", "),
			"write ${NAME} and set NAME_FILE to a file with the value, so that the configuration can be shown and copied")
	}
	if !s.Admin.TLS.on() && !listensOnLoopback(s.Admin.Listen) {
		d.add(odd, "admin.listen", s.Admin.Listen+" is reached from other machines in plain HTTP: an administrator's key can be read on the way",
			"listen on 127.0.0.1 and use a tunnel (ssh -L), or set admin.tls")
	}
	if s.Admin.PublicURL != "" && isPlainAbroad(s.Admin.PublicURL) {
		d.add(odd, "admin.public_url", "is plain http: a session's cookie can be read on the way", "put TLS in front and write https://")
	}
	if !s.TLS.on() && !listensOnLoopback(s.Listen) && len(s.TrustedProxies) == 0 {
		d.add(odd, "listen", s.Listen+" is reached from other machines in plain HTTP: keys and links can be read and changed on the way",
			"set tls, or listen on 127.0.0.1 behind a proxy that speaks TLS")
	}
	d.examinePublishable(s)
	if len(d.Findings) == before {
		d.add(fine, "settings", "none is unsafe", "")
	}
	if hint := s.hint(); hint != "" {
		d.add(fine, "public_url", hint, "")
	}
}

// hint names a setting that is missed only by those who use what it is for.
func (s *Settings) hint() string {
	if s.PublicURL != "" {
		return ""
	}
	return "is not set, and the QR codes of aliases need it: https:// and the name by which visitors reach this broker"
}

// examinePublishable looks after keys that everybody knows.
func (d *diagnosis) examinePublishable(s *Settings) {
	for _, client := range s.Clients {
		if !client.Publishable || client.Disabled {
			continue
		}
		name := "client " + client.Name
		if s.Limits.AddressGenerationsPerMinute == 0 || s.Limits.AddressRequestsPerSecond == 0 {
			d.add(odd, name, "its key is publishable, and one address alone can use up its budget",
				"set limits.address_requests_per_second and limits.address_generations_per_minute")
		}
		if listensOnLoopback(s.Listen) && len(s.TrustedProxies) == 0 {
			d.add(odd, name, "its visitors come through a proxy that is not trusted, and so share one address and its limits",
				"name the proxy under trusted_proxies: [127.0.0.1]")
		}
	}
}

// fileWith names the configuration's file.
func (s *Settings) fileWith() string {
	file, _, _ := strings.Cut(s.Origin(s.Literals[0]), ":")
	return file
}

func listensOnLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

func isPlainAbroad(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !isLoopback(u.Hostname())
}

// megabytes says how much there is.
func megabytes(n uint64) string { return fmt.Sprintf("%d MB", n/1_000_000) }
