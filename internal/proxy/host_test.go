package proxy

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, test := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                     {"192.0.2.1:5", nil, "192.0.2.1"},
		"a stranger's header":          {"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		"one proxy":                    {"10.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		"a proxy without header":       {"10.0.0.1:5", nil, "10.0.0.1"},
		"an empty header":              {"10.0.0.1:5", []string{""}, "10.0.0.1"},
		"a forged beginning":           {"10.0.0.1:5", []string{"127.0.0.1, 10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                  {"10.0.0.1:5", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"two lines":                    {"10.0.0.1:5", []string{"203.0.113.1", "198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"lines of proxies":             {"10.0.0.1:5", []string{"198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		"proxies all the way":          {"10.0.0.1:5", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		"malformed":                    {"10.0.0.1:5", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"an empty hop":                 {"10.0.0.1:5", []string{"198.51.100.7,,10.0.0.2"}, "10.0.0.1"},
		"malformed behind a proxy":     {"10.0.0.1:5", []string{"x, 10.0.0.2"}, "10.0.0.1"},
		"malformed beyond the client":  {"10.0.0.1:5", []string{"x, 198.51.100.7"}, "198.51.100.7"},
		"with a port":                  {"10.0.0.1:5", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                         {"[2001:db8::1]:5", []string{"2001:db9::7"}, "2001:db9::7"},
		"IPv6 with a port":             {"[2001:db8::1]:5", []string{"[2001:db9::7]:4711"}, "2001:db9::7"},
		"IPv4 in IPv6":                 {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a zone is no part of it":      {"[2001:db8::1%eth0]:5", []string{"fe80::1%eth0"}, "fe80::1"},
		"no address (a socket's path)": {"@", []string{"198.51.100.7"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
			if test.forwarded != nil {
				r.Header["X-Forwarded-For"] = test.forwarded
			}
			if got := clientIP(r, trusted); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSources(t *testing.T) {
	c := &crowd{most: 100, perSource: 1, by: map[netip.Prefix]int{}}
	leave := c.enter(netip.MustParseAddr("2001:db8::1"))
	if leave == nil {
		t.Fatal("no room for the first")
	}
	if c.enter(netip.MustParseAddr("2001:db8::2")) != nil {
		t.Error("the neighbour in the same network is another source")
	}
	for _, other := range []string{"2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"} {
		if c.enter(netip.MustParseAddr(other)) == nil {
			t.Errorf("no room for %s", other)
		}
	}
	if c.enter(netip.MustParseAddr("::ffff:192.0.2.1")) != nil {
		t.Error("an address has two spellings")
	}
	leave()
	if c.enter(netip.MustParseAddr("2001:db8::2")) == nil {
		t.Error("no room after the first has gone")
	}
}
