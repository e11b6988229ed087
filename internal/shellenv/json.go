package shellenv

import (
	"encoding/json"
	"strings"
)

// quote is s as JSON, without the escapes that are for HTML.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text can always be encoded
	return strings.TrimSuffix(b.String(), "\n")
}
