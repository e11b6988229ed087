package s3api

// S3's own sentences that are said in more than one place.
const (
	badXML        = "The XML you provided was not well-formed or did not validate against our published schema."
	badBucket     = "The specified bucket is not valid."
	badPart       = "Part number must be an integer between 1 and 10000, inclusive."
	badPolicy     = "This policy contains invalid Json"
	noPolicy      = "Policies must be valid JSON and the first byte must be '{'"
	badMD5        = "The Content-Md5 you specified is not valid."
	otherMD5      = "The Content-MD5 you specified did not match what we received."
	badSourcePath = "Invalid copy source encoding"
	badSource     = "Invalid copy source bucket name"
	noSourceKey   = "Invalid copy source object key"
	badTagging    = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
	badTag        = "Cannot provide multiple Tags with the same key"
	badToken      = "The continuation token provided is incorrect"
	badEncoding   = "Invalid Encoding Method specified in Request"
)

// inWords adds S3's own sentence and details to a refusal.
func (e *Error) inWords(standard string, details ...Detail) *Error {
	e.Standard, e.Details = standard, details
	return e
}

// about adds S3's own sentence on an argument, with its name and value.
func (e *Error) about(name, value, standard string) *Error {
	return e.inWords(standard, Detail{"ArgumentName", name}, Detail{"ArgumentValue", value})
}

// badValue is S3's own sentence on a header whose value is none.
func badValue(header string) string { return "Value for " + header + " header is invalid." }
