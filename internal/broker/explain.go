package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// clockTolerance is by how much clocks may differ before it is worth a word.
const clockTolerance = 2 * time.Minute

// A denial is an STS that said no, with all that may explain it.
type denial struct {
	target
	who     *identity
	role    string
	code    string // without "Exception"
	said    string // as the STS wrote it
	message string
	now     time.Time
	theirs  time.Time // the clock of the STS; zero: not known
}

// answeredAt is the clock of who answered, or zero.
func answeredAt(err error) time.Time {
	e, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || e.Response == nil {
		return time.Time{}
	}
	at, err := http.ParseTime(e.Response.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// explain says why there are no credentials: what the STS answered, what the ID
// token says, and what would have admitted it. Of the token it shows only what
// trust policies name.
func explain(d denial) *Error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s gives %s no credentials for %s: %s: %s", d.stsName(), cmp.Or(d.who.person(), "the workload"), d.role, d.said, cmp.Or(d.message, "no reason given"))
	token, err := idtoken.Peek(d.who.token.Reveal())
	if err != nil {
		fmt.Fprintf(&b, "\nWhat stands in for the ID token cannot be read: %v", err)
		return &Error{Err: errors.New(b.String()), Hint: d.remedy(&idtoken.Peeked{})}
	}
	describe(&b, token, d.now)
	if clock := d.clock(token); clock != "" {
		b.WriteString("\n" + clock)
		return &Error{Err: errors.New(b.String()), Hint: "set the clock of this machine, then run it again"}
	}
	if token.Overage {
		b.WriteString("\nThe provider left the groups out of the token because there are too many (group overage of Entra ID), so that none of them admits anybody.")
	}
	b.WriteString(d.admission(token))
	return &Error{Err: errors.New(b.String()), Hint: d.remedy(token)}
}

func describe(b *strings.Builder, t *idtoken.Peeked, now time.Time) {
	fmt.Fprintf(b, "\nThe ID token says:\n  issuer    %s\n  audience  %s\n  subject   %s", t.Issuer, strings.Join(t.Audience, ", "), t.Subject)
	if t.Expires.IsZero() {
		return
	}
	when := "in " + t.Expires.Sub(now).Round(time.Second).String()
	if !t.Expires.After(now) {
		when = now.Sub(t.Expires).Round(time.Second).String() + " ago"
	}
	fmt.Fprintf(b, "\n  expires   %s, %s", t.Expires.UTC().Format(time.RFC3339), when)
}

// clock says whether the clock of this machine is to blame.
func (d denial) clock(t *idtoken.Peeked) string {
	ours := func(by time.Duration, than string) string {
		word := "behind"
		if by > 0 {
			word = "ahead of"
		}
		return fmt.Sprintf("Clock skew: the clock of this machine is %s %s %s.", by.Abs().Round(time.Second), word, than)
	}
	if !d.theirs.IsZero() {
		if by := d.now.Sub(d.theirs); by.Abs() > clockTolerance {
			return ours(by, "that of "+d.stsName())
		}
	}
	if by := d.now.Sub(t.IssuedAt); !t.IssuedAt.IsZero() && by < -clockTolerance {
		return ours(by, "the provider's, which issued the ID token just now")
	}
	return ""
}

// admission is what would admit the token, where that is the question.
func (d denial) admission(t *idtoken.Peeked) string {
	switch {
	case d.code != "AccessDenied" && d.code != "InvalidIdentityToken" || t.Issuer == "" || len(t.Audience) == 0:
		return ""
	case d.Address != "" && d.code == "AccessDenied":
		return fmt.Sprintf("\nThe sidecar admits it if its configuration has the role %s with everyone: true, or with one of this person's groups.", d.role)
	case d.Address != "":
		return fmt.Sprintf("\nThe sidecar admits it if one of the issuers in its configuration is\n  - issuer: %s\n    client_id: %s", t.Issuer, t.Audience[0])
	}
	return "\n" + trust(d.role, t)
}

// trust is the statement of a role's trust policy that would match.
func trust(role string, t *idtoken.Peeked) string {
	name := strings.TrimPrefix(strings.TrimPrefix(t.Issuer, "https://"), "http://")
	account := ""
	if parts := strings.SplitN(role, ":", 6); len(parts) == 6 {
		account = parts[4]
	}
	federated := "arn:aws:iam::" + account + ":oidc-provider/" + name
	conditions := [][2]string{{name + ":aud", t.Audience[0]}, {name + ":sub", t.Subject}}
	if name == "accounts.google.com" { // built into AWS, which calls azp "aud" and aud "oaud"
		federated = name
		conditions = [][2]string{{name + ":aud", cmp.Or(t.AuthorizedParty, t.Audience[0])}, {name + ":oaud", t.Audience[0]}, {name + ":sub", t.Subject}}
	}
	lines := make([]string, len(conditions))
	for i, c := range conditions {
		lines[i] = "      " + quoted(c[0]) + ": " + quoted(c[1])
	}
	return "A statement of the role's trust policy that admits it:\n" +
		"  {\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRoleWithWebIdentity\",\n" +
		"    \"Principal\": {\"Federated\": " + quoted(federated) + "},\n" +
		"    \"Condition\": {\"StringEquals\": {\n" + strings.Join(lines, ",\n") + "\n    }}}"
}

func quoted(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(data)
}

// remedy is one line about what to do.
func (d denial) remedy(t *idtoken.Peeked) string {
	switch d.code {
	case "AccessDenied", "InvalidIdentityToken":
		return d.admissionRemedy(t)
	case "ExpiredToken":
		return "run it again; if it stays, is the clock of this machine right?"
	case "IDPCommunicationError":
		return "the STS could not read the keys of " + cmp.Or(t.Issuer, "the issuer") + ", which must be public on the internet for AWS; try again"
	case "IDPRejectedClaim":
		if d.Address != "" || t.Overage {
			return d.admissionRemedy(t)
		}
		return "the provider does not stand by this token any more: log in anew with gimme login --force"
	case "PackedPolicyTooLarge":
		return "the token carries more session tags than STS takes: the provider's administrator can send fewer in the claim https://aws.amazon.com/tags"
	case "RegionDisabled":
		return "choose another region with --region, or have STS activated in " + d.Region
	case "MalformedPolicyDocument":
		return "tell who runs the STS; gimme sends no policy of its own"
	case "ValidationError":
		if d.Duration > 0 && (strings.Contains(d.message, "DurationSeconds") || strings.Contains(d.message, "MaxSessionDuration")) {
			return fmt.Sprintf("the role permits less than %s: ask for less with --duration, or have its maximum session duration raised", d.Duration)
		}
	}
	if d.Address != "" {
		return "tell who runs the sidecar"
	}
	return ""
}

func (d denial) admissionRemedy(t *idtoken.Peeked) string {
	switch {
	case t.Overage:
		return "the provider's administrator can send only the groups that are assigned to this application, or application roles"
	case d.Address != "" && d.code == "AccessDenied":
		return "ask who runs the sidecar for the role, or choose another with --role"
	case d.Address != "":
		return "tell who runs the sidecar"
	case d.code == "InvalidIdentityToken":
		return "the account needs an IAM OpenID Connect provider for exactly this issuer and audience, and the issuer's keys must be public"
	}
	return "compare it with the role's trust policy, character by character"
}
