package proxy

import (
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxClients is how many clients a limiter remembers in one generation.
const maxClients = 1 << 16

// A limiter bounds how often one client does something: so often at once, and as
// often in each minute. It keeps two generations of clients and forgets the older
// when the younger is a minute old or full. Whoever has not been seen for a minute
// has all attempts again, so that forgetting changes nothing for them.
type limiter struct {
	perMinute int
	most      int // clients in one generation

	mu    sync.Mutex // guards what follows
	young map[netip.Prefix]*rate.Limiter
	old   map[netip.Prefix]*rate.Limiter
	since time.Time // of the younger generation
}

func newLimiter(perMinute int) *limiter {
	return &limiter{perMinute: perMinute, most: maxClients, young: map[netip.Prefix]*rate.Limiter{}}
}

// take takes one attempt of the client at address, or says after how long there
// is one.
func (l *limiter) take(address string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.client(clientNetwork(address), now).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (l *limiter) client(network netip.Prefix, now time.Time) *rate.Limiter {
	known, ok := l.young[network]
	if now.Sub(l.since) >= time.Minute || !ok && len(l.young) >= l.most {
		l.old, l.young, l.since, ok = l.young, make(map[netip.Prefix]*rate.Limiter), now, false
	}
	if ok {
		return known
	}
	known, ok = l.old[network]
	if !ok {
		known = rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
	}
	delete(l.old, network)
	l.young[network] = known
	return known
}

// clientNetwork is what counts as one client: an address of IPv4, or the /64 of
// one of IPv6, in which a client can choose addresses freely.
func clientNetwork(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{} // all whose address is not known share their attempts
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	network, _ := ip.Prefix(bits) // bits fit the address
	return network
}

// limit refuses a client that calls the STS endpoint too often.
func (l *logins) limit(x *exchange) error {
	wait := l.limiter.take(x.event.Client.IP, time.Now())
	if wait <= 0 {
		return nil
	}
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	x.w.Header().Set("Retry-After", seconds)
	return &refusal{Code: "Throttling", Message: "There are too many logins from " + x.event.Client.IP + ". Try again in " + seconds + " s, or have limits.logins_per_minute raised by whoever runs this sidecar."}
}
