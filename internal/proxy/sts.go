package proxy

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	maxForm      = 32 << 10
)

// STS's own bounds on DurationSeconds.
const (
	shortestSession = 900 * time.Second
	longestSession  = MaxLifetime
)

// sessionName is compiled at the first call, not at the start of every client.
var sessionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\w+=,.@-]{2,64}$`) })

// serveSTS speaks the two calls of STS that people need: to get a session, and
// to ask whose it is.
func (s *Server) serveSTS(x *exchange) error {
	body, err := io.ReadAll(x.patient(http.MaxBytesReader(x.w, x.r.Body, maxForm)))
	if err != nil {
		return &refusal{Code: "ValidationError", Message: fmt.Sprintf("The form could not be read, or is larger than %d bytes.", maxForm)}
	}
	form, err := parseForm(x.r.Header, body)
	if err != nil {
		return err
	}
	switch action := form.Get("Action"); action {
	case "AssumeRoleWithWebIdentity":
		x.event.Request.Operation = action
		return s.assumeRole(x, form)
	case "GetCallerIdentity":
		x.event.Request.Operation = action
		return s.callerIdentity(x, body)
	default:
		return &refusal{Code: "InvalidAction", Message: fmt.Sprintf("Action %.64q is not one that this sidecar answers: AssumeRoleWithWebIdentity or GetCallerIdentity.", action)}
	}
}

// permitted are the form fields that are understood. Others are refused: a
// session policy that is not applied would be worse than none.
var permitted = []string{"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken", "DurationSeconds"}

func parseForm(h http.Header, body []byte) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &refusal{Code: "ValidationError", Message: "The body is not a form: Content-Type application/x-www-form-urlencoded is wanted."}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &refusal{Code: "ValidationError", Message: "The form is malformed."}
	}
	for name, values := range form {
		switch {
		case !slices.Contains(permitted, name):
			return nil, &refusal{Code: "ValidationError", Message: fmt.Sprintf("Parameter %.64q is not supported by this sidecar.", name)}
		case len(values) != 1:
			return nil, &refusal{Code: "ValidationError", Message: fmt.Sprintf("Parameter %s stands more than once.", name)}
		}
	}
	if v := form.Get("Version"); v != stsVersion {
		return nil, &refusal{Code: "ValidationError", Message: fmt.Sprintf("Version %.32q; %s is wanted.", v, stsVersion)}
	}
	return form, nil
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
	from, token, err := s.verify(x.ctx, form.Get("WebIdentityToken"))
	if err != nil {
		return tokenFault(err)
	}
	groups := from.groups(token)
	x.event.Principal = &audit.Principal{Issuer: token.Issuer, Subject: token.Subject, Email: token.Email, Name: token.Name, Groups: groups}
	x.event.Role = arn
	role := s.role(arn)
	if role == nil || !role.admits(groups) {
		return &refusal{Code: "AccessDenied", Message: fmt.Sprintf("%s may not take role %.200q: %s.", person(token), arn, roleAdvice(role))}
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
	claims := session.Claims{
		Principal: session.Principal{Issuer: token.Issuer, Subject: token.Subject, Email: token.Email, Name: token.Name, EmailDecides: from.emailDecides(token)},
		Groups:    kept,
		Role:      arn,
		Issued:    now,
		Expires:   now.Add(min(asked, s.config.Sessions.Lifetime.Or(time.Hour), role.MaxSession.Or(MaxLifetime))),
		AuthTime:  token.AuthTime, AMR: token.AMR, ACR: token.ACR, Method: "oidc", IdPSession: token.SessionID,
	}
	credentials, err := s.keys.Issue(claims)
	if err != nil {
		return &refusal{Code: "PackedPolicyTooLarge", Message: "The session does not fit into a token: " + err.Error() + ".", cause: err}
	}
	x.event.Session = &audit.Session{ID: credentials.ID, Issued: now.UTC(), Expires: credentials.Expires.UTC()}
	if err := x.issue(); err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-store")
	x.sendXML(http.StatusOK, webIdentityXML(form, claims, token, credentials, x.event.ID))
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
	if e.Code == idtoken.Expired {
		return &refusal{Code: "ExpiredTokenException", Message: "The ID token is too old: " + e.Detail + ". Log in again: gimme s3 --profile NAME."}
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
	if err := x.allow(policy.Decision{Allowed: true}); err != nil {
		return err
	}
	arn := assumedRole(held.Role, held.who())
	x.sendXML(http.StatusOK, stsXML(callerIdentityResponse{
		Xmlns: stsNamespace, Arn: arn, UserID: held.id() + ":" + held.who(),
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

type webIdentityResponse struct {
	XMLName         xml.Name `xml:"AssumeRoleWithWebIdentityResponse"`
	Xmlns           string   `xml:"xmlns,attr"`
	Subject         string   `xml:"AssumeRoleWithWebIdentityResult>SubjectFromWebIdentityToken"`
	Audience        string   `xml:"AssumeRoleWithWebIdentityResult>Audience"`
	Provider        string   `xml:"AssumeRoleWithWebIdentityResult>Provider"`
	AssumedRoleARN  string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>Arn"`
	AssumedRoleID   string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>AssumedRoleId"`
	AccessKeyID     string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	SecretAccessKey string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	SessionToken    string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	Expiration      string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	RequestID       string   `xml:"ResponseMetadata>RequestId"`
}

func webIdentityXML(form url.Values, c session.Claims, t *idtoken.Token, credentials session.Credentials, id string) []byte {
	name := form.Get("RoleSessionName")
	return stsXML(webIdentityResponse{
		Xmlns: stsNamespace, Subject: t.Subject, Audience: t.ClientID, Provider: t.Issuer,
		AssumedRoleARN: assumedRole(c.Role, name), AssumedRoleID: credentials.ID + ":" + name,
		AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey.Reveal(),
		SessionToken: credentials.SessionToken.Reveal(),
		Expiration:   credentials.Expires.UTC().Format(time.RFC3339), RequestID: id,
	})
}

type callerIdentityResponse struct {
	XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
	Xmlns     string   `xml:"xmlns,attr"`
	Arn       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

type stsErrorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Xmlns     string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// stsXML cannot fail: its arguments are the three types above.
func stsXML(v any) []byte {
	body, err := xml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append([]byte(xml.Header), body...)
}

// answerSTS sends a refusal as STS sends errors.
func answerSTS(w http.ResponseWriter, _ *http.Request, f *refusal, id string) {
	kind := "Sender"
	if f.status() >= 500 {
		kind = "Receiver"
	}
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("X-Amzn-Requestid", id)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.status())
	w.Write(stsXML(stsErrorResponse{Xmlns: stsNamespace, Type: kind, Code: f.Code, Message: sentence(f.Message, id), RequestID: id}))
}
