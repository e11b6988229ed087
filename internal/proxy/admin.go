package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/telemetry"
)

// maxAdminConns bounds the connections of the admin listener. Those who monitor
// are few.
const maxAdminConns = 32

// An admin serves health and metrics, on a port of its own, to be read and
// nothing else.
type admin struct {
	s        *Server
	listener net.Listener
	loopback bool // only this machine is meant to reach it
	server   *http.Server
	metrics  http.Handler
	served   chan error
}

// openAdmin opens the listener, so that a port that is taken is said early. It
// returns nil when there is to be none.
func (s *Server) openAdmin(m *telemetry.Metrics) (*admin, error) {
	address := s.config.Admin.Listen.V
	if address == adminOff {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q for health and metrics: %w; admin.listen can name another port, or be off", address, err)
	}
	ip, _ := netip.ParseAddrPort(l.Addr().String())
	a := &admin{s: s, listener: &fewConns{Listener: l, room: make(chan struct{}, maxAdminConns)}, loopback: ip.Addr().IsLoopback(), metrics: m.Handler(s.log), served: make(chan error, 1)}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	a.server = &http.Server{
		Handler:           a,
		Protocols:         protocols,
		ReadTimeout:       5 * time.Second,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true,
	}
	return a, nil
}

// AdminURL is where health and metrics are served; empty: nowhere.
func (s *Server) AdminURL() string {
	if s.admin == nil {
		return ""
	}
	return "http://" + s.admin.listener.Addr().String()
}

func (a *admin) start() {
	if a == nil {
		return
	}
	go func() { a.served <- a.server.Serve(a.listener) }()
}

// stop finishes what is under way, for a moment.
func (a *admin) stop() error {
	if a == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		a.server.Close()
	}
	if err := <-a.served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health and metrics: %w", err)
	}
	return nil
}

// close closes a listener that never served.
func (a *admin) close() error {
	if a == nil {
		return nil
	}
	return a.listener.Close()
}

// ServeHTTP knows three paths. A web page must not read them through the browser
// of somebody on this machine: it would come under a name of its own.
func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.ContentLength != 0 {
		h.Set("Connection", "close") // nothing of a body is read
	}
	if a.loopback && !loopbackHost(r.Host) {
		http.Error(w, "use the address 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
		return
	}
	switch r.RequestURI {
	case "/healthz", "/readyz", "/metrics":
	default:
		http.Error(w, "there are /healthz, /readyz and /metrics", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "this can be read, and nothing else", http.StatusMethodNotAllowed)
		return
	}
	switch r.RequestURI {
	case "/healthz":
		report(w, a.s.health())
	case "/readyz":
		report(w, a.s.readiness(r.Context()))
	case "/metrics":
		a.metrics.ServeHTTP(w, r)
	}
}

func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// report answers 200, or 503 if a check that counts has failed.
func report(w http.ResponseWriter, checks []check) {
	answer := struct {
		Status string  `json:"status"`
		Checks []check `json:"checks"`
	}{"ok", checks}
	status := http.StatusOK
	for _, c := range checks {
		if !c.OK && !c.Spare {
			answer.Status, status = "failing", http.StatusServiceUnavailable
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// fewConns is a listener with room for maxAdminConns connections. Others are
// closed at once.
type fewConns struct {
	net.Listener
	room chan struct{}
}

func (l *fewConns) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.room <- struct{}{}:
			return &fewConn{conn, sync.OnceFunc(func() { <-l.room })}, nil
		default:
			conn.Close()
		}
	}
}

type fewConn struct {
	net.Conn
	leave func()
}

// Close closes the connection and makes room for another.
func (c *fewConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
