package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// clientIP is the address that a request comes from. X-Forwarded-For is believed
// only as far as trusted proxies have written it: read from its end, the first
// address that is not theirs is the client. If there is none, it is the one that
// they name first; if one cannot be read, it is the peer.
func clientIP(r *http.Request, trusted []netip.Prefix) string {
	peer := peerOf(r.RemoteAddr)
	if !peer.IsValid() {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return host
	}
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 || !within(trusted, peer) {
		return peer.String()
	}
	first := peer
	for _, line := range slices.Backward(lines) {
		for line != "" {
			var hop string
			if i := strings.LastIndexByte(line, ','); i >= 0 {
				line, hop = line[:i], line[i+1:]
			} else {
				line, hop = "", line
			}
			ip, ok := parseHop(strings.Trim(hop, " \t"))
			if !ok {
				return peer.String()
			}
			if !within(trusted, ip) {
				return ip.String()
			}
			first = ip
		}
	}
	return first.String()
}

// clientTLS is the version of TLS that the client speaks. Of what it speaks with
// a proxy in front nothing is known.
func clientTLS(r *http.Request, trusted []netip.Prefix) uint16 {
	c, ok := r.Context().Value(connKey{}).(*doorConn)
	if !ok || c.tls == nil || within(trusted, peerOf(r.RemoteAddr)) {
		return 0
	}
	return c.tls.ConnectionState().Version
}

// peerOf is the address that has connected; the zero Addr when it is none.
func peerOf(remote string) netip.Addr {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap().WithZone("")
}

// parseHop reads an address as proxies write it: some add the port.
func parseHop(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, bad := netip.ParseAddrPort(s)
		if bad != nil {
			return netip.Addr{}, false
		}
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone(""), true
}

func within(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// isBucketHost says whether a bucket stands in the host, and the whole path is
// then a key, whatever it looks like.
func (s *Server) isBucketHost(host string) bool {
	if len(s.domains) == 0 {
		return false
	}
	_, virtual, err := s3api.BucketOfHost(host, s.domains)
	return virtual || err != nil
}

// locate is the URL under which a client of this exchange reaches an object: in
// the style, and at the host, that it used for this request.
func (s *Server) locate(x *exchange, call *s3api.Call) string {
	if !s.isBucketHost(x.host) {
		return s.address + sigv4.EscapePath(call.Path())
	}
	scheme, _, _ := strings.Cut(s.address, "://")
	return scheme + "://" + x.host + sigv4.EscapePath("/"+call.Key)
}
