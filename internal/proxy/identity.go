package proxy

import (
	"fmt"
	"time"

	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/internal/session"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A holder is who signs a request: with a session, or with a service key, which
// to everything after admit is a session like any other. Several requests of one
// holder share it.
type holder struct {
	session.Session
	service   *ServiceKey        // nil when it is a session
	name      string             // what id gives
	orders    *revocation.Holder // what orders go by
	principal *policy.Principal  // nil when the issuer is not accepted

	as      presented  // what shows who it is
	kept    bool       // among the holders
	signing sigv4.Keys // of the secret access key
	onward  sigv4.Keys // of the secrets with which the holder's requests go on
}

// newHolder makes the holder of a session, or of a service key.
func (s *Server) newHolder(of session.Session, service *ServiceKey) *holder {
	h := &holder{Session: of, service: service}
	if service != nil {
		h.name, h.principal = service.AccessKeyID.V, service.principal()
	} else {
		h.name = sessionID(h.Claims)
		if from := s.issuerOf(h.Principal.Issuer); from != nil {
			h.principal = from.principal(h.Claims)
		}
	}
	h.orders = h.revocable()
	return h
}

// id names the session, or the service key by its access key id.
func (h *holder) id() string { return h.name }

// who is the person or the service, for people to read.
func (h *holder) who() string {
	if h.service != nil {
		return h.service.Service.V
	}
	return who(h.Claims)
}

// open gives the session, or the service key, that a signature presents.
func (s *Server) open(signature *sigv4.Signature) (*holder, error) {
	if held := s.holders.find(presented{signature.SessionToken, signature.AccessKeyID}); held != nil {
		return held, nil
	}
	if signature.SessionToken == "" {
		return s.openService(signature)
	}
	held, err := s.keys.Open(signature.SessionToken, signature.AccessKeyID)
	if err != nil {
		return nil, &refusal{Code: "InvalidToken", Message: "The session token is not one of this sidecar's. Log in: gimme s3 --profile NAME."}
	}
	return s.newHolder(*held, nil), nil
}

// verify proves that the holder has signed the request.
func (h *holder) verify(signature *sigv4.Signature, now time.Time) (*sigv4.Verified, error) {
	return signature.VerifyWith(&h.signing, h.SecretAccessKey.Reveal(), now)
}

// admit judges a session or service key whose holder has proven to hold it, and
// remembers the holder.
func (s *Server) admit(x *exchange, held *holder, signature *sigv4.Signature, service string, now time.Time) (*policy.Principal, error) {
	if signature.Service != service {
		return nil, &refusal{Code: "AuthorizationHeaderMalformed", Message: fmt.Sprintf("The request is signed for service %q; %q is wanted here.", signature.Service, service)}
	}
	var err error
	if held.service != nil {
		err = s.admitService(x, held, now)
	} else {
		err = s.admitSession(x, held, now)
	}
	if err != nil {
		return nil, err
	}
	s.holders.keep(presented{signature.SessionToken, signature.AccessKeyID}, held)
	return held.principal, nil
}

// admitSession judges a session whose holder has proven to hold it.
func (s *Server) admitSession(x *exchange, held *holder, now time.Time) error {
	if held.Expired(now) {
		return &refusal{Code: "ExpiredToken", Message: fmt.Sprintf("Your session expired at %s. Log in again: gimme s3 --profile NAME.", moment(held.Expires))}
	}
	if err := s.refuseRevoked(x, held); err != nil {
		return err
	}
	if held.principal == nil {
		return &refusal{Code: "InvalidToken", Message: fmt.Sprintf("Sessions of issuer %q are no longer accepted. Log in again: gimme s3 --profile NAME.", held.Principal.Issuer)}
	}
	if role := s.role(held.Role); role == nil || !role.admits(held.Groups) {
		return &refusal{Code: "InvalidToken", Message: fmt.Sprintf("Role %s is no longer open to you. Log in again: gimme s3 --profile NAME.", held.Role)}
	}
	return nil
}
