package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/gimme-broker/gimme/internal/idp"
	"github.com/gimme-broker/gimme/internal/idtoken"
)

// A provider is what was learnt of the identity provider; nil Provider: nothing.
type provider struct{ *idtoken.Provider }

// identityProvider examines the provider's metadata and keys.
func (x *examination) identityProvider(ctx context.Context) {
	if x.Issuer == "" {
		x.find("issuer", Skipped, "it is not known where to log in", "")
		return
	}
	if !x.reach(ctx, "issuer", strings.TrimSuffix(x.Issuer, "/")+"/.well-known/openid-configuration") {
		return
	}
	x.preset = idp.Guess(x.Issuer)
	if p, ok := idp.Find(x.IDP); ok {
		x.preset = p
	}
	p, err := idtoken.Discover(ctx, x.HTTP, x.Issuer)
	if err != nil {
		x.find("issuer", Fault, err.Error(), "the issuer must be written exactly as the provider writes it, to the last slash")
		return
	}
	x.provider = provider{p}
	meta := p.Metadata()
	if meta.AuthorizationEndpoint == "" || meta.TokenEndpoint == "" {
		x.find("issuer", Fault, "its metadata names no authorization endpoint or no token endpoint, so that people cannot log in there", "an issuer of tokens for programs is named in the sidecar's configuration, and not as the first one")
		return
	}
	x.find("issuer", OK, fmt.Sprintf("%s is %s", x.Issuer, x.preset.Title), "")
	if n, err := p.CountKeys(ctx); err != nil {
		x.find("keys", Fault, err.Error(), "tell whoever runs the identity provider")
	} else {
		x.find("keys", OK, fmt.Sprintf("%d keys to verify ID tokens with", n), "")
	}
}

// redirect examines whether the provider sends the browser back to gimme.
func (x *examination) redirect(ctx context.Context) {
	if x.provider.Provider == nil || x.provider.Metadata().AuthorizationEndpoint == "" {
		return
	}
	ports := x.Ports
	if ports == nil && !x.preset.AnyPort {
		ports = x.preset.Ports
	}
	port, err := freePort(ctx, ports)
	if err != nil {
		x.find("port", Fault, err.Error(), "end the program that uses them, or register further ports at the provider and name them with --ports")
		return
	}
	host := x.RedirectHost
	if host == "" {
		host = x.preset.RedirectHost
	}
	uri := "http://" + net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)) + "/callback"
	x.find("port", OK, "a login can be waited for at "+uri, "")
	x.askProvider(ctx, uri)
}

// freePort finds the port that a login would use.
func freePort(ctx context.Context, ports []int) (int, error) {
	if len(ports) == 0 {
		ports = []int{0}
	}
	for _, p := range ports {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port, nil
		}
	}
	return 0, fmt.Errorf("the ports for the login are all in use: %s", strings.Trim(fmt.Sprint(ports), "[]"))
}

// askProvider begins a login that asks for no page to be shown (prompt=none).
// Who is not logged in is then sent back with an error, if the client and the
// redirect address are registered; if they are not, a page says so, because
// nobody may be sent to an address that is not registered (RFC 6749, section
// 4.1.2.1).
func (x *examination) askProvider(ctx context.Context, uri string) {
	meta := x.provider.Metadata()
	config := oauth2.Config{ClientID: x.ClientID, RedirectURL: uri, Scopes: []string{"openid"}, Endpoint: oauth2.Endpoint{AuthURL: meta.AuthorizationEndpoint}}
	address := config.AuthCodeURL(rand.Text(), oauth2.S256ChallengeOption(oauth2.GenerateVerifier()),
		oauth2.SetAuthURLParam("nonce", rand.Text()), oauth2.SetAuthURLParam("prompt", "none"))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		x.find("registration", Fault, "the authorization endpoint is no address", "tell whoever runs the identity provider")
		return
	}
	answer, err := x.HTTP.Do(r)
	if err != nil {
		x.find("registration", Fault, fmt.Sprintf("the authorization endpoint does not answer: %v", reason(err)), "check the network")
		return
	}
	answer.Body.Close()
	back, err := url.Parse(answer.Header.Get("Location"))
	register := "gimme doctor --idp prints what has to be registered there"
	switch {
	case err == nil && strings.HasPrefix(back.String(), uri):
		x.sentBack(back, uri, register)
	case answer.StatusCode >= 400:
		x.find("registration", Fault, fmt.Sprintf("the provider does not know client %s with the redirect address %s: it answers with status %d", x.ClientID, uri, answer.StatusCode), register)
	default:
		x.find("registration", Skipped, fmt.Sprintf("the provider does not say whether client %s and %s are registered", x.ClientID, uri), "")
	}
}

// sentBack judges the error with which the provider sent us back.
func (x *examination) sentBack(back *url.URL, uri, register string) {
	switch code := back.Query().Get("error"); code {
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		x.find("registration", OK, fmt.Sprintf("the provider knows client %s and sends the browser back to %s", x.ClientID, uri), "")
	default:
		x.find("registration", Fault, fmt.Sprintf("the provider refuses client %s: %s %s", x.ClientID, trim(code), trim(back.Query().Get("error_description"))), register)
	}
}
