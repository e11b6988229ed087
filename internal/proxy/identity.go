package proxy

import (
	"fmt"
	"time"

	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A holder is who signs a request: with a session, or with a service key, which
// to everything after admit is a session like any other.
type holder struct {
	session.Session
	service *ServiceKey // nil when it is a session
}

// id names the session, or the service key by its access key id.
func (h *holder) id() string {
	if h.service != nil {
		return h.service.AccessKeyID.V
	}
	return sessionID(h.Claims)
}

// who is the person or the service, for people to read.
func (h *holder) who() string {
	if h.service != nil {
		return h.service.Service.V
	}
	return who(h.Claims)
}

// open gives the session, or the service key, that a signature presents.
func (s *Server) open(signature *sigv4.Signature) (*holder, error) {
	if signature.SessionToken == "" {
		return s.openService(signature)
	}
	held, err := s.keys.Open(signature.SessionToken, signature.AccessKeyID)
	if err != nil {
		return nil, &refusal{Code: "InvalidToken", Message: "The session token is not one of this sidecar's. Log in: gimme s3 --profile NAME."}
	}
	return &holder{Session: *held}, nil
}

// admit judges a session or service key whose holder has proven to hold it.
func (s *Server) admit(x *exchange, held *holder, signature *sigv4.Signature, service string, now time.Time) (*policy.Principal, error) {
	if signature.Service != service {
		return nil, &refusal{Code: "AuthorizationHeaderMalformed", Message: fmt.Sprintf("The request is signed for service %q; %q is wanted here.", signature.Service, service)}
	}
	if held.service != nil {
		return s.admitService(x, held, now)
	}
	if held.Expired(now) {
		return nil, &refusal{Code: "ExpiredToken", Message: fmt.Sprintf("Your session expired at %s. Log in again: gimme s3 --profile NAME.", moment(held.Expires))}
	}
	if err := s.refuseRevoked(x, held); err != nil {
		return nil, err
	}
	from := s.issuerOf(held.Principal.Issuer)
	if from == nil {
		return nil, &refusal{Code: "InvalidToken", Message: fmt.Sprintf("Sessions of issuer %q are no longer accepted. Log in again: gimme s3 --profile NAME.", held.Principal.Issuer)}
	}
	if role := s.role(held.Role); role == nil || !role.admits(held.Groups) {
		return nil, &refusal{Code: "InvalidToken", Message: fmt.Sprintf("Role %s is no longer open to you. Log in again: gimme s3 --profile NAME.", held.Role)}
	}
	return from.principal(held.Claims), nil
}
