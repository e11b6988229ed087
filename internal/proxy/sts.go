package proxy

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// STS's own bounds on DurationSeconds.
const (
	shortestSession = 900 * time.Second
	longestSession  = MaxLifetime
)

// sessionName is compiled at the first call, not at the start of every client.
var sessionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\w+=,.@-]{2,64}$`) })

// serveSTS speaks the two calls of STS that people need: to get a session, and
// to ask whose it is. The cheap checks come first.
func (s *Server) serveSTS(x *exchange) error {
	if err := s.logins.limit(x); err != nil {
		return err
	}
	body, err := io.ReadAll(x.patient(http.MaxBytesReader(x.w, x.r.Body, maxForm)))
	if err != nil {
		return &refusal{Code: "ValidationError", Message: fmt.Sprintf("The form could not be read, or is larger than %d bytes.", maxForm)}
	}
	form, err := readForm(x.r, body)
	if err != nil {
		return err
	}
	x.event.Request.Operation = form.Get("Action")
	if form.Get("Action") == getCallerIdentity {
		return s.callerIdentity(x, body)
	}
	return s.assumeRole(x, form)
}

// assumeRole issues a session to who shows an ID token, for a role that the
// person's groups may take.
func (s *Server) assumeRole(x *exchange, form url.Values) error {
	x.event.Kind = audit.KindSession
	arn, name := form.Get("RoleArn"), form.Get("RoleSessionName")
	if !sessionName().MatchString(name) {
		return &refusal{Code: "ValidationError", Message: "RoleSessionName: 2 to 64 letters, digits or any of +=,.@_- are wanted."}
	}
	asked, err := duration(form.Get("DurationSeconds"))
	if err != nil {
		return err
	}
	raw := secret.New(form.Get("WebIdentityToken"))
	from, token, err := s.verify(x.ctx, raw.Reveal())
	if err != nil {
		return tokenFault(err)
	}
	groups := from.groups(token)
	x.event.Principal = &audit.Principal{Issuer: token.Issuer, Subject: token.Subject, Email: token.Email, Name: token.Name, Groups: groups}
	if roleARN().MatchString(arn) {
		x.event.Role = arn
	}
	role := s.role(arn)
	if role == nil || !role.admits(groups) {
		return &refusal{Code: "AccessDenied", Message: fmt.Sprintf("%s may not take role %s: %s.", person(token), roleName(arn), roleAdvice(role))}
	}
	kept := session.FitGroups(groups, s.namedGroups())
	if len(kept) < len(groups) {
		x.event.Principal.Groups = kept
		x.event.Reasons = []audit.Reason{{Text: fmt.Sprintf("%d groups are more than a session carries; it has the %d that roles and policies name", len(groups), len(kept))}}
	}
	now, err := s.issueTime(x, token, arn)
	if err != nil {
		return err
	}
	if err := s.logins.spend(from, token, raw, now); err != nil {
		return err
	}
	claims := session.Claims{
		Principal: session.Principal{Issuer: token.Issuer, Subject: token.Subject, Email: token.Email, Name: token.Name, EmailDecides: from.emailDecides(token)},
		Groups:    kept,
		Role:      arn,
		Issued:    now,
		Expires:   now.Add(min(asked, s.config.Sessions.Lifetime.Or(time.Hour), role.MaxSession.Or(MaxLifetime))),
		AuthTime:  token.AuthTime, AMR: token.AMR, ACR: token.ACR, Method: from.config.method(token.ClientID), IdPSession: token.SessionID, Name: name,
	}
	if err := s.logins.exchange(x, &claims, raw); err != nil {
		return err
	}
	return s.grant(x, claims, token)
}

// grant issues the session that claims speak of, once that is on record.
func (s *Server) grant(x *exchange, claims session.Claims, token *idtoken.Token) error {
	credentials, err := s.keys.Issue(claims)
	if err != nil {
		return &refusal{Code: "PackedPolicyTooLarge", Message: "The session does not fit into a token: " + err.Error() + ".", cause: err}
	}
	x.event.Session = &audit.Session{ID: credentials.ID, Issued: claims.Issued.UTC(), Expires: credentials.Expires.UTC()}
	if err := x.issue(); err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-store")
	x.sendXML(http.StatusOK, webIdentityXML(claims, token, credentials, x.event.ID))
	return nil
}

// issue writes the session event. Credentials leave only once it is written.
func (x *exchange) issue() error {
	e := x.event
	e.Time, e.Decision = time.Now(), audit.Allowed
	if err := x.events.Write(e); err != nil {
		return &refusal{Code: "ServiceUnavailable", Message: "The session cannot be recorded, and what is not recorded is not issued. Tell whoever runs this sidecar.", cause: err}
	}
	return nil
}

// duration reads DurationSeconds. Longer than the sidecar's limit is not a
// fault: the session is then as long as the limit.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return longestSession, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 16)
	d := time.Duration(seconds) * time.Second
	if err != nil || d < shortestSession || d > longestSession {
		return 0, &refusal{Code: "ValidationError", Message: fmt.Sprintf("DurationSeconds %.16q: a whole number from 900 to 43200 is wanted.", text)}
	}
	return d, nil
}

func person(t *idtoken.Token) string { return cmp.Or(t.Email, t.Subject) }

// roleName is what was asked for, unless it is something else altogether, which
// might be a secret in the wrong place.
func roleName(arn string) string {
	if !strings.HasPrefix(arn, "arn:") {
		return "that RoleArn names"
	}
	return fmt.Sprintf("%.200q", arn)
}

func roleAdvice(r *Role) string {
	if r == nil {
		return "this sidecar has no such role"
	}
	names := make([]string, len(r.Groups))
	for i, g := range r.Groups {
		names[i] = g.V
	}
	return "it is for members of " + strings.Join(names, ", ")
}

// tokenFault puts what is wrong with an ID token into STS's words.
func tokenFault(err error) error {
	e, ok := errors.AsType[*idtoken.Error](err)
	if !ok || e.Code == idtoken.Communication {
		return &refusal{Code: "IDPCommunicationError", Message: "The identity provider could not be asked for its keys. Try again; if it stays, tell whoever runs this sidecar.", cause: err}
	}
	switch e.Code {
	case idtoken.Expired:
		return &refusal{Code: "ExpiredTokenException", Message: "The ID token is too old: " + e.Detail + ". Log in again: gimme s3 --profile NAME."}
	case idtoken.Requirement, idtoken.Overage: // the token is good, and what it says is not
		return &refusal{Code: "IDPRejectedClaim", Status: http.StatusForbidden, Message: "The ID token is not accepted: " + e.Detail + "."}
	}
	return &refusal{Code: "InvalidIdentityToken", Message: "The ID token is not accepted: " + e.Detail + "."}
}

// callerIdentity tells whose session a request is signed with.
func (s *Server) callerIdentity(x *exchange, body []byte) error {
	now := time.Now()
	signature, err := sigv4.Parse(x.r)
	if err != nil {
		return err
	}
	held, err := s.open(signature)
	if err != nil {
		return err
	}
	if _, err := signature.VerifyBody(held.SecretAccessKey.Reveal(), body, now); err != nil {
		return err
	}
	x.know(held)
	if _, err := s.admit(x, held, signature, "sts", now); err != nil {
		return err
	}
	if err := x.allow(grounds{}); err != nil {
		return err
	}
	name := cmp.Or(held.Name, held.who())
	x.sendXML(http.StatusOK, stsXML(callerIdentityResponse{
		Xmlns: stsNamespace, Arn: assumedRole(held.Role, name), UserID: held.id() + ":" + name,
		Account: accountOf(held.Role), RequestID: x.event.ID,
	}))
	return nil
}

func who(c session.Claims) string { return cmp.Or(c.Principal.Email, c.Principal.Subject) }

func sessionID(c session.Claims) string { return base64.RawURLEncoding.EncodeToString(c.ID[:]) }

func accountOf(role string) string { return strings.Split(role+":::::", ":")[4] }

// assumedRole is the ARN of a session of role, in STS's form.
func assumedRole(role, name string) string {
	parts := strings.SplitN(role, ":", 6)
	if len(parts) != 6 {
		return role
	}
	resource := parts[5][strings.LastIndex(parts[5], "/")+1:]
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", parts[1], parts[4], resource, name)
}
