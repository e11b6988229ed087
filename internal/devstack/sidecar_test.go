package devstack

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// exchange is what gimme does at the real sidecar, in short.
func exchange(ctx context.Context, g Invocation) int {
	if err := exchangeIDToken(ctx, g); err != nil {
		fmt.Fprintf(g.Stderr, "gimme: error: %v\n", err)
		return 1
	}
	return 0
}

func exchangeIDToken(ctx context.Context, g Invocation) error {
	address := g.Args[2]
	page, err := visit(ctx, http.DefaultClient, http.MethodGet, address+"/.well-known/gimme", nil)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(page.body, `"issuer":`)
	raw, _, err := identify(ctx, g, strings.Split(rest, `"`)[1])
	if err != nil {
		return err
	}
	page, err = visit(ctx, http.DefaultClient, http.MethodPost, address+"/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleARN}, "RoleSessionName": {"test"}, "WebIdentityToken": {raw},
	})
	if err != nil {
		return err
	}
	var answer struct {
		Keys struct{ AccessKeyId, SecretAccessKey, SessionToken string } `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal([]byte(page.body), &answer); err != nil {
		return err
	}
	return writeProfile(g, address, "services", answer.Keys.AccessKeyId, answer.Keys.SecretAccessKey, answer.Keys.SessionToken)
}

func TestDemoWithTheSidecar(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	if err := Demo(t.Context(), Options{Gimme: exchange, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"alice@example.com may not DeleteObject s3://acme-lake/customers/customers.csv (label SENSITIVE): policy customer-data has no rule",
		"bob@example.com may not GetObject s3://acme-lake/customers/customers.csv (label SENSITIVE): policy customer-data has no rule",
		"Every step came out as it should.",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story does not say %q:\n%s", want, out.String())
		}
	}
}

func TestDemoFailsWhenThePolicyIsWrong(t *testing.T) {
	withDelete := strings.NewReplacer("    # deletes:", "    deletes:", "    #   - data", "      - data", "    #     severity", "        severity").Replace(customerPolicyYAML)
	forEveryone := strings.Replace(customerPolicyYAML, "  - identities:\n      groups: [data-engineering]\n    reads:", "  - reads:", 1)
	for name, c := range map[string]struct{ policy, step, why string }{
		"deletes are allowed":       {withDelete, "aws s3 rm ", "DeleteObject was allowed"},
		"everyone reads":            {forEveryone, "aws s3api get-object", "GetObject was allowed"},
		"another policy says no":    {strings.Replace(customerPolicyYAML, "name: customer-data", "name: other", 1), "aws s3 rm ", `does not name "policy customer-data"`},
		"data engineers are others": {strings.Replace(customerPolicyYAML, "[data-engineering]", "[finance]", 1), "aws s3 cp customers.csv", "AccessDenied"},
		"the policy cannot be read": {"name: [", "start the sidecar", "customer-data.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.policy == customerPolicyYAML {
				t.Fatal("the policy is not wrong")
			}
			t.Setenv("TMPDIR", t.TempDir())
			r := standard()
			r.customerPolicy, r.history = c.policy, 1000
			var out bytes.Buffer
			err := demo(t.Context(), Options{Gimme: exchange, Out: &out}, r)
			if err == nil || !strings.Contains(err.Error(), c.step) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, want %q in %q\n%s", err, c.why, c.step, out.String())
			}
		})
	}
}

// TestIDTokenIsAccepted holds the provider against the sidecar's own verifier.
func TestIDTokenIsAccepted(t *testing.T) {
	alice, bob := people()
	p, err := StartProvider(alice, bob)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, who := range []Person{alice, bob} {
		raw, _, err := identify(t.Context(), Invocation{OpenBrowser: func(_ context.Context, address string) error {
			go logIn(t.Context(), who, address)
			return nil
		}}, p.Issuer())
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := idtoken.Discover(t.Context(), idtoken.NewClient(nil), p.Issuer())
		if err != nil {
			t.Fatal(err)
		}
		got, err := verifier.Verify(t.Context(), raw, idtoken.Expect{ClientIDs: []string{ClientID}, GroupsClaim: "groups"})
		if err != nil {
			t.Fatal(err)
		}
		if got.Subject != who.Subject || got.Email != who.Email || !got.EmailVerified || got.Name != who.Name || strings.Join(got.Groups, " ") != strings.Join(who.Groups, " ") {
			t.Errorf("got %+v, want %+v", got, who)
		}
	}
}
