package proxy

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
	"github.com/gimme-broker/gimme/internal/session"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

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

func webIdentityXML(c session.Claims, t *idtoken.Token, credentials session.Credentials, id string) []byte {
	return stsXML(webIdentityResponse{
		Xmlns: stsNamespace, Subject: t.Subject, Audience: t.ClientID, Provider: t.Issuer,
		AssumedRoleARN: assumedRole(c.Role, c.Name), AssumedRoleID: credentials.ID + ":" + c.Name,
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
