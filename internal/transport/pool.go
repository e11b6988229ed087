package transport

import (
	"crypto/tls"
	"errors"
	"os"
	"sync"
	"time"
)

// A place is where requests go.
type place struct{ scheme, host string }

// A pool keeps the connections that are not in use. The zero value is ready.
type pool struct {
	mu    sync.Mutex // guards what follows
	idle  map[place][]*conn
	timer *time.Timer // runs while there are any
}

// take returns the connection that was used last, or nil. One on which the other
// end has sent anything meanwhile, such as its end, is of no use: what comes
// unasked must never be taken for the answer to the next request.
func (p *pool) take(to place, most time.Duration) *conn {
	for {
		c := p.pop(to)
		if c == nil {
			return nil
		}
		if (most <= 0 || time.Since(c.since) < most) && c.quiet() {
			return c
		}
		c.close()
	}
}

// quiet says whether nothing has come on the connection since it was last used.
// What came in one go with the answer may lie in the buffer of TLS.
func (c *conn) quiet() bool {
	if !quiet(c.raw) {
		return false
	}
	secure, ok := c.Conn.(*tls.Conn)
	if !ok {
		return true
	}
	secure.SetReadDeadline(time.Unix(1, 0)) // so that nothing is waited for
	var one [1]byte
	n, err := secure.Read(one[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

func (p *pool) pop(to place) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[to]
	if len(list) == 0 {
		return nil
	}
	last := len(list) - 1
	c := list[last]
	list[last] = nil
	p.idle[to] = list[:last]
	return c
}

// put keeps c for the next request.
func (p *pool) put(c *conn) {
	t := c.transport
	c.since = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle[c.to]) >= t.MaxIdle {
		c.close()
		return
	}
	if p.idle == nil {
		p.idle = map[place][]*conn{}
	}
	p.idle[c.to] = append(p.idle[c.to], c)
	if p.timer == nil && t.Idle > 0 {
		p.timer = time.AfterFunc(t.Idle, func() { p.sweep(t.Idle) })
	}
}

// sweep closes those that have not been used for so long, and comes again for
// the others.
func (p *pool) sweep(unused time.Duration) {
	var old []*conn
	defer func() {
		for _, c := range old {
			c.close()
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	now, next := time.Now(), unused
	for to, list := range p.idle {
		n := 0 // the oldest stand first
		for n < len(list) && now.Sub(list[n].since) >= unused {
			n++
		}
		old = append(old, list[:n]...)
		if n == len(list) {
			delete(p.idle, to)
			continue
		}
		p.idle[to] = append([]*conn(nil), list[n:]...)
		next = min(next, unused-now.Sub(list[n].since))
	}
	if len(p.idle) > 0 {
		p.timer = time.AfterFunc(next, func() { p.sweep(unused) })
	}
}
