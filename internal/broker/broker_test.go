package broker_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
)

func TestSessionName(t *testing.T) {
	grammar := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	for _, test := range []struct {
		token idtoken.Token
		want  string
	}{
		{idtoken.Token{Email: "alice@example.com", Subject: "1"}, "alice@example.com"},
		{idtoken.Token{Subject: "auth0|5f7c8ec7"}, "auth0-5f7c8ec7"},
		{idtoken.Token{Subject: "1"}, "gimme-1"},
		{idtoken.Token{Subject: "ä"}, "gimme--"},
		{idtoken.Token{Subject: "ä ö\nb"}, "-b"},
		{idtoken.Token{Email: strings.Repeat("x", 100)}, strings.Repeat("x", 64)},
	} {
		if got := broker.SessionName(&test.token); got != test.want || !grammar.MatchString(got) {
			t.Errorf("%+v: %q, want %q", test.token, got, test.want)
		}
	}
}

func TestIncompleteRequests(t *testing.T) {
	b := broker.Broker{HTTP: idtoken.NewClient(nil)}
	for _, r := range []broker.Request{{}, {Issuer: "https://i.example", ClientID: "c"}, {Role: "arn:aws:iam::1:role/a"}} {
		_, err := b.Credentials(t.Context(), r)
		if e, ok := errors.AsType[*broker.Error](err); !ok || e.Kind != broker.Wrong {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// Who stops it gets the context's own error, at every stage.
func TestInterrupted(t *testing.T) {
	i := logintest.NewIssuer(t)
	r := broker.Request{Issuer: i.URL, ClientID: logintest.ClientID, Role: "arn:aws:iam::1:role/a", STSEndpoint: i.URL}
	early, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&broker.Broker{HTTP: idtoken.NewClient(nil)}).Credentials(early, r); !errors.Is(err, context.Canceled) {
		t.Errorf("before the login: %v", err)
	}
	late, cancel := context.WithCancel(t.Context())
	b := &broker.Broker{HTTP: idtoken.NewClient(nil), OpenBrowser: new(logintest.Browser).Open, Notify: func(n login.Notice) {
		if n.Step == login.Answered {
			cancel()
		}
	}}
	if _, err := b.Credentials(late, r); !errors.Is(err, context.Canceled) {
		t.Errorf("after the browser: %v", err)
	}
}
