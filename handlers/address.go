package handlers

import (
	"net/netip"

	"github.com/gin-gonic/gin"
)

// address tells from where a request comes, as far as limits tell addresses apart: an IPv4 address, or the /64 of an
// IPv6 one, of which a single customer has 2^64. Behind a trusted proxy it is the last address of X-Forwarded-For that
// is no trusted proxy itself. Those that have none (a Unix socket) share one.
func (a *api) address(c *gin.Context) netip.Prefix {
	ip, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 64)
	}
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}

// proxies gives gin the list of trusted proxies in its own form.
func proxies(prefixes []netip.Prefix) []string {
	var list []string
	for _, p := range prefixes {
		list = append(list, p.Masked().String())
	}
	return list
}
