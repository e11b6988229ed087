package discovery

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	maxPorts      = 16
	maxParameters = 16
)

// checkLogin judges what is said about the login. A sidecar is not trusted to
// send people elsewhere than to their own machine, or to take protection away.
func (d Document) checkLogin() error {
	if d.IDP != "" && (len(d.IDP) > 32 || !only(d.IDP, "-")) { // one that a client does not know, it guesses
		return fmt.Errorf("idp %.64q is not the name of a kind of provider", d.IDP)
	}
	if d.ClientSecret != "" && !word(d.ClientSecret, 256) {
		return errors.New("client_secret is not 1 to 256 visible characters of ASCII")
	}
	if d.RedirectHost != "" {
		if err := CheckRedirectHost(d.RedirectHost); err != nil {
			return fmt.Errorf("redirect_host: %w", err)
		}
	}
	if err := CheckPorts(d.Ports); err != nil {
		return fmt.Errorf("ports: %w", err)
	}
	if err := CheckParameters(d.Parameters); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	return nil
}

// CheckRedirectHost says what is wrong with the host of a redirect address, or
// nil: it is 127.0.0.1, localhost or [::1].
func CheckRedirectHost(host string) error {
	if !slices.Contains([]string{"127.0.0.1", "localhost", "[::1]"}, host) {
		return fmt.Errorf("%.64q is not one of 127.0.0.1, localhost and [::1]: the browser comes back to this machine alone", host)
	}
	return nil
}

// CheckPorts says what is wrong with a list of ports to wait at, or nil.
func CheckPorts(ports []int) error {
	if len(ports) > maxPorts {
		return fmt.Errorf("%d ports; at most %d are tried", len(ports), maxPorts)
	}
	for i, p := range ports {
		if p < 1024 || p > 65535 {
			return fmt.Errorf("port %d is not one from 1024 to 65535", p)
		}
		if slices.Contains(ports[:i], p) {
			return fmt.Errorf("port %d stands twice", p)
		}
	}
	return nil
}

// CheckParameters says what is wrong with further parameters of the
// authorization request, or nil. Those that protect the login are gimme's.
func CheckParameters(parameters map[string]string) error {
	protecting := []string{
		"response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "scope", "state", "nonce", "code",
		"code_challenge", "code_challenge_method", "code_verifier", "grant_type", "request", "request_uri", "id_token_hint",
		"assertion", "client_assertion", "client_assertion_type", "device_code", "refresh_token", "registration",
	}
	if len(parameters) > maxParameters {
		return fmt.Errorf("%d parameters; at most %d are sent", len(parameters), maxParameters)
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		switch {
		case name == "" || len(name) > 64 || !only(name, "_.-") || name != strings.ToLower(name): // some providers take STATE for state
			return fmt.Errorf("%.64q is not the name of a parameter: small letters, digits and _.- are wanted", name)
		case slices.Contains(protecting, name):
			return fmt.Errorf("parameter %s is gimme's own", name)
		case !word(parameters[name], 512):
			return fmt.Errorf("the value of parameter %s is not 1 to 512 visible characters of ASCII", name)
		}
	}
	return nil
}
