package iampolicy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Terraform writes the output as resources of Terraform's provider for AWS,
// formatted as terraform fmt does. session is how long a session of the role may
// last.
func Terraform(role Role, out Output, session time.Duration) string {
	var b strings.Builder
	for i, note := range out.Notes {
		if i > 0 {
			b.WriteString("#\n")
		}
		b.WriteString(comment(note))
	}
	t := terraform{b: &b, label: label(role.name()), role: role}
	for _, r := range []struct {
		suffix string
		trust  *Document
	}{{"", out.Trust}, {t.directSuffix(out), out.TrustWebIdentity}} {
		if r.trust != nil {
			t.takenAs = append(t.takenAs, r.suffix)
			t.takes(r.suffix, *r.trust, session)
		}
	}
	for i, d := range out.Permissions {
		t.permissions(i+1, d)
	}
	for _, bucket := range slices.Sorted(maps.Keys(out.BucketPolicies)) {
		t.bucket(bucket, out.BucketPolicies[bucket])
	}
	return strings.TrimPrefix(b.String(), "\n")
}

type terraform struct {
	b       *strings.Builder
	label   string
	role    Role
	takenAs []string // the suffixes of the roles that are here
}

// directSuffix tells the role that people take directly from the one that the
// sidecar takes, where both are asked for.
func (t terraform) directSuffix(out Output) string {
	if out.Trust != nil {
		return "-direct"
	}
	return ""
}

func (t terraform) takes(suffix string, trust Document, session time.Duration) {
	attributes := [][2]string{{"name", quote(t.role.name() + suffix)}}
	if path := t.role.path(); path != "/" {
		attributes = append(attributes, [2]string{"path", quote(path)})
	}
	if session > time.Hour {
		attributes = append(attributes, [2]string{"max_session_duration", fmt.Sprint(int(session.Seconds()))})
	}
	t.resource("aws_iam_role", t.label+suffix, attributes, "assume_role_policy", trust)
}

// permissions writes the n-th policy, and attaches it to the roles that are
// here, or else to the role by its name.
func (t terraform) permissions(n int, d Document) {
	name := fmt.Sprintf("%s_%d", t.label, n)
	t.resource("aws_iam_policy", name, [][2]string{{"name", quote(fmt.Sprintf("%s-s3-%d", t.role.name(), n))}}, "policy", d)
	attach := func(suffix, role string) {
		fmt.Fprintf(t.b, "\nresource \"aws_iam_role_policy_attachment\" %q {\n  role       = %s\n  policy_arn = aws_iam_policy.%s.arn\n}\n", name+suffix, role, name)
	}
	for _, suffix := range t.takenAs {
		attach(suffix, "aws_iam_role."+t.label+suffix+".name")
	}
	if len(t.takenAs) == 0 {
		attach("", quote(t.role.name()))
	}
}

func (t terraform) bucket(name string, d Document) {
	t.resource("aws_s3_bucket_policy", label(name), [][2]string{{"bucket", quote(name)}}, "policy", d)
}

// resource writes a resource with attributes of one line each, and a document.
func (t terraform) resource(kind, name string, attributes [][2]string, of string, d Document) {
	width := 0
	for _, a := range attributes {
		width = max(width, len(a[0]))
	}
	fmt.Fprintf(t.b, "\nresource %q %q {\n", kind, name)
	for _, a := range attributes {
		fmt.Fprintf(t.b, "  %-*s = %s\n", width, a[0], a[1])
	}
	fmt.Fprintf(t.b, "  %s = %s\n}\n", of, jsonencode(d, "  "))
}

// label makes an identifier of a name, and another one of each.
func label(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z', i > 0 && (c >= '0' && c <= '9' || c == '-'):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// comment writes a note in lines of moderate length.
func comment(note string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(strings.Map(visible, note)) {
		if len(line)+1+len(word) > 100 && line != "#" {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
	return b.String()
}

// visible leaves out what could end a comment or hide in it.
func visible(r rune) rune {
	if unicode.IsGraphic(r) {
		return r
	}
	return ' '
}
