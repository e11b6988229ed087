package awsfile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// differences is what edits would change, one file after the other.
func differences(edits []*fileEdit) (string, error) {
	var paths []string
	before, after := map[string][]byte{}, map[string][]byte{}
	for _, e := range edits {
		if _, known := after[e.path]; !known {
			data, _, err := e.read()
			if err != nil {
				return "", err
			}
			paths = append(paths, e.path)
			before[e.path], after[e.path] = data, data
		}
		data, err := e.apply(after[e.path])
		if err != nil {
			return "", err
		}
		after[e.path] = data
	}
	var out strings.Builder
	for _, path := range paths {
		m := mask{}
		was, err := m.hide(path, before[path])
		if err != nil {
			return "", err
		}
		is, err := m.hide(path, after[path])
		if err != nil {
			return "", err
		}
		text := diff.Diff(path, was, path, is)
		_, text, _ = bytes.Cut(text, []byte("\n")) // the command that would show it
		out.Write(regexp.MustCompile("\x00[0-9]+\x00").ReplaceAll(text, []byte("[secret]")))
	}
	return out.String(), nil
}

// A mask gives every secret a number between two zero bytes, which no file
// holds, so that a secret that changes still makes a difference.
type mask map[string]int

func (m mask) cover(b *bytes.Buffer, secret string) {
	n, ok := m[secret]
	if !ok {
		n = len(m)
		m[secret] = n
	}
	fmt.Fprintf(b, "\x00%d\x00", n)
}

// hide covers the secrets in a file: values of keys that hold some, everybody's,
// also where the key is in a comment.
func (m mask) hide(path string, data []byte) ([]byte, error) {
	d, err := scan(path, data)
	if err != nil {
		return nil, err
	}
	secret := map[int]bool{} // lines, by their first byte, that continue a secret
	for _, s := range d.sections {
		for _, k := range s.keys {
			for _, x := range k.more {
				secret[x.start] = k.value != "" && hidden(k.name, k.value)
			}
		}
	}
	var out bytes.Buffer
	at := 0
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		name, value, ok := cutKey(strings.TrimLeft(text, "#; \t"), "=:")
		switch {
		case text == "":
			out.Write(line)
		case secret[at]:
			value, ok = text, true
			m.replace(&out, line, value)
		case ok && value != "" && hidden(name, value):
			m.replace(&out, line, value)
		default:
			out.Write(line)
		}
		at += len(line)
	}
	return out.Bytes(), nil
}

// replace writes line with value, which ends it, covered.
func (m mask) replace(out *bytes.Buffer, line []byte, value string) {
	i := bytes.LastIndex(line, []byte(value))
	out.Write(line[:i])
	m.cover(out, value)
	out.Write(line[i+len(value):])
}

// hidden says whether the value of a key is nobody's business.
func hidden(name, value string) bool {
	switch name {
	case "aws_access_key_id", "x_security_token_expires", "web_identity_token_file":
		return false
	case "credential_process": // others have passwords among their arguments
		_, profile, ok := strings.Cut(value, " --profile ")
		profile, _, _ = strings.Cut(profile, " ")
		return !ok || ownProcess(value, profile) == nil
	}
	for _, word := range []string{"secret", "token", "pass", "key"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
