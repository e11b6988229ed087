package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"
)

// A Cause says at whose end it lies that there are no credentials.
type Cause int

const (
	Unreachable Cause = iota // STS cannot be reached, or does not answer as it should
	NoIdentity               // the sidecar has no credentials of its own, or STS does not accept them
	Throttled                // STS is asked too often
	Refused                  // STS says no to this role for this person
)

// An Error says why there are no credentials. It holds no secret.
type Error struct {
	Role   string
	Cause  Cause
	Code   string // of STS; empty when it did not answer
	Detail string // one line for the operator
}

func (e *Error) Error() string { return fmt.Sprintf("assume role %q: %s", e.Role, e.Detail) }

// telling has the codes of STS whose message says what is wrong and holds no
// secret. The message of SignatureDoesNotMatch does: it quotes the request that
// should have been signed, security token and all.
var telling = map[string]bool{
	"AccessDenied": true, "ExpiredToken": true, "ExpiredTokenException": true, "IDPCommunicationError": true, "IDPRejectedClaim": true,
	"InvalidClientTokenId": true, "InvalidIdentityToken": true, "InvalidParameterValue": true, "MalformedPolicyDocument": true, "PackedPolicyTooLarge": true,
	"RegionDisabledException": true, "ServiceUnavailable": true, "Throttling": true, "ThrottlingException": true, "ValidationError": true,
}

// causes has the codes of STS that do not mean Refused.
var causes = map[string]Cause{
	"InvalidClientTokenId": NoIdentity, "SignatureDoesNotMatch": NoIdentity, "ExpiredToken": NoIdentity, "UnrecognizedClientException": NoIdentity,
	"MissingAuthenticationToken": NoIdentity, "IncompleteSignature": NoIdentity,
	"Throttling": Throttled, "ThrottlingException": Throttled, "TooManyRequestsException": Throttled, "RequestLimitExceeded": Throttled,
	"ServiceUnavailable": Unreachable, "InternalFailure": Unreachable, "InternalError": Unreachable, "InternalServerError": Unreachable, "RequestTimeout": Unreachable,
}

// failure says in one line without secrets why a call of STS failed; the secrets
// are those of the call, should STS repeat them.
func failure(role string, err error, secrets ...string) *Error {
	e := &Error{Role: role}
	own, noIdentity := errors.AsType[*identityError](err)
	api, answered := errors.AsType[smithy.APIError](err)
	switch {
	case noIdentity:
		e.Cause, e.Detail = NoIdentity, line("the sidecar has no AWS credentials of its own: "+own.Error())
	case answered:
		e.Code, e.Cause = line(api.ErrorCode()), Refused
		if cause, ok := causes[e.Code]; ok {
			e.Cause = cause
		}
		if e.Detail = "STS answered " + e.Code; telling[e.Code] {
			e.Detail = line(e.Code + ": " + without(api.ErrorMessage(), secrets))
		}
	case errors.Is(err, context.DeadlineExceeded):
		e.Detail = "STS did not answer in time"
	default:
		e.Detail = line(without(err.Error(), secrets))
	}
	return e
}

// without takes secrets out of s, whole and part by part.
func without(s string, secrets []string) string {
	for _, secret := range secrets {
		for _, part := range append([]string{secret}, strings.Split(secret, ".")...) {
			if len(part) >= 8 {
				s = strings.ReplaceAll(s, part, "[secret]")
			}
		}
	}
	return s
}

// line is s without control characters, cut when it is long.
func line(s string) string {
	const longest = 512
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return s
}
