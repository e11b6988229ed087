// Package proxy is the sidecar. It issues sessions to people who show an ID
// token, and stands between them and the real S3: every request is verified,
// decided on, recorded, signed anew and streamed.
//
// It builds upstream requests from what it has parsed and forwards nothing
// unread, which is why neither http.ServeMux nor httputil.ReverseProxy stands
// in the data path: both rewrite S3 requests silently.
package proxy

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gimme-broker/gimme/internal/budget"
	"github.com/gimme-broker/gimme/internal/delivery"
	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/internal/transport"
	"github.com/gimme-broker/gimme/internal/upstream"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// Options are what New needs beside the configuration.
type Options struct {
	Log    *slog.Logger // for operators; nil discards
	Stdout io.Writer    // where events go when audit.file is "-"; nil is os.Stdout

	Version string // of the program, for metrics and traces
}

// A Server is the sidecar. Make one with New.
type Server struct {
	config   *Config
	log      *slog.Logger
	listener net.Listener
	address  string   // under which people reach it
	domains  []string // under which buckets are hosts
	eyes
	upstream    *url.URL // of the real S3
	keys        *session.Keyring
	issuers     []*issuer
	events      *recorder
	unlock      func() // lets others write to the file of events
	delivery    *delivery.Delivery
	source      upstream.Source // nil: each session has its own credentials
	logins      *logins
	transport   *transport.Transport
	trusted     []netip.Prefix // proxies in front
	certificate *certificate   // nil: plain HTTP
	times       times
	regions     regions
	revoked     *revocation.List
	holders     holders
	ownKeys     sigv4.Keys // of the one secret that goes upstream for everyone, where there is one
	running     *running   // exchanges, for orders to cut
	logoutCalls perMinute
	logouts     sync.Mutex // held from when a logout token is looked up until its order is given
	rules       atomic.Pointer[rules]
	budgets     *budget.Counts
	// reloads of the rules, and failedReloads that have left the old ones in force.
	reloads, failedReloads atomic.Int64
	serving                sync.WaitGroup // connections
	reloading              sync.Mutex     // held while the files of the rules are read; guards looked
	looked                 string         // how those files were when they were last read
}

// New opens everything that the sidecar needs: the listener first, because a
// port that is taken is no reason to make files. It fails early or not at all.
// The caller runs the server with Run, which closes it.
func New(c *Config, o Options) (_ *Server, err error) {
	s := &Server{config: c, log: o.Log, issuers: newIssuers(c), times: standardTimes(), certificate: newCertificate(c)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.transport = newTransport(c.loaded.upstreamRoot, s.times)
	for _, v := range c.TrustedProxies {
		network, err := parseNetwork(v.V)
		if err != nil {
			return nil, err
		}
		s.trusted = append(s.trusted, network)
	}
	s.running, s.budgets = newRunning(), budget.New(budget.Most)
	s.rules.Store(c.loaded.rules)
	s.looked = c.loaded.looked
	if s.upstream, err = url.Parse(c.Upstream.Endpoint.V); err != nil {
		return nil, err
	}
	if s.source, err = newSource(c); err != nil {
		return nil, err
	}
	if s.logins, err = newLogins(c); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", c.Listen.V); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", c.Listen.V, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.listener.Close(), s.abandonEyes())
		}
	}()
	if s.eyes, err = s.openEyes(o.Version); err != nil {
		return nil, err
	}
	if s.keys, err = session.OpenKeyring(c.path(c.Sessions.KeyFile.V), c.Sessions.Deployment.V); err != nil {
		return nil, err
	}
	if s.revoked, err = revocation.Open(c.path(c.Sessions.Revocations.V)); err != nil {
		return nil, err
	}
	var events *audit.Log
	if events, s.unlock, err = s.openEvents(o.Stdout); err != nil {
		return nil, err
	}
	s.events = &recorder{Log: events, metrics: s.metrics}
	if s.delivery, err = s.openDelivery(o.Stdout); err != nil {
		return nil, errors.Join(err, s.closeEvents())
	}
	s.address = cmp.Or(c.Address.V, s.URL())
	for _, d := range c.Domains {
		s.domains = append(s.domains, d.V)
	}
	if s.events.responses, err = s.newResponses(); err != nil {
		return nil, errors.Join(err, s.delivery.Close(), s.closeEvents())
	}
	return s, nil
}

// URL is where the server listens, such as http://127.0.0.1:8700.
func (s *Server) URL() string {
	scheme := "http"
	if s.certificate != nil {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

// Run serves until ctx ends, then finishes what is under way and closes
// everything. It returns nil after such an end. SIGHUP, or a change of their
// files, reloads the data map and the policies meanwhile.
func (s *Server) Run(ctx context.Context) error {
	base, cutAll := context.WithCancelCause(context.Background())
	defer cutAll(nil)
	door := s.newDoor()
	server := s.newHTTP(base, door)
	if err := s.events.Write(s.lifeEvent("started")); err != nil {
		return errors.Join(err, s.listener.Close(), s.abandonEyes(), s.delivery.Close(), s.closeEvents())
	}
	stopDelivery := s.deliver()
	s.log.Info("serving", "url", s.URL(), "address", s.address, "upstream", s.config.Upstream.Endpoint.V, "policy", s.rules.Load().set.Digest(), "admin", s.AdminURL())

	s.warn(s.rules.Load())
	background, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(background) })
	wg.Go(func() { s.watchRevocations(background) })
	wg.Go(func() { s.events.responses.run(background) })
	if t := s.certificate; t != nil {
		wg.Go(func() { watchFiles(background, t.fingerprint, t.lastLooked, s.reloadCertificate) })
	}
	wg.Go(func() { s.reloadOnHangup(background) })
	s.admin.start()
	served := make(chan error, 1)
	go func() { served <- server.Serve(door) }()

	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		s.draining.Store(true)
		s.log.Info("stopping; requests under way are finished", "limit", s.times.drain.String())
		err = s.shutdown(server, cutAll)
		<-served
	}
	s.serving.Wait() // the outcomes of their requests come before the log is closed
	stop()
	wg.Wait()
	s.transport.CloseIdleConnections()
	return errors.Join(err, s.closeEyes(), s.events.Write(s.lifeEvent("stopped")), stopDelivery(), s.closeEvents())
}

// newHTTP is the HTTP server behind the door. Requests end with base.
func (s *Server) newHTTP(base context.Context, d *door) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         d.state,
		ConnContext:       withConn,
		Protocols:         protocols,
		ReadHeaderTimeout: s.times.header,
		IdleTimeout:       s.times.idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),

		// OPTIONS * would otherwise be answered without us.
		DisableGeneralOptionsHandler: true,
	}
}

var errStopped = errors.New("the sidecar was stopped")

// shutdown lets requests finish, and cuts those that do not.
func (s *Server) shutdown(server *http.Server, cutAll context.CancelCauseFunc) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.times.drain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		cutAll(errStopped)
		return errors.Join(fmt.Errorf("requests cut after %v: %w", s.times.drain, err), server.Close())
	}
	return nil
}

func (s *Server) reloadOnHangup(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_ = s.Reload() // they have said what went wrong
			_ = s.reloadCertificate()
		}
	}
}

func (s *Server) lifeEvent(what string) audit.Event {
	return audit.Event{
		ID: newID(), Time: time.Now(), Kind: audit.KindAdmin,
		PolicyDigest: s.rules.Load().set.Digest(),
		Request:      &audit.Request{Operation: what},
	}
}

func newID() string { return rand.Text() }
