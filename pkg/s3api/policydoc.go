package s3api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// policyDocument is the one document that is JSON.
	policyDocument = "Policy"
	// maxPolicy is the length in bytes of the longest bucket policy. Source:
	// Amazon S3 User Guide, "Bucket policies".
	maxPolicy = 20 << 10
	// maxDepth is how deep a policy nests. IAM's grammar needs 6.
	maxDepth = 16
)

// readPolicy reads a bucket policy and returns it serialised anew, without
// white space. encoding/json lets the last of two members win, joins what is
// left of broken text, and passes over what follows; other readers do
// otherwise. So an object must have each name once, in whatever case, and all
// text must be whole. Errors are *Error with the code MalformedPolicy.
func readPolicy(document []byte) ([]byte, error) {
	if !bytes.HasPrefix(document, []byte("{")) && !json.Valid(document) {
		return nil, malformedPolicy("it does not begin with a brace").inWords(noPolicy)
	}
	if !utf8.Valid(document) || !json.Valid(document) {
		return nil, malformedPolicy("it is not JSON in UTF-8").inWords(badPolicy)
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var b bytes.Buffer
	t, err := d.Token()
	if t != json.Delim('{') || err != nil {
		return nil, malformedPolicy("it is not an object").inWords(noPolicy)
	}
	if err := copyObject(&b, d, 1); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func malformedPolicy(format string, args ...any) *Error {
	return refuse("MalformedPolicy", "The bucket policy is not accepted: "+format+".", args...)
}

// copyValue writes the value that t begins.
func copyValue(b *bytes.Buffer, d *json.Decoder, t json.Token, depth int) error {
	if depth > maxDepth {
		return malformedPolicy("it nests deeper than %d levels", maxDepth)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return copyObject(b, d, depth+1)
		}
		return copyArray(b, d, depth+1)
	case string:
		return copyText(b, t)
	case nil:
		b.WriteString("null")
	default: // a bool or json.Number
		fmt.Fprint(b, t)
	}
	return nil
}

// copyObject writes the rest of an object, whose brace has been read.
func copyObject(b *bytes.Buffer, d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	b.WriteByte('{')
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return malformedPolicy("it is not JSON")
		}
		folded := strings.ToLower(name)
		if seen[folded] {
			return malformedPolicy("it has the name %s twice in one object", quoted(name))
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[folded] = true
		if err := copyText(b, name); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := copyNext(b, d, depth); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return skipDelim(d)
}

// copyArray writes the rest of an array, whose bracket has been read.
func copyArray(b *bytes.Buffer, d *json.Decoder, depth int) error {
	b.WriteByte('[')
	for first := true; d.More(); first = false {
		if !first {
			b.WriteByte(',')
		}
		if err := copyNext(b, d, depth); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return skipDelim(d)
}

func copyNext(b *bytes.Buffer, d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return malformedPolicy("it is not JSON")
	}
	return copyValue(b, d, t, depth)
}

func skipDelim(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return malformedPolicy("it is not JSON")
	}
	return nil
}

// copyText writes a string. encoding/json reads half a surrogate pair as
// U+FFFD, which is refused, so that no two texts become one.
func copyText(b *bytes.Buffer, s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return malformedPolicy("it has broken text")
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return malformedPolicy("it has broken text")
	}
	b.Truncate(b.Len() - 1) // the line feed that Encode adds
	return nil
}
