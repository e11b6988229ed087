package s3api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// An Error is a refusal as the client is to see it. Message is one sentence
// for the person who asked; it holds no secret.
type Error struct {
	Code    string // AWS's code, as on the wire
	Message string
	Status  int // HTTP status

	// Standard is S3's own sentence for the same, which clients know and some
	// compare; "" where S3 has none.
	Standard string
	// Details are what S3's document of this error has beside code and sentence,
	// such as ArgumentName.
	Details []Detail

	// Operation is the operation that was asked for, "" where it is not known.
	Operation string
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: StatusOf(code)}
}

// quoted is s for a message: quoted, and cut when it is long.
func quoted(s string) string {
	const longest = 128
	if len(s) > longest {
		return strconv.Quote(s[:longest]) + "..."
	}
	return strconv.Quote(s)
}

// StatusOf returns the HTTP status that goes with an error code of S3 or STS,
// and 400 for a code it does not know. Source: "Error responses" of the Amazon
// S3 API Reference and "Common errors" and AssumeRoleWithWebIdentity of the STS
// API Reference.
func StatusOf(code string) int {
	switch code {
	case "PermanentRedirect":
		return http.StatusMovedPermanently
	case "Redirect", "TemporaryRedirect":
		return http.StatusTemporaryRedirect
	case "NotModified":
		return http.StatusNotModified
	case "AccessDenied", "AccessDeniedException", "AccountProblem", "AllAccessDisabled", "InvalidAccessKeyId",
		"InvalidClientTokenId", "InvalidObjectState", "InvalidPayer", "InvalidSecurity", "NotSignedUp", "RegionDisabledException",
		"RequestTimeTooSkewed", "SignatureDoesNotMatch", "UnauthorizedAccess":
		return http.StatusForbidden
	case "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchConfiguration", "NoSuchCORSConfiguration", "NoSuchKey", "NoSuchLifecycleConfiguration",
		"NoSuchObjectLockConfiguration", "NoSuchPublicAccessBlockConfiguration", "NoSuchTagSet", "NoSuchUpload", "NoSuchVersion",
		"NoSuchWebsiteConfiguration", "NotFound", "ObjectLockConfigurationNotFoundError", "OwnershipControlsNotFoundError",
		"ReplicationConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError":
		return http.StatusNotFound
	case "MethodNotAllowed":
		return http.StatusMethodNotAllowed
	case "NotAcceptable":
		return http.StatusNotAcceptable
	case "BucketAlreadyExists", "BucketNotEmpty", "InvalidBucketState", "OperationAborted", "RestoreAlreadyInProgress",
		"BucketAlreadyOwnedByYou", "ConditionalRequestConflict":
		return http.StatusConflict
	case "MissingContentLength":
		return http.StatusLengthRequired
	case "PreconditionFailed":
		return http.StatusPreconditionFailed
	case "InvalidRange":
		return http.StatusRequestedRangeNotSatisfiable
	case "InternalError", "InternalFailure":
		return http.StatusInternalServerError
	case "NotImplemented":
		return http.StatusNotImplemented
	case "Busy", "ServiceUnavailable", "SlowDown":
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// ErrorXML returns an S3 error document. Characters that XML cannot hold are
// replaced; an empty resource is left out.
func ErrorXML(code, message, resource, requestID string, details ...Detail) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error>")
	leaf(&b, "Code", code)
	leaf(&b, "Message", message)
	for _, d := range details {
		leaf(&b, d.Name, d.Value)
	}
	optional(&b, "Resource", resource)
	leaf(&b, "RequestId", requestID)
	b.WriteString("</Error>")
	return b.Bytes()
}

// ParseErrorXML reads an error document of the upstream. ok is false when body
// is none, so that it also tells an error from a result in an answer of status
// 200, where white space may come first because S3 keeps connections alive
// with it. Of the rest of the document see ParseErrorDetails.
func ParseErrorXML(body []byte) (code, message string, ok bool) {
	var doc struct {
		XMLName xml.Name
		Code    string
		Message string
	}
	if err := xml.Unmarshal(bytes.TrimSpace(body), &doc); err != nil {
		return "", "", false
	}
	code = strings.TrimSpace(doc.Code)
	if doc.XMLName.Local != "Error" || !isCode(code) {
		return "", "", false
	}
	return code, doc.Message, true
}

// isCode says whether s looks like an error code, which callers may put into
// headers and events.
func isCode(s string) bool {
	for _, c := range []byte(s) {
		if !isLetter(c) && !isDigit(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
