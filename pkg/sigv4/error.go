package sigv4

import (
	"fmt"
	"strconv"
)

// An Error refuses a request or its body. It never holds a secret, a token or
// a signature.
type Error struct {
	Code    string // AWS's code as it stands on the wire, such as "SignatureDoesNotMatch"
	Message string // one sentence for the person who made the request

	cause error
}

// Error gives code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap gives what the reader of the body answered, where that was the
// reason. It is never io.EOF.
func (e *Error) Unwrap() error { return e.cause }

// The codes that this package refuses with.
const (
	accessDenied         = "AccessDenied"
	badDigest            = "BadDigest"
	entityTooLarge       = "EntityTooLarge"
	headerMalformed      = "AuthorizationHeaderMalformed"
	incompleteBody       = "IncompleteBody"
	invalidArgument      = "InvalidArgument"
	invalidDigest        = "InvalidDigest"
	invalidRequest       = "InvalidRequest"
	invalidURI           = "InvalidURI"
	keyTooLong           = "KeyTooLongError"
	malformedTrailer     = "MalformedTrailerError"
	missingContentLength = "MissingContentLength"
	notImplemented       = "NotImplemented"
	payloadMismatch      = "XAmzContentSHA256Mismatch"
	queryMalformed       = "AuthorizationQueryParametersError"
	signatureMismatch    = "SignatureDoesNotMatch"
	timeTooSkewed        = "RequestTimeTooSkewed"
)

func refuse(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// quote shows what a request said, shortened, so that a message stays a
// sentence whatever was sent, and so that what was sent in the wrong place, a
// token or a signature, is not repeated.
func quote(s string) string {
	const most, shown = 40, 16
	if len(s) > most {
		s = s[:shown] + "..."
	}
	return strconv.QuoteToASCII(s)
}
