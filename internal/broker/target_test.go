package broker_test

import (
	"testing"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/secret"
)

// A provider that refuses clients with a secret gets none.
func TestSecretsGoWhereTheyAreWanted(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0": "",
		"https://accounts.google.com": "public",
		"https://idp.example":         "public",
	} {
		got, err := broker.Applied(broker.Request{Issuer: issuer, ClientSecret: secret.New("public")})
		if got != want || err != nil {
			t.Errorf("%s: %q, %v", issuer, got, err)
		}
	}
}
