package upstream

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"
)

// telling has the codes of STS whose message says what is wrong and holds no
// secret. The message of SignatureDoesNotMatch does: it quotes the request that
// should have been signed, security token and all.
var telling = map[string]bool{
	"AccessDenied": true, "ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true,
	"InvalidParameterValue": true, "MalformedPolicyDocument": true, "PackedPolicyTooLarge": true,
	"RegionDisabledException": true, "ServiceUnavailable": true, "Throttling": true, "ThrottlingException": true, "ValidationError": true,
}

// reason says in one line without secrets why a call of STS failed.
func reason(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if telling[api.ErrorCode()] {
			return line(api.ErrorCode() + ": " + api.ErrorMessage())
		}
		return line("STS answered " + api.ErrorCode())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "STS did not answer in time"
	}
	return line(err.Error())
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
