package proxy

import (
	"net/netip"
	"sync"
)

// A crowd counts connections, in all and by where they come from.
type crowd struct {
	mu        sync.Mutex // guards all below
	most      int
	perSource int
	exempt    []netip.Prefix // sources that stand for many clients
	all       int
	by        map[netip.Prefix]int
}

// source is what counts as one source: an address, or for IPv6 the network of
// 64 bits that a site has at least.
func source(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the zero prefix when there is no address
	return p
}

// enter makes room for a connection. What it returns gives the room back, and is
// to be called once; it is nil when there is no room.
func (c *crowd) enter(ip netip.Addr) (leave func()) {
	from := source(ip)
	exempt := within(c.exempt, ip.Unmap().WithZone(""))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.most || !exempt && c.by[from] >= c.perSource {
		return nil
	}
	c.all++
	c.by[from]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.by[from]--; c.by[from] == 0 {
			delete(c.by, from)
		}
	}
}
