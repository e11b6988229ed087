package login

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// guarded are the parameters on which the safety of a login rests, and those by
// which a request could be replaced as a whole (RFC 9101).
var guarded = [...]string{
	"response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "scope", "state", "nonce",
	"request", "request_uri", "grant_type", "code", "device_code",
}

// checkParameters refuses parameters that would replace our own. Some providers
// do not tell upper case from lower case.
func (o Options) checkParameters() error {
	for name := range o.Parameters {
		lower := strings.ToLower(strings.TrimSpace(name))
		if lower == "" || slices.Contains(guarded[:], lower) || strings.HasPrefix(lower, "code_") {
			return fmt.Errorf("parameter %q of the login is not to be set: it is gimme's own", clean(name))
		}
	}
	if o.Fresh && slices.Contains(strings.Fields(o.Parameters["prompt"]), "none") {
		return fmt.Errorf("parameter prompt is %q, which contradicts a new login", "none")
	}
	return nil
}

// addParameters adds what is wished for to a request.
func (o Options) addParameters(q url.Values) {
	for name, value := range o.Parameters {
		q.Set(name, value)
	}
	if !o.Fresh {
		return
	}
	q.Set("max_age", "0")
	if prompts := strings.Fields(o.Parameters["prompt"]); !slices.Contains(prompts, "login") {
		q.Set("prompt", strings.Join(append([]string{"login"}, prompts...), " "))
	}
}

func (o Options) scope() string {
	scopes := o.Scopes
	if !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	return strings.Join(scopes, " ")
}
