package upstream

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// SourceIdentity returns the source identity of p's sessions: the subject as it
// is when it has 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -, and otherwise
// "sha256-" with the subject's SHA-256 in base32, lower case, unpadded, 59
// characters in all. No two subjects have the same: a subject that begins with
// "sha256-" is always hashed. Subjects are unique within their issuer; where
// there are several, the tag gimme:issuer tells whose it is.
//
// The alphabet and length are those of SourceIdentity in the STS API Reference.
func SourceIdentity(p Principal) string { return encode(p.Subject, isSessionName) }

// SessionName returns the name of p's sessions, which is for people to read:
// the e-mail address when there is one, or else the subject, encoded as
// SourceIdentity is.
func SessionName(p Principal) string {
	if p.Email != "" {
		return encode(p.Email, isSessionName)
	}
	return encode(p.Subject, isSessionName)
}

// tags returns the session tags. A value that the grammar of tags does not
// allow is encoded as a SourceIdentity is; one that is empty is left out.
func tags(p Principal) []types.Tag {
	var ts []types.Tag
	for _, t := range [][2]string{{"gimme:issuer", p.Issuer}, {"gimme:subject", p.Subject}, {"gimme:email", p.Email}} {
		if t[1] != "" {
			ts = append(ts, types.Tag{Key: new(t[0]), Value: new(encode(t[1], isTagValue))})
		}
	}
	return ts
}

const hashed = "sha256-"

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// encode returns s, or its hash when s is not allowed or looks like a hash.
func encode(s string, allowed func(string) bool) string {
	if allowed(s) && !strings.HasPrefix(s, hashed) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return hashed + base32Lower.EncodeToString(sum[:])
}

// isSessionName follows the pattern of RoleSessionName and SourceIdentity.
func isSessionName(s string) bool {
	return len(s) >= 2 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r))
	})
}

// isTagValue follows the pattern of Tag values.
func isTagValue(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	})
}
