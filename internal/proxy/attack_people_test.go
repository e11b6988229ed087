package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// people attacks by seeming to be somebody else, or somewhere else.
func (a *attack) people() {
	for name, lines := range map[string][]string{
		"X-Forwarded-For": {"X-Forwarded-For: 10.0.0.1"}, "a chain": {"X-Forwarded-For: 10.0.0.1, 127.0.0.1"}, "two lines": {"X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 10.0.0.2"},
		"X-Real-Ip": {"X-Real-Ip: 10.0.0.1"}, "Forwarded": {"Forwarded: for=10.0.0.1"}, "others": {"True-Client-Ip: 10.0.0.1", "CF-Connecting-IP: 10.0.0.1", "X-Client-IP: 10.0.0.1"},
	} {
		row := "T31"
		if name == "a chain" {
			row = "advisory 47"
		}
		a.run(row+"/"+name, func(t *testing.T) {
			_, events := a.wantPassed(t, a.signed(reading("/lake/customers/x", lines...), a.by("alice")), "alice", "GET /lake/customers/x")
			for _, e := range events {
				if e.Client == nil || e.Client.IP != "127.0.0.1" {
					t.Errorf("the event is from %+v", e.Client)
				}
			}
		})
	}
	a.proxies()
	a.run("advisory 32/the same subject of two issuers", a.twoIssuers)
	a.run("advisory 49/no secret is written", func(t *testing.T) {
		written := a.log.String() + a.rawEvents()
		for _, s := range append(a.secrets, "Signature=") {
			if s != "canary" && s != upstreamKey && strings.Contains(written, s) {
				t.Errorf("the secret %.10q... is written", s)
			}
		}
		if !strings.Contains(written, "customers/x") {
			t.Error("nothing is written at all")
		}
	})
}

// twoIssuers: who has alice's subject and address at another issuer is not
// alice.
func (a *attack) twoIssuers(t *testing.T) {
	guests := newProvider(t)
	c := start(t, func(config string) string {
		config = strings.Replace(config, "client_id: gimme, ", "client_id: gimme, alias: people, ", 1)
		config = strings.Replace(config, "roles:\n", fmt.Sprintf("  - {issuer: %q, client_id: gimme, alias: guests}\nroles:\n", guests.URL), 1)
		return strings.Replace(config, "groups: [data-engineering]", `groups: ["people:data-engineering"]`, 1)
	})
	c.write("policies/customers.yaml", strings.Replace(policies, "groups: [data-engineering]", `users: ["people:alice-1"]`, 1))
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.events()
	twin := &attack{sidecar: c, t: t, host: strings.TrimPrefix(c.URL(), "http://"), held: map[string]aws.Credentials{}}
	c.store.answerWith(ok)
	for who, p := range map[string]*provider{"alice": c.provider, "guest": guests} {
		keys, err := c.assume(roleEveryone, p.token(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		twin.held[who] = keys
		c.events()
	}
	twin.wantPassed(t, twin.signed(reading("/lake/customers/x"), twin.by("alice")), "alice", "GET /lake/customers/x")
	twin.wantRefused(t, twin.signed(reading("/lake/customers/x"), twin.by("guest")), want{status: 403, code: "AccessDenied", who: "alice"})
	if _, err := c.assume(roleEngineers, guests.token(t, nil)); err == nil {
		t.Error("a guest got the role")
	}
	c.events()
}

// proxies: X-Forwarded-For is believed of those who are trusted, up to the first
// address that is not theirs.
func (a *attack) proxies() {
	c := start(a.t, func(config string) string { return config + "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\n" })
	c.store.answerWith(ok)
	b := c.attacked(a.t)
	for name, of := range map[string]struct {
		lines []string
		ip    string
	}{
		"a chain through a trusted proxy": {[]string{"X-Forwarded-For: 192.0.2.66, 10.0.0.1"}, "192.0.2.66"},
		"what the client wrote before it": {[]string{"X-Forwarded-For: 192.0.2.1, 192.0.2.66"}, "192.0.2.66"},
		"in two lines":                    {[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.66, 10.0.0.2"}, "192.0.2.66"},
		"the client seems to be a proxy":  {[]string{"X-Forwarded-For: 10.0.0.9, 192.0.2.66"}, "192.0.2.66"},
		"another header":                  {[]string{"X-Real-Ip: 192.0.2.1", "Forwarded: for=192.0.2.1"}, "127.0.0.1"},
	} {
		a.run("T31/"+name, func(t *testing.T) {
			b.sidecar.t = t
			_, events := b.wantPassed(t, b.signed(reading("/lake/customers/x", of.lines...), b.by("alice")), "alice", "GET /lake/customers/x")
			if events[0].Client.IP != of.ip {
				t.Errorf("the event is from %q, want %q", events[0].Client.IP, of.ip)
			}
		})
	}
}
