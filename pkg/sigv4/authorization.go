package sigv4

import (
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	algorithm      = "AWS4-HMAC-SHA256"
	algorithmV4A   = "AWS4-ECDSA-P256-SHA256"
	terminal       = "aws4_request"
	isoFormat      = "20060102T150405Z"
	dayFormat      = "20060102"
	maxExpires     = 7 * 24 * 60 * 60 // seconds
	maxAccessKeyID = 128
)

// The query parameters of a presigned request, spelled as they must be.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"
	paramSHA256        = "X-Amz-Content-Sha256"
)

var presignParams = []string{paramAlgorithm, paramCredential, paramDate, paramExpires,
	paramSignedHeaders, paramSignature, paramToken, paramSHA256}

// readClaim finds the one form of authentication that the request has.
func (s *Signature) readClaim(h header, params []Param) error {
	var v4, v2, other string // a parameter of each kind, if there is one
	for _, p := range params {
		switch {
		case slices.ContainsFunc(presignParams, func(name string) bool { return strings.EqualFold(name, p.Name) }):
			if v4 == "" || strings.EqualFold(v4, paramToken) {
				v4 = p.Name
			}
		case isAmz(p.Name):
			other = p.Name
		case p.Name == "AWSAccessKeyId" || p.Name == "Signature":
			v2 = p.Name
		}
	}
	switch header := h.has("authorization"); {
	case header && v4+v2 != "":
		return refuse(invalidArgument, "Only one form of authentication is allowed, but the request has an Authorization header and also the query parameter %s.", quote(v4+v2))
	case header && other != "":
		return refuse(invalidArgument, "The query parameter %s is not one of S3's; send it as a signed header.", quote(other))
	case header:
		return s.readAuthorization(h)
	case v2 != "" && strings.EqualFold(v4, paramToken): // which Version 2 has too
		return signatureVersion2()
	case v4 != "" && v2 != "":
		return refuse(invalidArgument, "Only one form of authentication is allowed, but the query has both %s and %s.", quote(v4), quote(v2))
	case v4 != "":
		return s.readPresigned(h, params)
	case v2 != "":
		return signatureVersion2()
	}
	return refuse(accessDenied, "Anonymous requests are not served: sign the request with AWS Signature Version 4.")
}

func signatureVersion2() error {
	return inWords("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.", nil,
		invalidRequest, "The request is signed with AWS Signature Version 2, which is not supported: use Version 4 (%s); in boto3 that is Config(signature_version='s3v4').", algorithm)
}

func signatureVersion4A() error {
	return refuse(notImplemented, "The request is signed with AWS Signature Version 4A (%s), which is not supported: use %s with one region.", algorithmV4A, algorithm)
}

func (s *Signature) readAuthorization(h header) error {
	scheme, rest, spaced := strings.Cut(h.get("authorization"), " ")
	switch {
	case scheme == algorithm:
	case scheme == algorithmV4A:
		return signatureVersion4A()
	case scheme == "AWS":
		return signatureVersion2()
	case !spaced:
		return inWords("Authorization header is invalid -- one and only one ' ' (space) required.", argument("Authorization", scheme[:min(len(scheme), 16)]),
			invalidArgument, "The Authorization header is of a kind that is not supported: it must begin with %s and a space.", algorithm)
	default:
		return inWords("Unsupported Authorization Type", argument("Authorization", scheme[:min(len(scheme), 16)]),
			invalidArgument, "The Authorization header is of a kind that is not supported: it must begin with %s.", algorithm)
	}
	credential, signedHeaders, signature, err := readComponents(rest)
	if err != nil {
		return err
	}
	if s.Time, err = headerTime(h); err != nil {
		return err
	}
	s.SessionToken = h.get("x-amz-security-token")
	return s.readFields(credential, signedHeaders, signature, headerMalformed)
}

// components are what follows the algorithm in an Authorization header.
var components = [3]string{"Credential", "SignedHeaders", "Signature"}

// readComponents gives the values of components, in their order.
func readComponents(s string) (credential, signedHeaders, signature string, err error) {
	fault := func(standard string) error {
		return inWords("The authorization header is malformed; "+standard, nil,
			headerMalformed, "The Authorization header must hold Credential, SignedHeaders and Signature once each, separated by commas.")
	}
	var parts, values [len(components)]string
	if !split(s, ",", parts[:]) {
		return "", "", "", fault("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	var found [len(components)]bool
	for _, part := range parts {
		name, value, ok := strings.Cut(strings.Trim(part, " "), "=")
		if !ok {
			return "", "", "", fault("the authorization component " + quote(name) + " is malformed.")
		}
		if i := slices.Index(components[:], name); i >= 0 {
			values[i], found[i] = value, true
		}
	}
	for i, name := range components {
		if !found[i] { // three with these three is each of them once
			return "", "", "", fault("missing " + name + ".")
		}
	}
	return values[0], values[1], values[2], nil
}

// split divides s at each sep, and reports whether that makes as many parts as
// there is room for.
func split(s, sep string, parts []string) bool {
	if strings.Count(s, sep) != len(parts)-1 {
		return false
	}
	for i := range parts {
		parts[i], s, _ = strings.Cut(s, sep)
	}
	return true
}

// headerTime is the time of signing of a request with an Authorization
// header: x-amz-date, or Date when that is absent.
func headerTime(h header) (time.Time, error) {
	const standard = "AWS authentication requires a valid Date or x-amz-date header."
	if h.has("x-amz-date") {
		if t, ok := parseISO(h.get("x-amz-date")); ok {
			return t, nil
		}
		return time.Time{}, inWords(standard, nil, accessDenied, "The x-amz-date header must look like 20130524T000000Z.")
	}
	date := h.get("date")
	if t, ok := parseISO(date); ok {
		return t, nil
	}
	if t, err := http.ParseTime(date); err == nil {
		return t.UTC(), nil
	}
	return time.Time{}, inWords(standard, nil, accessDenied, "A signed request must have a valid x-amz-date or Date header.")
}

func parseISO(s string) (time.Time, bool) {
	t, err := time.Parse(isoFormat, s)
	return t, err == nil && len(s) == len(isoFormat) // time.Parse takes fractions of a second
}

func (s *Signature) readPresigned(h header, params []Param) error {
	values := make(map[string]string, len(presignParams))
	for _, p := range params {
		switch {
		case !isAmz(p.Name):
		case slices.Contains(presignParams, p.Name):
			values[p.Name] = p.Value
		default:
			if err := checkHoisted(p, h); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"x-amz-date", "x-amz-security-token"} {
		if h.has(name) {
			return refuse(invalidArgument, "The header %s does not belong to a presigned request, which has it in the query.", name)
		}
	}
	for _, name := range presignParams[:6] {
		if _, ok := values[name]; !ok {
			return inWords("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.", nil,
				queryMalformed, "The presigned URL lacks the parameter %s.", name)
		}
	}
	switch values[paramAlgorithm] {
	case algorithm:
	case algorithmV4A:
		return signatureVersion4A()
	default:
		return inWords(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`, nil, queryMalformed, "X-Amz-Algorithm must be %s.", algorithm)
	}
	var ok bool
	if s.Time, ok = parseISO(values[paramDate]); !ok {
		return refuse(queryMalformed, "X-Amz-Date must look like 20130524T000000Z.")
	}
	if err := s.readExpires(values[paramExpires]); err != nil {
		return err
	}
	s.Presigned = true
	s.SessionToken = values[paramToken]
	return s.readFields(values[paramCredential], values[paramSignedHeaders], values[paramSignature], queryMalformed)
}

// checkHoisted judges a parameter of a presigned URL that stands for a header of
// its name. SDKs move headers there, and S3 takes them from there; the signature
// covers them as it does the rest of the query.
func checkHoisted(p Param, h header) error {
	name := strings.ToLower(p.Name)
	protocol := slices.ContainsFunc(presignParams, func(q string) bool { return strings.EqualFold(q, name) })
	switch {
	case protocol:
		return refuse(queryMalformed, "The presigned URL has the parameter %s, which must be written as S3 does, such as %s.", quote(p.Name), paramDate)
	case transport[name] || strings.ContainsFunc(name, notLowerToken) || strings.ContainsFunc(p.Value, unicode.IsControl):
		return refuse(queryMalformed, "The presigned URL has the parameter %s, which is not supported there, or whose value no header can have.", quote(p.Name))
	case h.has(name):
		return refuse(invalidArgument, "%s stands in the query of the presigned URL and is a header as well.", quote(p.Name))
	}
	return nil
}

// readExpires reads how long a presigned URL holds.
func (s *Signature) readExpires(value string) error {
	expires, err := strconv.ParseInt(value, 10, 64)
	standard := ""
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		standard = "X-Amz-Expires should be a number"
	case expires < 0:
		standard = "X-Amz-Expires must be non-negative"
	case expires > maxExpires:
		standard = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
	case expires > 0 && isDigits(value):
		s.Expires = time.Duration(expires) * time.Second
		return nil
	}
	return inWords(standard, nil, queryMalformed, "X-Amz-Expires must be a number of seconds from 1 to %d.", maxExpires)
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// readFields reads what both forms have; code is that of a malformed one.
func (s *Signature) readFields(credential, signedHeaders, signature, code string) error {
	if err := s.readCredential(credential, code); err != nil {
		return err
	}
	if len(signature) != 2*len(s.signature) || strings.ToLower(signature) != signature {
		return refuse(code, "The signature must be %d lower-case hexadecimal digits.", 2*len(s.signature))
	}
	if _, err := hex.Decode(s.signature[:], []byte(signature)); err != nil {
		return refuse(code, "The signature must be %d lower-case hexadecimal digits.", 2*len(s.signature))
	}
	s.names = signedHeaders
	before, host := "", false
	for name := range strings.SplitSeq(signedHeaders, ";") {
		if name == "" || strings.ContainsFunc(name, notLowerToken) {
			return refuse(code, "SignedHeaders must be lower-case header names separated by ';', and has %s.", quote(name))
		}
		if before >= name {
			return refuse(code, "SignedHeaders must be sorted and name each header once; %s is out of order.", quote(name))
		}
		before, host = name, host || name == "host"
	}
	if !host {
		return refuse(code, "SignedHeaders must name host.")
	}
	return nil
}

// readCredential reads AccessKeyId/yyyymmdd/region/service/aws4_request.
func (s *Signature) readCredential(credential, code string) error {
	words := "The authorization header is malformed; "
	if code == queryMalformed {
		words = "Error parsing the X-Amz-Credential parameter; "
	}
	var parts [5]string
	if !split(credential, "/", parts[:]) {
		return inWords(words+`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`, nil,
			code, "The credential must be of the form AccessKeyId/yyyymmdd/region/service/%s.", terminal)
	}
	if parts[4] != terminal {
		return inWords(words+"incorrect terminal "+quote(parts[4])+`. This endpoint uses "aws4_request".`, nil,
			code, "The credential must be of the form AccessKeyId/yyyymmdd/region/service/%s.", terminal)
	}
	s.AccessKeyID, s.Region, s.Service = parts[0], parts[2], parts[3]
	if s.AccessKeyID == "" || len(s.AccessKeyID) > maxAccessKeyID || escape(s.AccessKeyID, false) != s.AccessKeyID {
		return refuse(code, "The credential does not begin with an access key id: see that the id and the secret are not swapped.")
	}
	if s.Region == "" || len(s.Region) > 64 || escape(s.Region, false) != s.Region {
		return refuse(code, "The region %s in the credential is not one.", quote(s.Region))
	}
	if s.Service != "s3" && s.Service != "sts" {
		return inWords(words+"incorrect service "+quote(s.Service)+`. This endpoint belongs to "s3".`, nil,
			code, "The service in the credential must be \"s3\" or \"sts\", not %s.", quote(s.Service))
	}
	return s.checkDay(parts[1], words, code)
}

// checkDay holds the day in the credential against the time of signing.
func (s *Signature) checkDay(got, words, code string) error {
	var buf [len(dayFormat)]byte
	day := s.Time.AppendFormat(buf[:0], dayFormat)
	if got == string(day) {
		return nil
	}
	standard := words + words + "Invalid credential date. Date is not the same as X-Amz-Date." // S3 says it twice
	if code == queryMalformed {
		standard = "Invalid credential date " + quote(got) + ". This date is not the same as X-Amz-Date: " + quote(string(day)) + "."
	}
	if _, err := time.Parse(dayFormat, got); err != nil {
		standard = words + "incorrect date format " + quote(got) + `. This date in the credential must be in the format "yyyyMMdd".`
	}
	return inWords(standard, nil, code, "The date %s in the credential must be the UTC day of the request, which is %s.", quote(got), day)
}

// notLowerToken reports whether c cannot stand in a lower-case header name.
func notLowerToken(c rune) bool {
	lower := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
	return !lower && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}
