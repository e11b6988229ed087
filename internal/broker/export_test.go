package broker

import "github.com/gimme-broker/gimme/internal/idtoken"

// SessionName is tested alone: its grammar is STS's.
var SessionName = sessionName

// Trust is tested alone: no issuer of a test can be Google.
func Trust(role, issuer, audience, azp, subject string) string {
	return trust(role, &idtoken.Peeked{Issuer: issuer, Audience: []string{audience}, AuthorizedParty: azp, Subject: subject})
}

// Applied is the client secret that goes to the provider for a request.
func Applied(r Request) (string, error) {
	t := target{Request: r}
	err := t.apply()
	return t.ClientSecret.Reveal(), err
}
