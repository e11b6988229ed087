// Package secret has the type in which secrets travel: it prints as a
// placeholder in every format, so that no log line, error or event can hold
// one by accident. Only Reveal gives the text back.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const placeholder = "[secret]"

// A Text is a secret. The zero value is the empty one.
//
// It holds a pointer because fmt looks into unexported fields without asking
// their methods, and would print a string that stands there.
type Text struct{ text *string }

// New wraps s.
func New(s string) Text { return Text{&s} }

// Reveal returns the secret itself, for the one place that must have it.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// Empty says whether there is no secret.
func (t Text) Empty() bool { return t.Reveal() == "" }

// Equal says in constant time whether both are the same secret.
func (t Text) Equal(u Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

// Format implements fmt.Formatter for every verb.
func (Text) Format(f fmt.State, _ rune) { fmt.Fprint(f, placeholder) }

// String implements fmt.Stringer.
func (Text) String() string { return placeholder }

// MarshalText implements encoding.TextMarshaler, and so serves JSON and YAML.
func (Text) MarshalText() ([]byte, error) { return []byte(placeholder), nil }

// LogValue implements slog.LogValuer.
func (Text) LogValue() slog.Value { return slog.StringValue(placeholder) }
