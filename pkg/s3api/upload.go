package s3api

import (
	"strings"
	"unicode/utf8"
)

const taggingHeader = "X-Amz-Tagging"

// SSEC is the Encryption of an Upload whose key the client brings.
const SSEC = "SSE-C"

// An Upload is what a request says of the object that it brings.
type Upload struct {
	Encryption string // such as AES256, aws:kms, SSE-C; "": the request does not say, or says two things
	KMSKey     string // as the request names it; "": it does not
	// Tags are those that the object is to have. nil: it gets those of the source
	// of a copy, which the request does not say.
	Tags map[string]string
	// TagsAlone says that the tags of an object are set, and nothing else.
	TagsAlone bool
}

// Upload returns what the request says of the object that it brings, or of the
// tags or the encryption that it sets. It is nil when it does none of this, as
// the requests for the parts of an upload: what they become was said when the
// upload began. Of operations with a document it is known after SetBody.
func (c *Call) Upload() *Upload {
	switch c.Operation {
	case "PutObject", "CreateMultipartUpload":
		u := c.encrypted()
		u.Tags = c.headerTags()
		return u
	case "CopyObject":
		u := c.encrypted()
		if c.Header.Get(taggingDirective) == "REPLACE" {
			u.Tags = c.headerTags()
		}
		return u
	case "PutObjectTagging":
		tags, _ := tagsIn(c.document) // SetBody saw no error in it
		return &Upload{Tags: tags, TagsAlone: true}
	case "DeleteObjectTagging":
		return &Upload{Tags: map[string]string{}, TagsAlone: true}
	case "UpdateObjectEncryption":
		return c.encryptedAnew()
	}
	return nil
}

// encrypted is what the headers say of encryption. S3 takes a key of the client
// or one of its own, and of a request with both nothing is certain.
func (c *Call) encrypted() *Upload {
	u := &Upload{Encryption: c.Header.Get("X-Amz-Server-Side-Encryption"), KMSKey: c.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")}
	for _, name := range customerKey {
		if c.Header.Get(name) == "" {
			continue
		}
		if u.Encryption != "" || u.KMSKey != "" {
			return &Upload{}
		}
		return &Upload{Encryption: SSEC}
	}
	return u
}

// encryptedAnew is what the document of UpdateObjectEncryption says.
func (c *Call) encryptedAnew() *Upload {
	u := &Upload{}
	for _, kind := range c.document.children {
		if u.Encryption != "" {
			return &Upload{}
		}
		switch kind.name {
		case "SSE-KMS":
			u.Encryption, u.KMSKey = "aws:kms", strings.TrimSpace(kind.child("KMSKeyArn"))
		case "SSE-S3":
			u.Encryption = "AES256"
		}
	}
	return u
}

func (c *Call) headerTags() map[string]string {
	tags, _, _ := readTagging(c.Header.Get(taggingHeader)) // Parse saw no error in it
	return tags
}

// readTagging reads the value of x-amz-tagging, and returns it in the one form
// that every store reads alike: in a query "+" is a space to most, and a
// semicolon divides pairs for some.
func readTagging(value string) (tags map[string]string, canonical string, err error) {
	tags = map[string]string{}
	if value == "" {
		return tags, "", nil
	}
	var pairs []string
	for pair := range strings.SplitSeq(value, "&") {
		if pair == "" {
			continue // as S3 does
		}
		rawName, rawValue, hasValue := strings.Cut(pair, "=")
		name, ok := unescapeTag(rawName)
		text, fine := unescapeTag(rawValue)
		_, twice := tags[name]
		if !ok || !fine || twice || name == "" {
			return nil, "", refuse("InvalidArgument", "The tags in x-amz-tagging are not a query string such as \"class=public&owner=a%%40b\" in which each name stands once.").
				about("x-amz-tagging", value, badTagging)
		}
		tags[name] = text
		if pair = escape(name); hasValue {
			pair += "=" + escape(text)
		}
		pairs = append(pairs, pair)
	}
	return tags, strings.Join(pairs, "&"), nil
}

func unescapeTag(s string) (string, bool) {
	if strings.Contains(s, ";") {
		return "", false
	}
	s, ok := unescape(strings.ReplaceAll(s, "+", " "))
	return s, ok && utf8.ValidString(s) && !hasControls(s)
}

// tagsIn reads the tags of a Tagging document.
func tagsIn(document node) (map[string]string, error) {
	tags := map[string]string{}
	for _, set := range document.children {
		for _, tag := range set.children {
			name := tag.child("Key")
			if _, twice := tags[name]; twice || name == "" {
				return nil, refuse("InvalidTag", "A tag has no name, or its name stands twice.").inWords(badTag)
			}
			tags[name] = tag.child("Value")
		}
	}
	return tags, nil
}
