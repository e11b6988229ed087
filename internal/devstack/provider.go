package devstack

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ClientID is the one client that the Provider knows: public, native, with
// PKCE, and http://127.0.0.1 on any port with the path /callback to return to.
const ClientID = "gimme"

const callbackPath = "/callback"

// A Provider is an OpenID provider on loopback with a login page. It knows the
// code flow with PKCE S256 for one client, and signs ID tokens with an RSA key
// of its own making.
type Provider struct {
	issuer string
	people []Person
	server *http.Server
	served chan error
}

// StartProvider starts a provider on a free port of 127.0.0.1 at which people
// can log in.
func StartProvider(people ...Person) (*Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the provider's key: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the identity provider: %w", err)
	}
	p := &Provider{
		issuer: "http://" + listener.Addr().String(),
		people: slices.Clone(people),
		served: make(chan error, 1),
	}
	handler, err := p.handler(key)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.server = newServer(handler)
	go func() { p.served <- p.server.Serve(listener) }()
	return p, nil
}

// Issuer is the provider's identifier and URL.
func (p *Provider) Issuer() string { return p.issuer }

// People are those who can log in.
func (p *Provider) People() []Person { return slices.Clone(p.people) }

// Close stops the provider and waits until it has stopped.
func (p *Provider) Close() error {
	err := p.server.Close()
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// handler joins the OpenID endpoints and the login page.
func (p *Provider) handler(key *rsa.PrivateKey) (http.Handler, error) {
	begun := newLogins(time.Now)
	openID, err := newOpenID(p.issuer, key, begun, p.people)
	if err != nil {
		return nil, err
	}
	page, err := newLoginPage(p.issuer, begun, p.people)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", openID)
	page.routes(mux)
	return p.onlyHere(mux), nil
}

// onlyHere refuses requests for another host, so that a web page elsewhere
// cannot reach the provider through a name of its own that resolves to
// loopback.
func (p *Provider) onlyHere(next http.Handler) http.Handler {
	host := strings.TrimPrefix(p.issuer, "http://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host {
			http.Error(w, "this server answers as "+host+" only", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}
