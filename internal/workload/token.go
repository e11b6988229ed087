package workload

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// maxToken is the longest token that an STS takes, in characters.
const maxToken = 20000

var errNoToken = errors.New("what it gives is not a token: three parts of base64url, divided by dots, of at most 20000 characters in all")

// clean takes white space from both ends of a token, and holds it to the form
// of a signed one.
func clean(raw string) (string, error) {
	raw = strings.TrimSpace(raw)
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 {
		return "", errNoToken
	}
	for _, p := range parts {
		if p == "" || strings.ContainsFunc(p, func(r rune) bool { return !inSegment(r) }) {
			return "", errNoToken
		}
	}
	return raw, nil
}

func inSegment(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// check looks, without believing it, at whom a token is for and until when, so
// that a mistake is named here and the token goes nowhere.
func (s System) check(raw, want string) error {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		return errNoToken
	}
	var claims struct {
		Audience audience `json:"aud"`
		Expires  float64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return errors.New("the claims of its token cannot be read")
	}
	if !slices.Contains(claims.Audience, want) {
		return &Error{Err: fmt.Errorf("the token is for %s and not for %q", claims.Audience, want), Hint: s.audienceHint(want)}
	}
	// A minute: the clocks of machines differ.
	if at := time.Unix(int64(claims.Expires), 0); claims.Expires > 0 && time.Since(at) > time.Minute {
		return &Error{Err: fmt.Errorf("the token expired at %s", at.UTC().Format(time.RFC3339)), Hint: "a longer job needs a token that lives as long, or a fresh one; or is the clock of this machine right?"}
	}
	return nil
}

func (s System) audienceHint(want string) string {
	switch s.Audience {
	case fixed:
		return fmt.Sprintf("the audience of %s cannot be chosen: set audience to the token's, and have it accepted", s.Title)
	case ours:
		return "set audience to the token's only if nothing else accepts that"
	}
	return fmt.Sprintf("have the token made for %q, or set audience", want)
}

// An audience is one text or a list of them.
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(data, &(*a)[0])
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func (a audience) String() string {
	if len(a) == 0 {
		return "nobody"
	}
	quoted := make([]string, min(len(a), 5))
	for i := range quoted {
		quoted[i] = fmt.Sprintf("%.200q", a[i])
	}
	return strings.Join(quoted, ", ")
}

// readToken reads a file, every time anew: the kubelet replaces what its link
// points to.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is not a file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxToken+100)) // with some white space around it
	if err != nil {
		return "", fmt.Errorf("read %q: %w", path, err)
	}
	return string(data), nil
}
