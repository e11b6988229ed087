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

	// Standard is S3's own sentence for the same, which clients know and some
	// compare; "" where S3 has none.
	Standard string
	// Details are what S3's document of this error has beside code and sentence,
	// such as ArgumentName.
	Details []Param

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

// S3's own sentences that are said in more than one place.
const (
	noLength    = "You must provide the Content-Length HTTP header."
	otherLength = "You did not provide the number of bytes specified by the Content-Length HTTP header"
	brokenOff   = "The request body terminated unexpectedly"
	badTrailer  = "The request contained trailing data that was not well-formed or did not conform to our published schema."
	badMatch    = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)

// inWords is refuse with S3's own sentence and details.
func inWords(standard string, details []Param, code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Standard: standard, Details: details}
}

// argument are the details of an InvalidArgument.
func argument(name, value string) []Param {
	return []Param{{"ArgumentName", name}, {"ArgumentValue", value}}
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
